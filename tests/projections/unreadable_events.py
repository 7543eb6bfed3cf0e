"""A log with events that can't be read, and what has to wait behind them."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from application.eventstore.mapper import JSONMapper
from projections.catalogue import CATALOGUE
from projections.engine import positions
from projections.engine.projection import Projection
from projections.engine.runner import Runner
from projections.views.transparency_log import TILES

# The transparency log takes what the log holds as it is: it has nothing to park.
VIEWS = [projection for projection in CATALOGUE if projection.handlers]
NAMES = [projection.name for projection in CATALOGUE]
TABLES = [table for projection in VIEWS for table in projection.tables]
GARBLED = b"?"

Views = dict[str, list[dict[str, Any]]]


@contextmanager
def history_open(conn: Connection[DictRow]) -> Iterator[None]:
    """While the log may be tampered with."""
    with conn.transaction():
        conn.execute("ALTER TABLE stored_events DISABLE TRIGGER USER")
        yield
        conn.execute("ALTER TABLE stored_events ENABLE TRIGGER USER")


@contextmanager
def spoiled(
    conn: Connection[DictRow], at: Collection[int], state: bytes = GARBLED
) -> Iterator[None]:
    """While the events at these positions are stored in another form."""
    states = conn.execute(
        "SELECT notification_id AS at, state FROM stored_events WHERE notification_id = ANY(%s)",
        (list(at),),
    ).fetchall()
    assert len(states) == len(at)
    with history_open(conn):
        for row in states:
            set_state(conn, row["at"], state)
    try:
        yield
    finally:
        with history_open(conn):
            for row in states:
                set_state(conn, row["at"], row["state"])


def set_state(conn: Connection[DictRow], position: int, state: bytes) -> None:
    """Store another form of an event, while history is open."""
    conn.execute(
        "UPDATE stored_events SET state = %s WHERE notification_id = %s", (state, position)
    )


def begin_again(conn: Connection[DictRow]) -> None:
    """Empty views that have seen nothing."""
    for table in [*TABLES, TILES]:
        conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table.name)))
    conn.execute("TRUNCATE parked_events")
    for name in NAMES:
        positions.advance(conn, name, 0)


def apply_all(conn: Connection[DictRow]) -> None:
    """What a runner does until it has nothing to do."""
    runner = Runner(conn.info.dsn, CATALOGUE, JSONMapper())
    while runner.catch_up(conn):
        pass
    assert runner.stuck == {}


def rows(conn: psycopg.Connection[DictRow]) -> Views:
    """All views, row for row."""
    return {
        table.name: conn.execute(
            sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(table.name))
        ).fetchall()
        for table in TABLES
    }


def parked(conn: Connection[DictRow], name: str) -> dict[int, bool]:
    """The positions that a view has parked, and whether with an error of their own."""
    return {
        row["position"]: row["error"] is not None
        for row in conn.execute("SELECT * FROM parked_events WHERE generation = %s", (name,))
    }


def stories(conn: Connection[DictRow]) -> dict[int, str]:
    """Whose story each event tells, as an auditor would find out."""
    log = conn.execute("SELECT * FROM log ORDER BY position").fetchall()
    links = {
        str(line["id"]): line["data"]["link_id"] for line in log if line["topic"] == "booking.made"
    }
    found = {}
    for line in log:
        subject = str(line["id"])
        if line["topic"].startswith("agenda."):
            subject = line["data"].get("booking_id", subject)
        found[line["position"]] = links.get(subject, subject)
    return found


def expected(
    conn: Connection[DictRow], projection: Projection, poison: Collection[int]
) -> dict[int, bool]:
    """What has to be parked, of an unspoiled log, when the events of `poison` can't be applied."""
    told_by = stories(conn)
    topics = conn.execute("SELECT position, topic FROM log ORDER BY position").fetchall()
    found: dict[int, bool] = {}
    still: set[str] = set()
    for line in topics:
        position, story = line["position"], told_by[line["position"]]
        if line["topic"] not in projection.handlers:
            continue
        if story in still:
            found[position] = False
        elif position in poison:
            still.add(story)
            found[position] = True
    return found
