"""The schema is applied step by step, once, and all or nothing."""

from collections.abc import Callable
from importlib.resources import files
from threading import Thread

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application import schema
from interface.bootstrap import apply_schema

STEPS = sorted(file.name for file in files(schema).iterdir() if file.name.startswith("0"))


@pytest.fixture
def empty_database(server: str, new_database: Callable[[], str]) -> str:
    """A database without a single table of ours."""
    conninfo = new_database()
    with psycopg.connect(conninfo) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")
    return conninfo


def connect(conninfo: str) -> Connection[DictRow]:
    return psycopg.connect(conninfo, row_factory=dict_row)


def shape(conninfo: str) -> list[DictRow]:
    """All columns and indexes of all tables."""
    with connect(conninfo) as conn:
        return conn.execute(
            """SELECT c.relname, c.relkind, attname, format_type(atttypid, atttypmod),
                attnotnull, pg_get_expr(adbin, adrelid), pg_get_indexdef(c.oid)
            FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
            LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
            WHERE relnamespace = 'public'::regnamespace ORDER BY relname, attnum"""
        ).fetchall()


def test_an_empty_database_gets_every_step_in_order(empty_database: str) -> None:
    with connect(empty_database) as conn:
        assert schema.missing_steps(conn) == STEPS
        assert schema.apply(conn) == STEPS
        assert schema.missing_steps(conn) == []


def test_applying_the_schema_again_does_nothing(empty_database: str) -> None:
    assert apply_schema(empty_database) == STEPS
    once = shape(empty_database)
    assert apply_schema(empty_database) == []
    assert shape(empty_database) == once


def test_only_the_missing_step_is_applied(empty_database: str) -> None:
    with connect(empty_database) as conn:
        schema.apply(conn)
        conn.execute("DROP TABLE api_keys, accounts CASCADE")
        conn.execute("DELETE FROM schema_steps WHERE name = '0002_accounts.sql'")
        assert schema.missing_steps(conn) == ["0002_accounts.sql"]
        assert schema.apply(conn) == ["0002_accounts.sql"]


def test_a_step_that_fails_leaves_nothing_behind(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "missing_steps", lambda _: [STEPS[0], "9999_not_there.sql"])
    with pytest.raises(FileNotFoundError), connect(empty_database) as conn:
        schema.apply(conn)
    monkeypatch.undo()
    with connect(empty_database) as conn:
        assert schema.missing_steps(conn) == STEPS
    assert shape(empty_database) == []


def test_of_two_concurrent_applications_the_second_waits_and_does_nothing(
    empty_database: str,
) -> None:
    done: dict[str, list[str]] = {}
    with connect(empty_database) as first:
        done["first"] = schema.apply(first)
        second = Thread(target=lambda: done.update(second=apply_schema(empty_database)))
        second.start()
        with connect(empty_database) as witness:
            while not witness.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                assert second.is_alive()
        assert list(done) == ["first"]
        first.commit()
        second.join()
    assert done == {"first": STEPS, "second": []}
