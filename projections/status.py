"""What an operator wants to know of the views, at a glance."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database
from projections.catalogue import CATALOGUE
from projections.engine import lag
from projections.rebuild import jobs
from projections.rebuild.jobs import RebuildJob


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
    rebuild: RebuildJob | None

    @property
    def state(self) -> str:
        """`parked` (somebody has to act), `behind` the log at this moment, or `live`."""
        if self.parked:
            return "parked"
        return "behind" if self.lag_events else "live"


def statuses(database: Database) -> list[ViewStatus]:
    """The status of each view of this version, in the order of the catalogue."""
    return database.run_idempotent(_statuses)


def _statuses(conn: Connection[DictRow]) -> list[ViewStatus]:
    names = [projection.name for projection in CATALOGUE]
    newest = jobs.newest(conn)
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
