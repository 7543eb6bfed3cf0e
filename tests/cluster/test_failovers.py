"""Failover after failover under load. `CLUSTER_FAILOVERS` (20) is how many."""

import os
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.cluster.drill import another_primary, drill
from tests.cluster.hosts import Hosts

FAILOVERS = int(os.environ.get("CLUSTER_FAILOVERS") or 20)
WAYS = (Cluster.kill, Cluster.freeze, Cluster.cut_off)


def test_many_failovers(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        for number in range(FAILOVERS):
            old = cluster.the_primary()
            WAYS[number % len(WAYS)](cluster, old)
            another_primary(cluster, old)
            running.wait_for_progress()
            cluster.repair()
    running.report(f"{FAILOVERS} failovers")
    assert running.faults == []
    assert len(running.primaries) > FAILOVERS
    assert hosts.verify_views() == ""
