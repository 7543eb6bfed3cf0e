"""A server that restarts, is demoted, or has lost its standby."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg.conninfo import conninfo_to_dict

from application.eventstore import group_commit, write_probe
from application.eventstore import recorder as recorder_module
from application.eventstore.append_turn import CommitsHang
from application.eventstore.database import Database
from application.eventstore.deadline import deadline
from application.eventstore.recorder import EventRecorder, Unconfirmed
from application.eventstore.write_probe import WriteProbe
from domain.errors import Unavailable
from interface.bootstrap import apply_schema
from interface.runtime.embedded_postgres import EmbeddedPostgres
from tests.application.eventstore.turns import one_leader
from tests.support.stored_rows import log, query, stored
from tests.support.waiting import wait_until

CONNECTIONS = 5
MANY = 80  # callers; if each of them asked why, there would not be time for all
PLENTY = 60.0  # seconds; more than anything takes on a busy machine


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server that nobody else uses, with all tables."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("own") / "postgres") as server:
        apply_schema(server.conninfo)
        yield server


@pytest.fixture
def recorder(own_server: EmbeddedPostgres) -> Iterator[EventRecorder]:
    """A recorder on that server, with several connections."""
    recorder = on(own_server.conninfo)
    yield recorder
    recorder.datastore.close()


def on(conninfo: str) -> EventRecorder:
    database = Database(conninfo, pool_size=CONNECTIONS, max_pool_size=CONNECTIONS)
    database.fetch_one("SELECT 1")
    wait_until(lambda: database.pool.get_stats()["pool_available"] == CONNECTIONS)
    return EventRecorder(database)


def test_the_first_write_and_read_after_a_restart_of_the_server_succeed(
    recorder: EventRecorder, own_server: EmbeddedPostgres
) -> None:
    own_server.stop()
    own_server.start()
    [position] = recorder.insert_events([stored()])
    own_server.stop()
    own_server.start()
    assert recorder.max_notification_id() == position


def test_a_write_during_a_restart_waits_for_the_server(
    recorder: EventRecorder, own_server: EmbeddedPostgres
) -> None:
    event = stored()

    def insert_patiently() -> Sequence[int]:
        with deadline(60):
            return recorder.insert_events([event])

    own_server.stop()
    with deadline(0.3), pytest.raises(Unavailable):
        recorder.insert_events([stored()])
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(insert_patiently)
        errors = recorder.datastore.pool.get_stats()["connections_errors"]
        wait_until(
            lambda: recorder.datastore.pool.get_stats()["connections_errors"] > errors + CONNECTIONS
        )
        own_server.start()
        positions = waiting.result()
    assert log(own_server.conninfo)[-1] == (positions[0], event.originator_id, 1)


@pytest.fixture
def admin(own_server: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    """Somebody who may do anything on that server."""
    with psycopg.connect(own_server.conninfo, autocommit=True) as admin:
        yield admin


@pytest.fixture
def no_standby(admin: psycopg.Connection) -> Iterator[None]:
    """The server waits for a standby that is not there."""
    admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'gone'")
    admin.execute("SELECT pg_reload_conf()")
    yield
    admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
    admin.execute("SELECT pg_reload_conf()")
    wait_until(lambda: not waiting_for_a_standby(admin))


def waiting_for_a_standby(admin: psycopg.Connection) -> list[tuple[int]]:
    return admin.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'").fetchall()


def append_that_waits(
    recorder: EventRecorder, threads: ThreadPoolExecutor, admin: psycopg.Connection
) -> tuple[StoredEvent, Future[Sequence[int]]]:
    """The first append after the server has read its settings."""

    def is_done_or_waits(append: Future[Sequence[int]]) -> bool:
        return append.done() or bool(waiting_for_a_standby(admin))

    while True:
        event = stored()
        append = threads.submit(recorder.insert_events, [event])
        wait_until(partial(is_done_or_waits, append))
        if not append.done():
            return event, append


@pytest.mark.usefixtures("no_standby")
def test_a_wait_for_a_standby_that_somebody_cancels_is_an_unknown_outcome(
    recorder: EventRecorder, own_server: EmbeddedPostgres, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor() as threads:
        event, append = append_that_waits(recorder, threads, admin)
        [(pid,)] = waiting_for_a_standby(admin)
        admin.execute("SELECT pg_cancel_backend(%s)", (pid,))
        with pytest.raises(Unconfirmed):
            append.result()
    assert log(own_server.conninfo)[-1][1] == event.originator_id


@pytest.mark.usefixtures("no_standby")
def test_a_wait_that_is_cancelled_is_an_unknown_outcome_for_all_who_share_the_transaction(
    recorder: EventRecorder, own_server: EmbeddedPostgres, admin: psycopg.Connection
) -> None:
    with ThreadPoolExecutor() as threads, one_leader():
        _, ahead = append_that_waits(recorder, threads, admin)
        events = [stored() for _ in range(3)]
        appends = [threads.submit(recorder.insert_events, [event]) for event in events]
        wait_until(lambda: len(recorder.queue) == len(events))
        for append in (ahead, *appends):
            while not append.done():
                for (pid,) in waiting_for_a_standby(admin):
                    admin.execute("SELECT pg_cancel_backend(%s)", (pid,))
            with pytest.raises(Unconfirmed):
                append.result()
    recorded = {row[1] for row in log(own_server.conninfo)}
    assert {event.originator_id for event in events} <= recorded


@pytest.mark.usefixtures("no_standby")
def test_a_commit_that_hangs_is_unconfirmed_and_named_to_those_behind_it_and_to_operators(
    recorder: EventRecorder, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "PATIENCE", 0.1)  # nearly all of the time is to ask why
    monkeypatch.setattr(write_probe, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(write_probe, "PROBE_SECONDS", PLENTY)
    monkeypatch.setattr(write_probe, "CAUSE_SECONDS", PLENTY)
    probe = WriteProbe(recorder.datastore)
    with ThreadPoolExecutor() as threads:
        _, append = append_that_waits(recorder, threads, admin)
        assert probe.obstacle() == "Commits hang: no synchronous standby confirms them."
        with pytest.raises(CommitsHang):
            recorder.insert_events([stored()])
        with pytest.raises(Unconfirmed):
            append.result()
        for (pid,) in waiting_for_a_standby(admin):
            admin.execute("SELECT pg_cancel_backend(%s)", (pid,))


@pytest.mark.usefixtures("no_standby")
def test_while_a_commit_hangs_all_of_many_writers_are_told_why(
    recorder: EventRecorder, admin: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "STUCK_SECONDS", 0.0)  # whoever may lead does so at once
    monkeypatch.setattr(recorder_module, "PATIENCE", 0.3)
    with ThreadPoolExecutor(1 + MANY) as threads:
        _, ahead = append_that_waits(recorder, threads, admin)
        rivals = [threads.submit(recorder.insert_events, [stored()]) for _ in range(MANY)]
        for rival in rivals:
            with pytest.raises(CommitsHang):
                rival.result()
        for (pid,) in waiting_for_a_standby(admin):
            admin.execute("SELECT pg_cancel_backend(%s)", (pid,))
        with pytest.raises(Unconfirmed):
            ahead.result()


def test_a_server_that_only_reads_is_named_to_operators(
    own_server: EmbeddedPostgres, admin: psycopg.Connection
) -> None:
    admin.execute("TRUNCATE write_probes")
    probe = WriteProbe(
        on(f"{own_server.conninfo} options='-c default_transaction_read_only=on'").datastore
    )
    assert probe.obstacle() == "The database is read-only: nothing can be saved."


@pytest.fixture
def name_and_conninfo(new_database: Callable[[], str]) -> tuple[str, str]:
    """A database of its own."""
    conninfo = new_database()
    return str(conninfo_to_dict(conninfo)["dbname"]), conninfo


def test_a_demoted_server_is_unavailable_and_leaves_nothing(
    name_and_conninfo: tuple[str, str],
) -> None:
    name, conninfo = name_and_conninfo
    query(conninfo, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    recorder = on(conninfo)
    with deadline(0.3), pytest.raises(Unavailable):
        recorder.insert_events([stored()])
    recorder.datastore.close()
    assert log(conninfo) == []


def test_connections_to_a_demoted_server_are_replaced(name_and_conninfo: tuple[str, str]) -> None:
    name, conninfo = name_and_conninfo
    query(conninfo, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    recorder = on(conninfo)
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute("SET default_transaction_read_only = off")
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    positions = recorder.insert_events([stored()])
    recorder.datastore.close()
    assert [row[0] for row in log(conninfo)] == positions
