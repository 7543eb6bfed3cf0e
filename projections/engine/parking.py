"""Parked events: those that a view could not apply, kept with the error and never skipped.

Events that belong together have the same correlation id: those of a link, of its booking, and
of the agenda about that booking. Once one of them is parked, the later ones are parked too and
wait for it. All other events are applied.

An event is parked for a target: the name of a live view, or the schema of a rebuild.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.link_history import correlation_id_of
from application.eventstore.database import Database
from application.eventstore.event_log import RecordedEvent
from application.eventstore.pipeline import Query

LONGEST_ERROR = 500  # characters
MOST_SHOWN = 20

_FIRST = """SELECT position, topic, error, parked_at, attempts
    FROM parked_events JOIN stored_events ON notification_id = position
    WHERE generation = %s AND error IS NOT NULL ORDER BY position LIMIT %s"""


def blocked(conn: Connection[DictRow], target: str) -> set[UUID]:
    """Returns the correlation ids of parked events: later events with these have to wait."""
    rows = conn.execute(
        "SELECT DISTINCT correlation_id FROM parked_events WHERE generation = %s",
        (target,),
        prepare=True,
    )
    return {row["correlation_id"] for row in rows}


_ANY = """
    SELECT FROM parked_events
    WHERE generation = ANY(string_to_array($1::text, ' ')) LIMIT 1"""


def finding_any(targets: Collection[str]) -> Query:
    """Returns what finds a row, with no columns, if an event is parked for one of these targets.

    `Pipeline.transact` commits only if there is none.
    """
    return Query(_ANY, (" ".join(targets),), rows=0)


def park(
    conn: Connection[DictRow],
    target: str,
    recorded: RecordedEvent,
    error: Exception | None = None,
) -> None:
    """Parks an event because of an `error`, or because it has to wait for a parked one."""
    conn.execute(
        """INSERT INTO parked_events (generation, position, correlation_id, error)
        VALUES (%s, %s, %s, %s) ON CONFLICT (generation, position)
        DO UPDATE SET error = excluded.error, attempts = parked_events.attempts + 1""",
        (target, recorded.position, correlation_id_of(recorded), error and reason(error)),
    )


def reason(error: Exception) -> str:
    """Returns what went wrong in one line, without the row that PostgreSQL would quote."""
    message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = " ".join((message or str(error)).split())
    return f"{type(error).__name__}: {text}"[:LONGEST_ERROR]


def parked(conn: Connection[DictRow], target: str, after: int, limit: int) -> list[int]:
    """Returns the positions of at most `limit` parked events after a position, in order."""
    rows = conn.execute(
        """SELECT position FROM parked_events WHERE generation = %s AND position > %s
        ORDER BY position LIMIT %s""",
        (target, after, limit),
    )
    return [row["position"] for row in rows]


class ParkedEvent(NamedTuple):
    """An event that a view could not apply. Times are UTC."""

    position: int
    topic: str
    error: str
    parked_at: datetime
    attempts: int


def first_parked(database: Database, names: Sequence[str]) -> dict[str, list[ParkedEvent]]:
    """Returns, for each view, the first events that could not be applied.

    Events that only wait for them are left out.
    """
    return {
        name: [ParkedEvent(**row) for row in database.fetch_all(_FIRST, (name, MOST_SHOWN))]
        for name in names
    }


def release(conn: Connection[DictRow], target: str, applied: Collection[int]) -> None:
    """Deletes the parked events at these positions: they are applied now."""
    conn.execute(
        "DELETE FROM parked_events WHERE generation = %s AND position = ANY(%s)",
        (target, list(applied)),
    )


def hand_over(conn: Connection[DictRow], schema: str, name: str) -> None:
    """Replaces the parked events of a live view by those of its rebuild in `schema`."""
    conn.execute("DELETE FROM parked_events WHERE generation = %s", (name,))
    conn.execute("UPDATE parked_events SET generation = %s WHERE generation = %s", (name, schema))
