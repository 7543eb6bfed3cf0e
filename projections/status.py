"""How every view stands: how far it has come, what it has not seen, what was rebuilt."""

from dataclasses import dataclass

from application.database import Database
from projections.catalogue import CATALOGUE

MOST_COUNTED = 10_001
"""A view that is further behind is this many events behind."""


@dataclass(frozen=True)
class RebuildProgress:
    """A rebuild: `events` of `total` applied in `seconds`."""

    events: int
    total: int
    seconds: float
    state: str


@dataclass(frozen=True)
class ViewStatus:
    """A view beside the log whose newest event is at `head`.

    `lag_seconds` is the age of the oldest event that the view has not seen, 0 without one.
    """

    name: str
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    parked: int
    state: str
    rebuild: RebuildProgress | None


def statuses(database: Database) -> list[ViewStatus]:
    """All views of this version, by name."""
    rows = database.fetch_all(
        """SELECT name, position, head,
            (SELECT count(*) FROM (SELECT FROM stored_events
                WHERE notification_id > position LIMIT %(most)s) AS unseen) AS lag_events,
            (SELECT greatest(0, extract(epoch FROM clock_timestamp() - recorded_at))::float8
                FROM stored_events WHERE notification_id > position
                ORDER BY notification_id LIMIT 1) AS lag_seconds
        FROM projection_positions,
            (SELECT coalesce(max(notification_id), 0) AS head FROM stored_events) AS log
        WHERE name = ANY(%(names)s) ORDER BY name""",
        {"most": MOST_COUNTED, "names": [projection.name for projection in CATALOGUE]},
    )
    return [
        ViewStatus(
            name=row["name"],
            position=row["position"],
            head=row["head"],
            lag_events=row["lag_events"],
            lag_seconds=row["lag_seconds"] or 0.0,
            parked=0,
            state="behind" if row["lag_events"] else "live",
            rebuild=None,
        )
        for row in rows
    ]
