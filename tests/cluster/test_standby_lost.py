"""One standby may be lost at any time; without any, nothing is confirmed."""

from pathlib import Path
from time import monotonic

from application.eventstore.append_turn import CommitsHang
from tests.cluster.cluster import Cluster
from tests.cluster.drill import TTL, all_is_right, drill
from tests.cluster.hosts import Hosts
from tests.support.examples import calendar_json
from tests.support.waiting import wait_until

UNNOTICED = 5
"""Seconds without a success while there is a primary with a standby, on a busy machine."""
NOTICED = 15
"""Seconds after which /readyz says that writes do not get through."""


def test_a_standby_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        cluster.kill(cluster.sync_standbys()[0])
        running.wait_for_progress()
    all_is_right(running, "a standby killed")
    assert running.outage() <= UNNOTICED


def test_a_standby_stopped(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        stopped = cluster.sync_standbys()[0]
        cluster.freeze(stopped)  # which the primary notices only after a minute
        running.wait_for(TTL)
        running.wait_for_progress()
        cluster.thaw(stopped)
    all_is_right(running, "a standby stopped")
    assert running.outage() <= UNNOTICED


def test_both_standbys_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    hosts.first.new_calendar()  # with a key, which nobody can make meanwhile
    with drill(cluster, hosts, tmp_path) as running:
        primary = cluster.the_primary()
        for node in cluster.nodes:
            if node is not primary:
                cluster.kill(node)
        gone_at = monotonic()
        wait_until(lambda: running.unready_since(gone_at, because="standby") is not None)
        answer = hosts.first.post("/calendars", calendar_json())
        running.wait_for(5)
        back_at = monotonic()
    all_is_right(running, "both standbys killed")
    assert (answer.status_code, answer.json["detail"]) == (503, CommitsHang.__doc__)
    assert running.successes(gone_at + 1, back_at) == []
    unready = running.unready_since(gone_at, because="standby")
    assert unready is not None
    assert unready.at - gone_at <= NOTICED
