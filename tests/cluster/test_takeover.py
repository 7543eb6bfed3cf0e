"""If a projector or sender is killed, another goes on."""

from pathlib import Path
from time import monotonic

import psycopg

from tests.cluster.cluster import Cluster
from tests.cluster.drill import drill, first_after
from tests.cluster.figures import say
from tests.cluster.hosts import Hosts
from tests.support.waiting import wait_until

SECONDS = 5.0
APPLICATIONS = {"projector": "admitone projector", "sender": "admitone senders"}


def test_projectors_and_senders_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    killed: list[tuple[str, float]] = []
    with drill(cluster, hosts, tmp_path) as running:
        # The other projector stands by; the other sender is at work as well.
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
        after = first_after(running.moved if name == "projector" else running.mailed, at) - at
        text = f"  {name}: {after:.1f} s"
        if name == "sender":
            text += f", claims after {first_after(running.claimed, at) - at:.1f} s"
        say(text)
        assert after <= SECONDS, name


def wait_until_connected(cluster: Cluster, name: str) -> None:
    """Waits until two projectors, or senders of mail, are seen at once.

    A projector that stands by connects for a moment once a second, so nothing else is done between
    two looks.
    """
    with psycopg.connect(cluster.balanced(2), autocommit=True) as conn:
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        names = (APPLICATIONS[name],)
        wait_until(lambda: conn.execute(count, names).fetchall() == [(2,)], 180)
