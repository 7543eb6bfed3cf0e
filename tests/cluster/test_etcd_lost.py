"""A member of etcd may be lost unnoticed; without most of them, there is no primary."""

from pathlib import Path
from time import monotonic

from tests.cluster.cluster import Cluster
from tests.cluster.drill import TTL, all_is_right, drill
from tests.cluster.hosts import Hosts
from tests.support.waiting import wait_until


def test_a_member_of_etcd_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        cluster.kill_etcd(1)
        running.wait_for(TTL)
        running.wait_for_progress()
    all_is_right(running, "a member of etcd killed")
    assert running.outage() < TTL


def test_most_of_etcd_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        lost_at = monotonic()
        for number in (1, 2):
            cluster.kill_etcd(number)
        wait_until(lambda: running.unready_since(lost_at) is not None)
        running.wait_for(5)
    all_is_right(running, "most of etcd killed")
