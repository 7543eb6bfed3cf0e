"""Finding events: page by page through a log of any length, in about the same time a page."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import DictRow

from application.audit import Step, listed
from application.mapper import JSONMapper

MOST_LOOKED_AT = 100_000
"""Positions that one page looks at, whatever it looks for."""


@dataclass(frozen=True)
class Found:
    """Some events in order; more may follow after `next_after`, None: the log ends there.

    When few events match there may be none on a page, and still more pages.
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
) -> Found:
    """At most `limit` events after a position: of a topic, an actor, a time [since, until)."""
    end = _last_before(conn, until)
    if since is not None:
        after = max(after, _last_before(conn, since))
    last = min(end, after + MOST_LOOKED_AT)
    steps = listed(conn, mapper, after=after, limit=limit + 1, topic=topic, actor=actor, last=last)
    if len(steps) > limit:
        return Found(steps[:limit], steps[limit - 1].recorded.position)
    return Found(steps, last if last < end else None)


def _last_before(conn: Connection[DictRow], moment: datetime | None) -> int:
    """The position of the last event that was recorded before a moment, 0 where there is none.

    By halving, as the log has no index of times: they rise with the positions, as long as
    nobody sets back the database's clock.
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
