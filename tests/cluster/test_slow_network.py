"""With a delay of 5 ms in each direction, nothing is lost or doubled either."""

from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.drill import all_is_right, another_primary, drill
from tests.cluster.hosts import Hosts


def test_failovers_in_a_slow_network(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with cluster.slow_network(), drill(cluster, hosts, tmp_path) as running:
        cluster.switch_over()
        running.wait_for_progress()
        cluster.kill_postgres(cluster.the_primary())
        running.wait_for_progress()
        cluster.repair()
        old = cluster.the_primary()
        cluster.kill(old)
        another_primary(cluster, old)
        running.wait_for_progress()
    all_is_right(running, "slow network: switchover, PostgreSQL killed, primary killed")
