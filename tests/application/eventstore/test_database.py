"""Connections, their session settings, and deadlines."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg_pool import PoolTimeout

from application.eventstore.conninfo import with_defaults
from application.eventstore.database import Database, PatientConnection
from application.eventstore.deadline import REQUEST_SECONDS, deadline, seconds_left
from application.eventstore.recorder import EventRecorder
from domain.errors import Unavailable
from tests.support.stored_rows import log, query, stored
from tests.support.waiting import wait_until


def sessions(conninfo: str, state: str = "%") -> int:
    """Returns the number of our connections in this state."""
    [(count,)] = query(
        conninfo,
        """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'admitone' AND state LIKE %s""",
        state,
    )
    return int(count)


def test_many_concurrent_writers_share_few_connections(database: Database, conninfo: str) -> None:
    barrier = Barrier(40)

    def together() -> object:
        barrier.wait()
        with deadline(60):
            return EventRecorder(database).insert_events([stored()])

    with ThreadPoolExecutor(40) as threads:
        for written in [threads.submit(together) for _ in range(40)]:
            written.result()
    assert len(log(conninfo)) == 40
    assert sessions(conninfo) <= 5


def test_the_connection_that_was_used_last_is_lent_next(database: Database) -> None:
    with database.checked_out() as one, database.checked_out() as two:
        assert one is not two
    with database.checked_out() as again:
        assert again is one


def test_nobody_is_lent_a_connection_when_no_time_is_left(database: Database) -> None:
    with database.checked_out():
        pass  # now it is idle
    with deadline(0), pytest.raises(PoolTimeout):
        database.take()


def fails(conn: psycopg.Connection[Any]) -> None:
    raise LookupError


def is_killed(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def is_refused(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT 1 / 0")


def takes_too_long(conn: psycopg.Connection[Any]) -> None:
    with deadline(0.1):
        conn.execute("SELECT pg_sleep(1)")


def stands_still(conn: PatientConnection) -> None:
    """The server ends a transaction that nobody goes on with."""
    conn.execute("SET LOCAL idle_in_transaction_session_timeout = '10ms'")
    wait_until(conn.has_hung_up)
    conn.execute("SELECT 1")


@pytest.mark.parametrize(
    ("work", "error"),
    [
        (fails, LookupError),
        (is_killed, Unavailable),
        (is_refused, psycopg.errors.DivisionByZero),
        (takes_too_long, Unavailable),
        (stands_still, Unavailable),
    ],
)
def test_a_transaction_that_fails_in_any_way_leaves_no_connection_in_it(
    work: Callable[[psycopg.Connection[Any]], None], error: type[Exception], conninfo: str
) -> None:
    database = Database(conninfo, max_pool_size=1)

    def transact() -> None:
        with database.connection() as conn:
            conn.execute("BEGIN")
            conn.execute("SELECT pg_current_xact_id()")
            work(conn)

    with pytest.raises(error):
        transact()
    with database.connection() as conn:
        assert conn.info.transaction_status == TransactionStatus.IDLE
        found = conn.execute("SELECT pg_current_xact_id_if_assigned() AS id").fetchone()
    assert found == {"id": None}
    wait_until(lambda: sessions(conninfo, "idle in transaction%") == 0)
    database.close()


def test_a_connection_that_was_closed_while_nobody_used_it_is_not_lent(conninfo: str) -> None:
    database = Database(conninfo, max_pool_size=1)
    with database.checked_out() as first:
        pass
    first.close()
    with database.checked_out() as second:
        assert second.execute("SELECT 1 AS one").fetchone() == {"one": 1}
    assert second is not first
    database.close()


def test_every_session_uses_utc_and_time_outs(
    new_database: Callable[[], str],
) -> None:
    conninfo = new_database()
    name = conninfo_to_dict(conninfo)["dbname"]
    query(conninfo, f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
    database = Database(conninfo)
    EventRecorder(database).insert_events([stored()])
    row = database.fetch_one(
        """SELECT current_setting('timezone') AS zone,
            current_setting('lock_timeout') AS lock,
            current_setting('idle_in_transaction_session_timeout') AS idle, recorded_at,
            extract(epoch FROM recorded_at) AS epoch
        FROM stored_events"""
    )
    database.close()
    assert row is not None
    assert (row["zone"], row["lock"], row["idle"]) == ("UTC", "4500ms", "2s")
    assert row["recorded_at"].isoformat().endswith("+00:00")
    assert row["recorded_at"].timestamp() == pytest.approx(float(row["epoch"]))


def test_the_connection_string_overrides_the_defaults() -> None:
    completed = conninfo_to_dict(
        with_defaults("host=a,b connect_timeout=9 sslmode=require", application_name="tests")
    )
    assert completed["connect_timeout"] == "9"
    assert completed["sslmode"] == "require"
    assert completed["host"] == "a,b"
    assert completed["keepalives_idle"] == "5"
    assert completed["application_name"] == "tests"


def test_an_outer_deadline_limits_the_inner_ones() -> None:
    assert seconds_left() == REQUEST_SECONDS
    with deadline(60):
        with deadline(30):
            assert seconds_left() <= 30
            with deadline(45):
                assert seconds_left() <= 30
        assert 30 < seconds_left() <= 60
    assert seconds_left() == REQUEST_SECONDS


def test_a_deadline_that_has_passed_leaves_nothing() -> None:
    with deadline(0):
        assert seconds_left() == 0


def test_a_statement_waits_for_the_server_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[object] = []
    wait = PatientConnection.wait

    def counted(conn: PatientConnection, *args: Any, **kwargs: Any) -> Any:
        waits.append(conn)
        return wait(conn, *args, **kwargs)

    with database.connection() as conn:  # the pool may open another one meanwhile
        monkeypatch.setattr(PatientConnection, "wait", counted)
        conn.execute("SELECT 1").fetchone()
        assert waits.count(conn) == 1


def test_a_transaction_that_was_left_open_is_ended(database: Database, conninfo: str) -> None:
    with database.connection() as conn:
        conn.execute("BEGIN")
    wait_until(lambda: sessions(conninfo, "idle in transaction") == 0)
    with database.connection() as conn:
        assert conn.info.transaction_status == TransactionStatus.IDLE
