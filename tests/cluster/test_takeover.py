"""A projector or sender that is killed is replaced by the one that stands by."""

from math import inf
from pathlib import Path
from time import monotonic

import psycopg

from tests.cluster.cluster import Cluster
from tests.cluster.drill import drill
from tests.cluster.figures import say
from tests.cluster.hosts import Hosts
from tests.support.waiting import wait_until

SECONDS = 5.0
APPLICATIONS = {"projector": "admitone projector", "sender": "admitone mail sender"}


def test_projectors_and_senders_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    killed: list[tuple[str, float]] = []
    with drill(cluster, hosts, tmp_path) as running:
        # One of the two was at work, and the new one stands by.
        for name, start in (("projector", hosts.start_projector), ("sender", hosts.start_sender)):
            processes = hosts.projectors if name == "projector" else hosts.senders
            for process in list(processes):
                wait_until_connected(cluster, name)
                process.kill()
                killed.append((name, monotonic()))
                running.wait_for(2 * SECONDS)
                process.wait()
                processes.remove(process)
                start()
                running.wait_for(2 * SECONDS)
    running.report("projectors and senders killed")
    assert running.faults == []
    assert hosts.verify_views() == ""
    for name, at in killed:
        after = after_that(running.moved if name == "projector" else running.mailed, at)
        claimed = f", claims after {after_that(running.claimed, at):.1f} s" * (name == "sender")
        say(f"  {name}: {after:.1f} s{claimed}")
        assert after <= SECONDS, name


def after_that(times: list[float], moment: float) -> float:
    """Returns how long after a moment the next of these times was, in seconds."""
    return min((time for time in times if time > moment), default=inf) - moment


def wait_until_connected(cluster: Cluster, name: str) -> None:
    """Waits until two projectors, or senders of mail, are seen at once.

    A projector that stands by connects for a moment once a second, so nothing else is done between
    two looks.
    """
    with psycopg.connect(cluster.balanced(2), autocommit=True) as conn:
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        names = (APPLICATIONS[name],)
        wait_until(lambda: conn.execute(count, names).fetchall() == [(2,)], 180)
