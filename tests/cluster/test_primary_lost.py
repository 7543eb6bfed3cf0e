"""A primary that is lost, or replaced as planned, takes with it nothing that was acknowledged."""

from pathlib import Path
from time import monotonic

from tests.cluster.cluster import Cluster
from tests.cluster.drill import TTL, all_is_right, another_primary, drill, first_after
from tests.cluster.hosts import Hosts

ACCEPTED = TTL + 5
"""Seconds without a success if only the Patroni of the primary was killed."""


def test_a_planned_switchover(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        cluster.switch_over()
    all_is_right(running, "planned switchover")


def test_postgresql_of_the_primary_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        cluster.kill_postgres(cluster.the_primary())
        running.wait_for_progress()
    all_is_right(running, "PostgreSQL of the primary killed")


def test_the_primary_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        old = cluster.the_primary()
        cluster.kill(old)
        another_primary(cluster, old)
        running.wait_for_progress()
    all_is_right(running, "primary killed")


def test_the_primary_stopped(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        old = cluster.the_primary()
        cluster.freeze(old)
        another_primary(cluster, old)
        running.wait_for_progress()
        cluster.thaw(old)
    all_is_right(running, "primary stopped, and going on later")


def test_the_primary_cut_off(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        old = cluster.the_primary()
        cluster.cut_off(old)
        another_primary(cluster, old)
        running.wait_for_progress()
        cluster.connect_again(old)
    all_is_right(running, "primary cut off, and connected again")


def test_patroni_of_the_primary_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        old = cluster.the_primary()
        cluster.kill_patroni(old)
        killed_at = monotonic()
        another_primary(cluster, old)
        running.wait_for_progress()
    all_is_right(running, "Patroni of the primary killed")
    assert first_after(running.done_at(), killed_at + TTL) - killed_at <= ACCEPTED


def test_the_standby_that_has_most_becomes_the_primary(
    cluster: Cluster, hosts: Hosts, tmp_path: Path
) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        old, (behind, ahead) = cluster.the_primary(), cluster.sync_standbys()
        receiver = cluster.receiver(behind)
        receiver.freeze()
        running.wait_for_progress()
        cluster.kill(old)
        receiver.kill()  # and what had come as far as its socket
        another_primary(cluster, old)
        assert cluster.the_primary() is ahead
        running.wait_for_progress()
    all_is_right(running, "primary killed while a standby was behind")
