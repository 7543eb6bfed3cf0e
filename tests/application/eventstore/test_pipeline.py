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


def test_the_rows_of_each_query_are_counted_and_values_come_back_as_they_were(
    pipeline: Pipeline,
) -> None:
    changed = Query("UPDATE kept SET word = $1 WHERE id < $2::bigint", ("né", 9))
    with pipeline.transaction([keep(1, b"\x00\xff"), keep(2), changed]) as counts:
        assert counts == [1, 1, 2]
    assert kept(pipeline) == [Kept(1, b"\x00\xff", "né"), Kept(2, None, "né")]
    assert keep(3, b"", "alone").execute(pipeline.conn) == 1
    assert kept(pipeline)[2] == Kept(3, b"", "alone")


def test_a_query_that_fails_takes_all_others_with_it_and_the_connection_goes_on(
    pipeline: Pipeline,
) -> None:
    with (
        pytest.raises(psycopg.errors.UniqueViolation),
        pipeline.transaction([keep(1), keep(1), keep(2)]),
    ):
        pass
    assert kept(pipeline) == []
    with pipeline.transaction([keep(2), keep(3)]):
        pass
    assert [row.id for row in kept(pipeline)] == [2, 3]


def test_a_block_that_raises_rolls_everything_back(pipeline: Pipeline) -> None:
    with pytest.raises(LookupError), pipeline.transaction([keep(1)]):
        raise LookupError
    assert kept(pipeline) == []


def test_statements_that_were_deallocated_meanwhile_are_prepared_again(
    pipeline: Pipeline,
) -> None:
    with pipeline.transaction([keep(1)]):
        pass
    kept(pipeline)
    for number in (2, 3):
        pipeline.conn.execute("DEALLOCATE ALL")
        if number == 2:
            assert len(kept(pipeline)) == 1
        with pipeline.transaction([keep(number)]):
            pass
    assert len(kept(pipeline)) == 3


def test_a_connection_that_is_lost_is_closed(pipeline: Pipeline) -> None:
    end = Query("SELECT pg_terminate_backend(pg_backend_pid())", ())
    with pytest.raises(psycopg.OperationalError), pipeline.transaction([keep(1), end]):
        pass
    assert pipeline.conn.closed
