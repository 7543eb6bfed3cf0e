"""While the disk of the database is full nothing is saved, and everybody is told so at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from application.eventstore import write_probe
from application.eventstore.database import Database, DiskFull
from application.eventstore.recorder import EventRecorder, Unconfirmed
from application.eventstore.write_probe import WriteProbe
from interface.bootstrap import apply_schema
from interface.runtime.embedded_postgres import EmbeddedPostgres
from tests.application.eventstore.turns import sharing_a_transaction
from tests.support.database_proxy import Loss, Proxy
from tests.support.small_disk import full, small_disk
from tests.support.stored_rows import log, query, stored


@pytest.fixture
def recorder(proxy: Proxy) -> Iterator[EventRecorder]:
    """Writes through the proxy."""
    database = Database(proxy.conninfo, max_pool_size=3)
    yield EventRecorder(database)
    database.close()


@contextmanager
def no_room_for_events(conninfo: str) -> Iterator[psycopg.Connection]:
    """The server answers as it does when the log can't grow, and counts how often."""
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute("CREATE SEQUENCE refusals")
        admin.execute(
            """CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM nextval('refusals');
                RAISE 'could not extend file' USING ERRCODE = 'disk_full';
            END $$"""
        )
        admin.execute(
            """CREATE TRIGGER no_room BEFORE INSERT ON stored_events
            FOR EACH ROW EXECUTE FUNCTION no_room()"""
        )
        try:
            yield admin
        finally:
            admin.execute("DROP FUNCTION no_room CASCADE")
            admin.execute("DROP SEQUENCE refusals")


def refusals(admin: psycopg.Connection) -> int:
    row = admin.execute("SELECT last_value FROM refusals WHERE is_called").fetchone()
    return row[0] if row else 0


def test_an_append_is_refused_at_the_first_attempt_until_there_is_room(
    recorder: EventRecorder, conninfo: str
) -> None:
    event = stored()
    with no_room_for_events(conninfo) as admin:
        with pytest.raises(DiskFull):
            recorder.insert_events([event])
        assert refusals(admin) == 1
    [position] = recorder.insert_events([event])
    assert log(conninfo) == [(position, event.originator_id, 1)]


def test_all_who_share_a_transaction_are_refused(recorder: EventRecorder, conninfo: str) -> None:
    calls = [partial(recorder.insert_events, [stored()]) for _ in range(3)]
    with no_room_for_events(conninfo) as admin:
        answers = sharing_a_transaction(recorder, conninfo, calls)
        assert refusals(admin) == 2  # theirs, and that of the append they queued behind
    assert [type(answer) for answer in answers] == [DiskFull] * 3


def test_what_was_recorded_before_the_disk_was_full_is_found(
    recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    event = stored()
    with no_room_for_events(conninfo) as admin:
        admin.execute("ALTER TABLE stored_events DISABLE TRIGGER no_room")

        def reply_is_lost_and_then_the_disk_is_full() -> Iterator[Loss]:
            yield Loss.REPLY
            admin.execute("ALTER TABLE stored_events ENABLE TRIGGER no_room")
            yield Loss.NOTHING

        proxy.lose(reply_is_lost_and_then_the_disk_is_full())
        [position] = recorder.insert_events([event])
        assert refusals(admin) == 1
    assert log(conninfo) == [(position, event.originator_id, 1)]


def test_an_append_that_was_lost_before_the_disk_was_full_is_unconfirmed(
    recorder: EventRecorder, proxy: Proxy, conninfo: str
) -> None:
    proxy.lose([Loss.REQUEST])
    with no_room_for_events(conninfo), pytest.raises(Unconfirmed):
        recorder.insert_events([stored()])
    assert log(conninfo) == []


def test_whatever_else_finds_no_room_is_refused_at_the_first_attempt(
    database: Database, conninfo: str
) -> None:
    write = "INSERT INTO stored_events (originator_id, originator_version, topic, state)"
    write += " VALUES (gen_random_uuid(), 1, 'test.happened', '')"
    with no_room_for_events(conninfo) as admin:
        with pytest.raises(DiskFull):
            database.run_idempotent(lambda conn: conn.execute(write))
        with pytest.raises(DiskFull), database.connection() as conn:
            conn.execute(write)
        assert refusals(admin) == 2


def test_a_disk_that_is_really_full_refuses_writes_and_nothing_needs_a_restart_after_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_probe, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(write_probe, "FRESH_SECONDS", 0.0)
    many = [stored(state=f'"{"x" * 1000}"') for _ in range(100)]
    with small_disk(tmp_path / "disk") as disk:
        if disk is None:
            pytest.skip("only root can mount a small disk")
        with EmbeddedPostgres(disk / "postgres") as server:
            apply_schema(server.conninfo)
            database = Database(server.conninfo)
            recorder, probe = EventRecorder(database), WriteProbe(database)
            assert probe.obstacle() is None
            with full(disk):
                with pytest.raises(DiskFull):
                    recorder.insert_events(many)
                assert probe.obstacle() == (
                    "The disk of the database is full: nothing can be saved."
                )
                assert query(server.conninfo, "SELECT 1") == [(1,)]
            assert len(recorder.insert_events(many)) == len(many)
            assert probe.obstacle() is None
            database.close()
