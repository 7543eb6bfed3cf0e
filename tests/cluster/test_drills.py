"""What befalls a cluster loses nothing that was acknowledged, and doubles nothing."""

from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.drill import drill
from tests.cluster.hosts import Hosts


def test_a_planned_switchover(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        cluster.switch_over()
    running.report("planned switchover")
    assert running.faults == []
    assert hosts.verify_views() == ""
