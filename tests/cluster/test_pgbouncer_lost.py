"""A web host goes on as before once its PgBouncer is back."""

from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.drill import all_is_right, drill
from tests.cluster.hosts import Hosts
from tests.support.waiting import wait_until


def test_pgbouncer_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        cluster.kill_pgbouncer()
        running.wait_for(2)
        cluster.start_pgbouncer()
        wait_until(hosts.are_ready)
    all_is_right(running, "PgBouncer killed and started again")
