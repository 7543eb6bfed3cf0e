"""Events that a view could not take: kept aside with the reason, never skipped in silence.

What happens to a link is one story: the link's own events, its booking's, and those of the
agenda about that booking. The events of a story that come after a parked one wait behind it;
all other stories go on.
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

LONGEST_ERROR = 500
MOST_TOLD = 20

_FIRST = """SELECT position, topic, error, parked_at, attempts
    FROM parked_events JOIN stored_events ON notification_id = position
    WHERE generation = %s AND error IS NOT NULL ORDER BY position LIMIT %s"""


def stories(conn: Connection[DictRow], generation: str) -> set[UUID]:
    """The stories that stand still in a view."""
    rows = conn.execute(
        "SELECT DISTINCT story FROM parked_events WHERE generation = %s",
        (generation,),
        prepare=True,
    )
    return {row["story"] for row in rows}


def park(
    conn: Connection[DictRow],
    generation: str,
    recorded: RecordedEvent,
    error: Exception | None = None,
) -> None:
    """Keep an event aside: for `error`, or because its story stands still already."""
    conn.execute(
        """INSERT INTO parked_events (generation, position, story, error)
        VALUES (%s, %s, %s, %s) ON CONFLICT (generation, position)
        DO UPDATE SET error = excluded.error, attempts = parked_events.attempts + 1""",
        (generation, recorded.position, correlation_id_of(recorded), error and reason(error)),
    )


def reason(error: Exception) -> str:
    """What went wrong, in one line; without the row that PostgreSQL would quote."""
    told = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    text = " ".join((told or str(error)).split())
    return f"{type(error).__name__}: {text}"[:LONGEST_ERROR]


def parked(conn: Connection[DictRow], generation: str, after: int, limit: int) -> list[int]:
    """At most `limit` positions of what is parked, after a position, in order."""
    rows = conn.execute(
        """SELECT position FROM parked_events WHERE generation = %s AND position > %s
        ORDER BY position LIMIT %s""",
        (generation, after, limit),
    )
    return [row["position"] for row in rows]


class ParkedEvent(NamedTuple):
    """An event that a view could not take. Times are UTC."""

    position: int
    topic: str
    error: str
    parked_at: datetime
    attempts: int


def first_parked(database: Database, names: Sequence[str]) -> dict[str, list[ParkedEvent]]:
    """Returns, for each view, the first events that could not be applied.

    Those that wait behind them are left out.
    """
    return {
        name: [ParkedEvent(**row) for row in database.fetch_all(_FIRST, (name, MOST_TOLD))]
        for name in names
    }


def release(conn: Connection[DictRow], generation: str, taken: Collection[int]) -> None:
    """Forget what the view has taken after all."""
    conn.execute(
        "DELETE FROM parked_events WHERE generation = %s AND position = ANY(%s)",
        (generation, list(taken)),
    )


def rename(conn: Connection[DictRow], generation: str, name: str) -> None:
    """The view of a rebuild becomes the live one, with what it parked."""
    conn.execute("DELETE FROM parked_events WHERE generation = %s", (name,))
    conn.execute(
        "UPDATE parked_events SET generation = %s WHERE generation = %s", (name, generation)
    )
