"""What an operator wants to know of the views, at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import DictRow

from application.database import Database
from projections import generations, lag
from projections.generations import Generation
from projections.projection import Projection
from projections.runner import LOCK


@dataclass(frozen=True)
class ViewStatus:
    """A view beside the log.

    `lag_events` are those that it has not seen (`lag.MOST_COUNTED` at most), `lag_seconds` the
    age of the oldest of them. `parked` events could not be applied, `waiting` ones stand behind
    those. `rebuild` is the newest rebuild or verification, running or not.
    """

    name: str
    position: int
    head: int
    lag_events: int
    lag_seconds: float
    parked: int
    waiting: int
    rebuild: Generation | None

    @property
    def state(self) -> str:
        """`parked` (somebody has to act), `behind` the log at this moment, or `live`."""
        if self.parked:
            return "parked"
        return "behind" if self.lag_events else "live"


def statuses(database: Database, projections: Sequence[Projection]) -> list[ViewStatus]:
    """The status of each view, in the order given."""
    return database.repeat(lambda conn: _statuses(conn, projections))


def _statuses(conn: Connection[DictRow], projections: Sequence[Projection]) -> list[ViewStatus]:
    names = [projection.name for projection in projections]
    newest = generations.newest(conn)
    # Parked events carry their error; those that wait behind them do not.
    rows = conn.execute(
        f"""SELECT lag.*,
            (SELECT coalesce(max(notification_id), 0) FROM stored_events) AS head,
            (SELECT count(error) FROM parked_events WHERE generation = lag.name) AS parked,
            (SELECT count(*) - count(error) FROM parked_events WHERE generation = lag.name)
                AS waiting
        FROM ({lag.LAG}) AS lag""".encode(),  # noqa: S608 - a constant
        (names,),
    )
    found = {
        row["name"]: ViewStatus(
            name=row["name"],
            position=row["position"],
            head=row["head"],
            lag_events=row["events"],
            lag_seconds=row["seconds"],
            parked=row["parked"],
            waiting=row["waiting"],
            rebuild=newest.get(row["name"]),
        )
        for row in rows
    }
    return [found[name] for name in names if name in found]


def is_projector_at_work(database: Database) -> bool:
    """Whether somebody keeps the views up."""
    row = database.fetch_one(
        """SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid = 0 AND objid = %s::bigint::oid AND objsubid = 1) AS is_at_work""",
        (LOCK,),
    )
    return row is not None and bool(row["is_at_work"])
