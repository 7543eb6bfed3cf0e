"""Failover after failover under load. `CLUSTER_FAILOVERS` (20) is how many."""

import os
from pathlib import Path
from statistics import median

from tests.cluster.cluster import Cluster
from tests.cluster.drill import TTL, all_is_right, another_primary, drill
from tests.cluster.hosts import Hosts

FAILOVERS = int(os.environ.get("CLUSTER_FAILOVERS") or 20)
WAYS = (Cluster.kill, Cluster.freeze, Cluster.cut_off)

LOOP_WAIT, CHECK, RECONNECT = 2.0, 3.0, 0.5
"""Seconds: Patroni's loop, HAProxy's check with its time-out, between attempts of the pool."""
USUAL = 3.0
"""After the new primary answers, until the next booking."""
FOUND = LOOP_WAIT + CHECK + RECONNECT
"""The same at the latest: the other standby follows, HAProxy finds the primary, and so do we."""
OUTAGE = TTL + LOOP_WAIT + FOUND


def test_many_failovers(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        for number in range(FAILOVERS):
            old = cluster.the_primary()
            WAYS[number % len(WAYS)](cluster, old)
            another_primary(cluster, old)
            running.wait_for_progress()
            cluster.repair()
    all_is_right(running, f"{FAILOVERS} failovers")
    assert len(running.primaries) > FAILOVERS
    found = running.after_promotions(running.done_at())
    assert median(found) <= USUAL
    assert max(found) <= FOUND
    assert running.outage() <= OUTAGE
