"""Statements that are prepared once, and values in PostgreSQL's binary formats."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.eventstore import wire_format
from application.eventstore.database import Database, PatientConnection
from application.eventstore.deadline import deadline
from application.eventstore.statement import Statement
from application.eventstore.wire_format import (
    BIGINT,
    BIGINTS,
    BYTEAS,
    JSONBS,
    TEXTS,
    UUIDS,
    bigint,
    bigints,
    byteas,
    jsonbs,
    texts,
    uuids,
)
from domain.errors import Unavailable
from tests.support.database_proxy import Proxy
from tests.support.stored_rows import query

TWICE = Statement("twice", "SELECT $1 * 2", [BIGINT])
DIVIDE = Statement("divide", "SELECT 1 / $1", [BIGINT])
SLEEP = Statement("sleep", "SELECT pg_sleep($1)", [BIGINT])
ADD = Statement("add", "INSERT INTO write_probes (at) VALUES (to_timestamp($1))", [BIGINT])
BACK = Statement(
    "back",
    "SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bytea[], $5::jsonb[])",
    [UUIDS, BIGINTS, TEXTS, BYTEAS, JSONBS],
)

in_this_database = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
rows = st.lists(
    st.tuples(
        st.uuids(),
        st.integers(-(2**63), 2**63 - 1),
        st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=9),
        st.binary(max_size=9),
        st.dictionaries(st.text('abc"é'), st.integers(0, 9), max_size=2),
    ),
    max_size=5,
)


def run(
    database: Database, statement: Statement, *values: bytes | None
) -> list[list[bytes | None]]:
    return database.run_idempotent(lambda conn: statement.run(conn, values))


def dumped(document: dict[str, int]) -> bytes:
    return json.dumps(document).encode()


@pytest.fixture
def alone(conninfo: str) -> Iterator[PatientConnection]:
    """A connection without a pool, whose threads would use random numbers between examples."""
    with PatientConnection.connect(conninfo, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize("forget", ["DEALLOCATE ALL", "a rollback"])
def test_a_statement_that_the_server_has_forgotten_is_prepared_again(
    alone: PatientConnection, forget: str
) -> None:
    assert TWICE.run(alone, [bigint(1)]) == [[bigint(2)]]
    if forget == "a rollback":
        alone.prepare_threshold = 0
        with alone.transaction(force_rollback=True):
            alone.execute("SELECT 1")
        alone.execute("SELECT 2")  # psycopg deallocates at its next statement
    else:
        alone.execute("DEALLOCATE ALL")
    assert alone.execute("SELECT FROM pg_prepared_statements WHERE name = 'twice'").rowcount == 0
    assert TWICE.run(alone, [bigint(2)]) == [[bigint(4)]]


@pytest.fixture
def one(conninfo: str) -> Iterator[Database]:
    """The database, with a single connection."""
    database = Database(conninfo, max_pool_size=1)
    yield database
    database.close()


def test_a_statement_is_prepared_once_in_a_connection(database: Database) -> None:
    with database.connection() as conn:
        for number in range(3):
            assert TWICE.run(conn, [bigint(number)]) == [[bigint(number * 2)]]
        found = conn.execute(
            "SELECT name, generic_plans + custom_plans AS runs"
            " FROM pg_prepared_statements WHERE name = 'twice'"
        ).fetchall()
    assert found == [{"name": "twice", "runs": 3}]


def test_a_statement_commits_by_itself_and_returns_no_rows_if_it_has_none(
    database: Database, conninfo: str
) -> None:
    assert run(database, ADD, bigint(1)) == []
    assert query(conninfo, "SELECT extract(epoch FROM at)::int FROM write_probes") == [(1,)]


def test_null_is_none_both_ways(database: Database) -> None:
    assert run(database, TWICE, None) == [[None]]


@in_this_database
@given(rows)
def test_arrays_arrive_as_they_were_sent(
    alone: PatientConnection, rows: list[tuple[UUID, int, str | None, bytes, dict[str, int]]]
) -> None:
    halves = [rows[:2], rows[2:]]
    elements = [
        [uuids([row[0] for row in half]) for half in halves],
        [bigints([row[1] for row in half]) for half in halves],
        [texts([row[2] for row in half]) for half in halves],
        [byteas([row[3] for row in half]) for half in halves],
        [jsonbs([json.dumps(row[4]).encode() for row in half]) for half in halves],
    ]
    values = wire_format.arrays(tuple(BACK.parameters), len(rows), elements)
    found = BACK.run(alone, [*values])
    assert [
        (
            wire_format.as_uuid(id_ or b""),
            wire_format.as_int(number or b""),
            None if text is None else text.decode(),
            blob,
            json.loads((document or b"")[1:]),
        )
        for id_, number, text, blob, document in found
    ] == rows


def test_a_time_arrives_as_it_was_sent_to_the_microsecond(database: Database) -> None:
    time = datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    for moment in (time, time + timedelta(days=9999)):
        compare = Statement(
            f"is {moment}", f"SELECT ($1 = '{moment}')::integer", [wire_format.TIMESTAMPTZ]
        )
        [[is_same]] = run(database, compare, wire_format.timestamptz(moment))
        assert wire_format.as_int(is_same or b"") == 1


def test_an_error_is_psycopgs_and_the_connection_stays_usable(one: Database) -> None:
    with one.connection() as conn:
        pid = conn.info.backend_pid
        with pytest.raises(psycopg.errors.DivisionByZero) as error:
            DIVIDE.run(conn, [bigint(0)])
        assert error.value.diag.message_primary == "division by zero"
        assert DIVIDE.run(conn, [bigint(1)]) == [[bigint(1)]]
        assert conn.info.backend_pid == pid


def test_a_statement_that_cannot_be_prepared_is_prepared_again_next_time(
    database: Database, conninfo: str
) -> None:
    count = Statement("count", "SELECT count(*) FROM no_table_yet", [])
    with database.connection() as conn:
        with pytest.raises(psycopg.errors.UndefinedTable):
            count.run(conn, [])
        query(conninfo, "CREATE TABLE no_table_yet ()")
        try:
            assert count.run(conn, []) == [[bigint(0)]]
        finally:
            query(conninfo, "DROP TABLE no_table_yet")


def test_a_commit_that_is_refused_is_an_error(conninfo: str) -> None:
    with PatientConnection.connect(conninfo, autocommit=True) as conn:
        conn.execute("CREATE TEMPORARY TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        twice = Statement("late", "INSERT INTO late VALUES (1), (1) RETURNING id", [])
        with pytest.raises(psycopg.errors.UniqueViolation):
            twice.run(conn, [])


def test_a_statement_waits_until_the_deadline_and_closes_its_connection(
    one: Database, conninfo: str
) -> None:
    used: list[tuple[PatientConnection, int]] = []

    def sleep(conn: PatientConnection) -> None:
        used.append((conn, conn.info.backend_pid))
        SLEEP.run(conn, [bigint(60)])

    with deadline(0.2), pytest.raises(Unavailable):
        one.run_idempotent(sleep)
    [(conn, pid)] = used
    assert conn.closed
    query(conninfo, "SELECT pg_terminate_backend(%s, 60000)", pid)
    assert run(one, TWICE, bigint(2)) == [[bigint(4)]]


def test_a_statement_on_a_lost_connection_runs_again_on_another(conninfo: str) -> None:
    proxy = Proxy(conninfo)
    distant = Database(proxy.conninfo, max_pool_size=1)
    pids: list[int] = []

    def twice(conn: PatientConnection) -> list[list[bytes | None]]:
        pids.append(conn.info.backend_pid)
        if len(pids) == 1:
            proxy.cut()
        return TWICE.run(conn, [bigint(2)])

    assert distant.run_idempotent(twice) == [[bigint(4)]]
    assert len(set(pids)) == len(pids) > 1
    distant.close()
    proxy.close()


def test_a_session_that_the_server_ends_during_a_statement_is_lost(one: Database) -> None:
    end = Statement("end", "SELECT pg_terminate_backend(pg_backend_pid())", [])
    with one.checked_out() as conn, pytest.raises(psycopg.OperationalError):
        end.run(conn, [])
    assert run(one, TWICE, bigint(2)) == [[bigint(4)]]


def test_notices_reach_the_handlers_of_the_connection(database: Database) -> None:
    warn = Statement("warn", "SELECT pg_cancel_backend(0)", [])
    with database.connection() as conn:
        heard: list[str | None] = []
        conn.add_notice_handler(lambda notice: heard.append(notice.severity_nonlocalized))
        warn.run(conn, [])
    assert heard == ["WARNING"]
