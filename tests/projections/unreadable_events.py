"""Makes events of the log unreadable, and says which events have to be parked then."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import DictRow

from projections.catalogue import CATALOGUE
from projections.engine import positions
from projections.engine.projection import Projection
from projections.views.transparency_log import TILES
from tests.support.log_trigger import writable_log

# The transparency log takes what the log holds as it is: it has nothing to park.
VIEWS = [projection for projection in CATALOGUE if projection.handlers]
NAMES = [projection.name for projection in CATALOGUE]
TABLES = [table for projection in VIEWS for table in projection.tables]
GARBLED = b"?"

Views = dict[str, list[dict[str, Any]]]


@contextmanager
def unreadable(
    conn: Connection[DictRow], at: Collection[int], state: bytes = GARBLED
) -> Iterator[None]:
    """Replaces the states of the events at these positions within the block."""
    states = conn.execute(
        "SELECT notification_id AS at, state FROM stored_events WHERE notification_id = ANY(%s)",
        (list(at),),
    ).fetchall()
    assert len(states) == len(at)
    with writable_log(conn):
        for row in states:
            set_state(conn, row["at"], state)
    try:
        yield
    finally:
        with writable_log(conn):
            for row in states:
                set_state(conn, row["at"], row["state"])


def set_state(conn: Connection[DictRow], position: int, state: bytes) -> None:
    """Replaces the state of an event, within `writable_log`."""
    conn.execute(
        "UPDATE stored_events SET state = %s WHERE notification_id = %s", (state, position)
    )


def empty_all_views(conn: Connection[DictRow]) -> None:
    """Empties all views and sets their positions to 0."""
    for table in [*TABLES, TILES]:
        conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table.name)))
    conn.execute("TRUNCATE parked_events")
    for name in NAMES:
        positions.advance(conn, name, 0)


def rows(conn: psycopg.Connection[DictRow]) -> Views:
    """Returns all views, row for row."""
    return {
        table.name: conn.execute(
            sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(table.name))
        ).fetchall()
        for table in TABLES
    }


def parked(conn: Connection[DictRow], name: str) -> dict[int, bool]:
    """Returns the parked positions of a view in order, with True for an error of their own."""
    rows = conn.execute(
        "SELECT * FROM parked_events WHERE generation = %s ORDER BY position", (name,)
    )
    return {row["position"]: row["error"] is not None for row in rows}


def history_of_each(conn: Connection[DictRow]) -> dict[int, str]:
    """Returns the id of the history that each event belongs to, worked out independently."""
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
    """Returns what has to be parked when the events at these positions cannot be applied."""
    told_by = history_of_each(conn)
    topics = conn.execute("SELECT position, topic FROM log ORDER BY position").fetchall()
    found: dict[int, bool] = {}
    still: set[str] = set()
    for line in topics:
        position, history = line["position"], told_by[line["position"]]
        if line["topic"] not in projection.handlers:
            continue
        if history in still:
            found[position] = False
        elif position in poison:
            still.add(history)
            found[position] = True
    return found
