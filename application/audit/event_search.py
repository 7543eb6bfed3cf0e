"""Searches the log: page by page through one of any length, in about the same time a page."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.replay import Step, steps_without_state
from application.eventstore.event_log import read_at, read_streams
from application.eventstore.mapper import JSONMapper
from application.people.email_address import spellings

MOST_SCANNED = 100_000
"""Positions that one page scans, whatever it searches for."""


@dataclass(frozen=True)
class EventPage:
    """Some events in order; more may follow after `next_after`, unless it is None.

    When few events match, a page may be empty although more pages follow.
    """

    steps: list[Step]
    next_after: int | None


def find_events(
    conn: Connection[DictRow],
    mapper: JSONMapper,
    *,
    after: int,
    limit: int,
    topic: str | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> EventPage:
    """Returns at most `limit` events after a position: of a topic, an actor, [since, until).

    Each event comes as it is, without the state after it.
    """
    end = _last_before(conn, until)
    if since is not None:
        after = max(after, _last_before(conn, since))
    last = min(end, after + MOST_SCANNED)
    positions = _matching(conn, after=after, last=last, limit=limit + 1, topic=topic, actor=actor)
    steps = steps_without_state(conn, read_at(conn, positions[:limit]), mapper)
    if len(positions) > limit:
        return EventPage(steps, positions[limit - 1])
    return EventPage(steps, last if last < end else None)


def find_aggregates(conn: Connection[DictRow], text: str) -> list[UUID]:
    """Returns the ids of links, bookings, calendars or agendas that `text` names.

    `text` is an id, or the e-mail address of an invitee whose data is still stored. At most
    100 ids.
    """
    try:
        aggregate_id = UUID(text.strip())
    except ValueError:
        rows = conn.execute(
            """SELECT DISTINCT originator_id FROM personal_data
            WHERE lower(data->>'email') IN (lower(%s), lower(%s)) LIMIT 100""",
            spellings(text.strip()),
        )
        return [row["originator_id"] for row in rows]
    return [aggregate_id] if read_streams(conn, [aggregate_id])[:1] else []


def _matching(
    conn: Connection[DictRow],
    *,
    after: int,
    last: int,
    limit: int,
    topic: str | None,
    actor: str | None,
) -> list[int]:
    with conn.cursor() as cursor:
        found = cursor.execute(
            """SELECT notification_id FROM stored_events
            WHERE notification_id > %(after)s AND notification_id <= %(last)s
                AND (%(topic)s::text IS NULL OR topic = %(topic)s)
                AND (%(actor)s::bytea IS NULL OR position(%(actor)s in state) > 0)
            ORDER BY notification_id LIMIT %(limit)s""",
            {
                "after": after,
                "last": last,
                "topic": topic,
                # As the mapper writes it: a search of bytes, which takes no parsing.
                "actor": actor and b'"actor":' + msgspec.json.encode(actor),
                "limit": limit,
            },
        )
        return [row["notification_id"] for row in found]


def _last_before(conn: Connection[DictRow], moment: datetime | None) -> int:
    """Returns the position of the last event recorded before a moment, 0 where there is none.

    Binary search: there is no index on time, but times rise with positions unless the
    database's clock is set back.
    """
    row = conn.execute("SELECT max(notification_id) AS position FROM stored_events").fetchone()
    low, high = 0, (row and row["position"]) or 0
    while moment is not None and low < high:
        middle = (low + high) // 2
        event = conn.execute(
            """SELECT notification_id, recorded_at FROM stored_events
            WHERE notification_id > %s ORDER BY notification_id LIMIT 1""",
            (middle,),
            prepare=True,
        ).fetchone()
        if event is None or event["recorded_at"] >= moment:
            high = middle
        else:
            low = event["notification_id"]
    return low if moment is not None else high
