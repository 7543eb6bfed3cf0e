"""What befalls a cluster loses nothing that was acknowledged, and doubles nothing."""

from pathlib import Path
from time import monotonic

from application.eventstore.append_turn import CommitsHang
from tests.cluster.cluster import Cluster
from tests.cluster.drill import all_is_right, another_primary, drill
from tests.cluster.hosts import Hosts
from tests.support.examples import calendar_json
from tests.support.waiting import wait_until

TTL = 20
"""Seconds after which a primary that vanished is replaced, as the template has it."""
ACCEPTED = TTL + 5
UNNOTICED = 5
"""Seconds without a success while there is a primary with a standby, on a busy machine."""
NOTICED = 15
"""Seconds after which /readyz says that writes do not get through."""


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
    assert running.first_success(killed_at + TTL) - killed_at <= ACCEPTED


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


def test_both_standbys_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    hosts.first.new_calendar()  # with a key, which nobody can make meanwhile
    with drill(cluster, hosts, tmp_path) as running:
        primary = cluster.the_primary()
        for node in cluster.nodes:
            if node is not primary:
                cluster.kill(node)
        gone_at = monotonic()
        wait_until(lambda: running.unready_since(gone_at) is not None)
        answer = hosts.first.post("/calendars", calendar_json())
        running.wait_for(5)
        back_at = monotonic()
    all_is_right(running, "both standbys killed")
    assert (answer.status_code, answer.json["detail"]) == (503, CommitsHang.__doc__)
    assert running.successes(gone_at + 1, back_at) == []
    unready = running.unready_since(gone_at)
    assert unready is not None
    assert unready.at - gone_at <= NOTICED
    assert "standby" in unready.text


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


def test_pgbouncer_killed(cluster: Cluster, hosts: Hosts, tmp_path: Path) -> None:
    with drill(cluster, hosts, tmp_path) as running:
        cluster.kill_pgbouncer()
        running.wait_for(2)
        cluster.start_pgbouncer()
        wait_until(hosts.are_ready)
    all_is_right(running, "PgBouncer killed and started again")


def test_a_switchover_while_the_standbys_are_far_away(
    cluster: Cluster, hosts: Hosts, tmp_path: Path
) -> None:
    with cluster.far_away(), drill(cluster, hosts, tmp_path) as running:
        cluster.switch_over()
        running.wait_for_progress()
        cluster.kill_postgres(cluster.the_primary())
        running.wait_for_progress()
    all_is_right(running, "switchover and PostgreSQL killed, with commits of 5 ms")
