"""The queries of a transaction are sent together, and take effect together or not at all."""

from typing import NamedTuple

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.pipeline import Pipeline, Query

MAKE = "CREATE TEMPORARY TABLE kept (id bigint PRIMARY KEY, data bytea, word text)"


class Kept(NamedTuple):
    """A row of the table."""

    id: int
    data: bytes | None
    word: str | None


@pytest.fixture
def pipeline(conn: Connection[DictRow]) -> Pipeline:
    """A pipeline on a connection that has an empty table."""
    conn.execute(MAKE)
    return Pipeline(conn)


def keep(number: int, data: bytes | None = None, word: str | None = None) -> Query:
    return Query("INSERT INTO kept VALUES ($1::bigint, $2::bytea, $3)", (number, data, word))


def kept(pipeline: Pipeline) -> list[Kept]:
    return pipeline.fetch(Query("SELECT * FROM kept ORDER BY id", ()), Kept._make)


def test_values_come_back_as_they_were(pipeline: Pipeline) -> None:
    changed = Query("UPDATE kept SET word = $1 WHERE id < $2::bigint", ("né", 9))
    pipeline.transact([keep(1, b"\x00\xff"), keep(2), changed])
    assert kept(pipeline) == [Kept(1, b"\x00\xff", "né"), Kept(2, None, "né")]
    assert keep(3, b"", "alone").execute(pipeline.conn) == 1
    assert kept(pipeline)[2] == Kept(3, b"", "alone")


def test_a_query_that_fails_takes_all_others_with_it_and_the_connection_goes_on(
    pipeline: Pipeline,
) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        pipeline.transact([keep(1), keep(1), keep(2)])
    assert kept(pipeline) == []
    pipeline.transact([keep(2), keep(3)])
    assert [row.id for row in kept(pipeline)] == [2, 3]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT FROM kept LIMIT 1", 1),
        ("UPDATE kept SET word = ''", 2),
        ("INSERT INTO kept VALUES (2), (3) ON CONFLICT DO NOTHING", 2),
    ],
)
def test_a_query_with_more_or_fewer_rows_than_it_should_have_rolls_everything_back(
    pipeline: Pipeline, sql: str, rows: int
) -> None:
    pipeline.transact([keep(0)])
    checked = Query(sql, (), rows)
    for wrong in (rows - 1, rows + 1):
        with pytest.raises(psycopg.errors.DivisionByZero):
            pipeline.transact([keep(1), checked._replace(rows=wrong)])
        assert [row.id for row in kept(pipeline)] == [0]
    pipeline.transact([keep(1), checked])
    assert {0, 1} <= {row.id for row in kept(pipeline)}


def test_statements_that_were_deallocated_meanwhile_are_prepared_again(
    pipeline: Pipeline,
) -> None:
    pipeline.transact([keep(1)])
    kept(pipeline)
    for number in (2, 3):
        pipeline.conn.execute("DEALLOCATE ALL")
        if number == 2:
            assert len(kept(pipeline)) == 1
        pipeline.transact([keep(number)])
    assert len(kept(pipeline)) == 3


def test_a_connection_that_is_lost_is_closed(pipeline: Pipeline) -> None:
    end = Query("SELECT pg_terminate_backend(pg_backend_pid())", ())
    with pytest.raises(psycopg.OperationalError):
        pipeline.transact([keep(1), end])
    assert pipeline.conn.closed
