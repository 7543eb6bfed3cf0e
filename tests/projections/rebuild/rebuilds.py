"""Helpers for the tests of rebuilds."""

from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.mapper import JSONMapper
from projections.catalogue import CATALOGUE, projection_named
from projections.rebuild import rebuild, throttle
from projections.rebuild.jobs import REBUILD, RebuildJob
from projections.rebuild.rebuild import Rebuild
from tests.projections.unreadable_events import TABLES

LINKS = projection_named("link_list")
mapper = JSONMapper()


def rebuilt(conninfo: str, *names: str, kind: str = REBUILD, **more: Any) -> list[RebuildJob]:
    """Rebuilds these views, or all."""
    chosen = [projection_named(name) for name in names] or list(CATALOGUE)
    return Rebuild(conninfo, chosen, mapper, kind=kind, **more).run()


def take(monkeypatch: pytest.MonkeyPatch, batch_size: int) -> None:
    """Sets the number of events in a batch, and no pauses."""
    for module, name in (
        (rebuild, "BATCH_SIZE"),
        (throttle, "BATCH_SIZE"),
        (throttle, "GENTLE_BATCH_SIZE"),
    ):
        monkeypatch.setattr(module, name, batch_size)
    monkeypatch.setattr(throttle, "REST", 0.0)


def tamper(conn: Connection[DictRow]) -> None:
    """Changes, deletes and adds rows in the views."""
    conn.execute("UPDATE calendar_list_v2 SET version = 99")
    conn.execute("UPDATE link_list_v3 SET issued_at = issued_at + interval '1 hour'")
    conn.execute("DELETE FROM link_list_v3_bookings")
    conn.execute(
        """INSERT INTO booking_calendar_v2 SELECT gen_random_uuid(), link_id, owner_id,
        calendar_id, slot_start, slot_end, 0, 0, status, calendar_version, version, changed_at,
        NULL, NULL, NULL FROM booking_calendar_v2 LIMIT 1"""
    )


def shape(conn: Connection[DictRow]) -> list[DictRow]:
    """Returns columns, constraints, indexes and storage options of the live tables."""
    return conn.execute(
        """SELECT c.relname, c.reloptions::text, c.relpersistence::text,
            array(SELECT (attname, atttypid::regtype, attnotnull)::text FROM pg_attribute
                WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum) AS columns,
            array(SELECT pg_get_indexdef(indexrelid) FROM pg_index
                WHERE indrelid = c.oid ORDER BY 1) AS indexes
        FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname = ANY(%s) ORDER BY 1""",
        ([table.name for table in TABLES],),
    ).fetchall()


def states(conn: Connection[DictRow]) -> list[str]:
    return [row["state"] for row in conn.execute("SELECT state FROM rebuilds ORDER BY name")]


def schemas(conn: Connection[DictRow], prefix: str) -> int:
    (row,) = conn.execute(
        "SELECT count(*) AS n FROM pg_namespace WHERE starts_with(nspname, %s)", (prefix,)
    ).fetchall()
    count: int = row["n"]
    return count


class Killed(BaseException):
    """An exception that nothing catches."""


def die(_: object) -> None:
    """Kills a rebuild that reports to it."""
    raise Killed
