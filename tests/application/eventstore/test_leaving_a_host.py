"""A host that takes writes and never commits them is left for the one that does.

That is a primary whose cluster manager was killed: nothing stops it, and its standby has become
the primary meanwhile.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from application.eventstore.append_turn import CommitsHang, Refusals, holder
from application.eventstore.database import Database
from application.eventstore.deadline import deadline
from application.eventstore.hosts import Address, Hosts
from application.eventstore.recorder import EventRecorder, Unconfirmed
from application.eventstore.write_probe import WriteProbe
from domain.errors import Busy, Unavailable
from interface.bootstrap import apply_schema
from interface.observability import logs
from interface.runtime import forks, parent_watchdog, primary_loop
from interface.runtime.loaded_service import LoadedService
from interface.settings import Settings
from tests.support.patroni_api import node
from tests.support.postgres_server import PostgresServer
from tests.support.projector import running_projector
from tests.support.stored_rows import query, stored
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A former primary where commits wait for a standby for ever, and the new primary."""
    folder = tmp_path_factory.mktemp("servers")
    former = PostgresServer(folder / "former")
    former.create()
    with former.running() as of_former:
        apply_schema(of_former)
        new = former.copy_to(folder / "new")
        with psycopg.connect(of_former, autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            conn.execute("SELECT pg_reload_conf()")
        with new.running() as of_new:
            yield of_former, of_new
            # So that it can be stopped: a commit that waits does not end by itself.
            with psycopg.connect(of_former, autocommit=True) as conn:
                conn.execute("ALTER SYSTEM RESET synchronous_standby_names")
                conn.execute("SELECT pg_reload_conf()")


def ports(servers: tuple[str, str]) -> list[str]:
    return [str(conninfo_to_dict(each)["port"]) for each in servers]


def both(servers: tuple[str, str]) -> str:
    """The address that names the former primary first."""
    former, new = ports(servers)
    return f"{servers[0]} host=127.0.0.1,127.0.0.1 port={former},{new}"


@pytest.fixture
def database(servers: tuple[str, str]) -> Iterator[Database]:
    """Both hosts, with nothing known about them."""
    database = Database(both(servers), max_pool_size=2)
    yield database
    database.close()


def port_in_use(database: Database) -> str:
    with database.connection() as conn:
        return conn.address.port


def insert_without_an_answer(recorder: EventRecorder, event: StoredEvent) -> None:
    """Appends an event whose commit hangs. A busy machine may not send it within half a second."""
    for seconds in (0.5, 1.0, 2.0, 4.0):
        try:
            with deadline(seconds):
                recorder.insert_events([event])
        except Unconfirmed:
            return
        except (Busy, Unavailable):
            continue
    pytest.fail("The commit got an answer, or was never sent.")


def commits_hang(conninfo: str) -> bool:
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        first = holder(conn)
        return first is not None and first.waits_for_standby


def test_a_commit_without_an_answer_makes_the_next_one_go_to_the_other_host(
    database: Database, servers: tuple[str, str]
) -> None:
    recorder = EventRecorder(database)
    former, new = ports(servers)
    assert port_in_use(database) == former
    event = stored()
    insert_without_an_answer(recorder, event)
    assert recorder.insert_events([event])  # it is not in the log that counts
    assert port_in_use(database) == new
    saved = "SELECT count(*) FROM stored_events WHERE originator_id = %s"
    assert query(servers[1], saved, event.originator_id) == [(1,)]


def test_who_waits_behind_somebody_elses_commit_leaves_too(
    database: Database, servers: tuple[str, str]
) -> None:
    hanging = Database(servers[0], max_pool_size=1)
    if not commits_hang(servers[0]):  # as they do if the test before this one has run
        insert_without_an_answer(EventRecorder(hanging), stored())
    assert commits_hang(servers[0])
    assert isinstance(Refusals(database).refusal(), CommitsHang)
    assert port_in_use(database) == ports(servers)[1]
    hanging.close()


def test_readiness_says_that_commits_hang_and_then_finds_the_other_host(
    database: Database, servers: tuple[str, str]
) -> None:
    probe = WriteProbe(database)
    assert probe.obstacle() == "Commits hang: no synchronous standby confirms them."
    assert WriteProbe(database).obstacle() is None
    assert port_in_use(database) == ports(servers)[1]


def test_the_primary_that_the_cluster_names_is_used_from_the_start(
    servers: tuple[str, str],
) -> None:
    new = ports(servers)[1]
    database = Database(both(servers), find_primary=lambda: Address("127.0.0.1", new))
    assert port_in_use(database) == new
    database.close()


def test_tables_are_made_at_the_primary_that_the_cluster_names(
    servers: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "prepare", lambda: None)  # these change the whole process
    monkeypatch.setattr(logs, "configure", lambda _: None)
    monkeypatch.setenv(parent_watchdog.SUPERVISOR, "")
    for server in servers:
        with psycopg.connect(server, autocommit=True) as conn:
            conn.execute("SET synchronous_commit = local")  # nothing else commits at the former
            conn.execute("CREATE DATABASE without_tables")
    former, new = ports(servers)
    leader = {"role": "leader", "host": "127.0.0.1", "port": int(new)}
    with node(leads=True, cluster={"members": [leader]}) as url:
        address = make_conninfo(both(servers), dbname="without_tables")
        service = LoadedService(Settings(address, data=tmp_path, patroni_urls=(url,)))
        assert conninfo_to_dict(service.owner_url)["port"] == f"{new},{former}"
        service.apply_schema()

    def tables(server: str) -> list[tuple[object]]:
        found = "SELECT to_regclass('stored_events') IS NOT NULL"
        return query(make_conninfo(server, dbname="without_tables"), found)

    assert [tables(server) for server in servers] == [[(False,)], [(True,)]]


def test_a_projector_and_a_pool_follow_the_primary_to_another_host(
    servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing ends their sessions: the former primary still runs."""
    monkeypatch.setattr(primary_loop, "EVERY_SECONDS", 0.01)
    former, new = (Address("127.0.0.1", port) for port in ports(servers))
    named = [former]

    def find_primary() -> Address:
        return named[-1]

    def projectors_at(conninfo: str) -> int:
        ((count,),) = query(
            conninfo,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'admitone projector'",
        )
        return int(count)

    hosts = Hosts(both(servers), find_primary)
    with (
        closing(Database(both(servers), find_primary=find_primary)) as database,
        running_projector(hosts),
    ):
        assert (projectors_at(servers[0]), projectors_at(servers[1])) == (1, 0)
        assert port_in_use(database) == former.port
        stop = Event()
        monkeypatch.setattr(primary_loop, "Event", lambda: stop)  # so that its loop ends as well
        with primary_loop.following(find_primary, [hosts], stop):
            primary_loop.start(find_primary, [database.hosts])  # as web workers do
            named.append(new)
            wait_until(lambda: projectors_at(servers[1]))
            wait_until(lambda: not projectors_at(servers[0]))
            wait_until(lambda: port_in_use(database) == new.port)
