"""The write probe finds out whether writes get through, and if not, why."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from application.eventstore import write_probe
from application.eventstore.advisory_locks import APPEND
from application.eventstore.database import Database
from application.eventstore.write_probe import WriteProbe
from tests.support.stored_rows import log, query


def be_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits briefly for the turn, and as long as it takes on a busy machine for all else."""
    monkeypatch.setattr(write_probe, "TURN_SECONDS", 0.1)
    monkeypatch.setattr(write_probe, "PROBE_SECONDS", 60.0)
    monkeypatch.setattr(write_probe, "CAUSE_SECONDS", 60.0)


@pytest.fixture
def probe(database: Database, monkeypatch: pytest.MonkeyPatch) -> WriteProbe:
    """A probe that repeats nothing that it found out before."""
    monkeypatch.setattr(write_probe, "KEEP_SECONDS", 0.0)
    be_patient(monkeypatch)
    return WriteProbe(database)


@contextmanager
def held_turn(conninfo: str) -> Iterator[int]:
    """Somebody holds up the log: the process of the server."""
    with psycopg.connect(conninfo, application_name="a stranger") as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND,))
        yield conn.info.backend_pid
        conn.rollback()


def probed_at(conninfo: str) -> object:
    return query(conninfo, "SELECT at FROM write_probes")


def make_it_older(conninfo: str, seconds: float) -> None:
    query(
        conninfo,
        "UPDATE write_probes SET at = at - make_interval(secs => %s) RETURNING at",
        seconds,
    )


def test_writes_that_get_through_leave_no_trace_in_the_log(
    probe: WriteProbe, conninfo: str
) -> None:
    assert probe.obstacle() is None
    assert probed_at(conninfo)
    assert log(conninfo) == []


def test_a_write_that_got_through_lately_is_proof_enough(probe: WriteProbe, conninfo: str) -> None:
    assert probe.obstacle() is None
    once = probed_at(conninfo)
    assert probe.obstacle() is None
    assert probed_at(conninfo) == once
    make_it_older(conninfo, write_probe.FRESH_SECONDS)
    assert probe.obstacle() is None
    assert probed_at(conninfo) != once
    make_it_older(conninfo, -3600)  # a clock that was set back proves nothing
    once = probed_at(conninfo)
    assert probe.obstacle() is None
    assert probed_at(conninfo) != once


def test_who_holds_up_the_log_is_named_and_then_forgotten(probe: WriteProbe, conninfo: str) -> None:
    with held_turn(conninfo) as pid:
        assert probe.obstacle() == (
            f"Process {pid} of the database (a stranger) holds up the log: nothing can be saved."
        )
    assert probe.obstacle() is None


def test_what_the_database_refuses_is_named(probe: WriteProbe, conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as admin:
        admin.execute("ALTER TABLE write_probes RENAME TO elsewhere")
        try:
            assert probe.obstacle() == "The database refuses writes: UndefinedTable: 42P01."
        finally:
            admin.execute("ALTER TABLE elsewhere RENAME TO write_probes")


def test_however_many_ask_one_probes_and_only_once_a_second(
    database: Database, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [100.0]
    monkeypatch.setattr(write_probe, "monotonic", lambda: seconds[0])
    be_patient(monkeypatch)
    probe = WriteProbe(database)
    with held_turn(conninfo), ThreadPoolExecutor(8) as threads:
        assert len({probe.obstacle()} | set(threads.map(lambda _: probe.obstacle(), range(8)))) == 1
        found = probe.obstacle()
    assert found is not None
    assert probe.obstacle() == found
    seconds[0] += write_probe.KEEP_SECONDS
    assert probe.obstacle() is None
