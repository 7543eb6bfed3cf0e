"""The status of every view: how far it is behind the log, and what needs an operator."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import event_log
from application.eventstore.database import Database
from projections.catalogue import CATALOGUE
from projections.engine import lag
from projections.engine.projection import Projection
from projections.rebuild import jobs
from projections.rebuild.jobs import RebuildJob


@dataclass(frozen=True)
class ViewStatus:
    """A view or a reaction compared with the log.

    `lag_events` counts the events that it has not seen (`lag.MOST_COUNTED` at most),
    `lag_seconds` is the age of the oldest of them. `parked` events could not be applied,
    `waiting` ones wait for those. `rebuild` is the newest rebuild or verification, running or
    not.
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
        """`parked` if somebody has to act, `behind` if the log has newer events, or else `live`."""
        if self.parked:
            return "parked"
        return "behind" if self.lag_events else "live"


def statuses(database: Database, followers: Sequence[Projection] = CATALOGUE) -> list[ViewStatus]:
    """Returns the status of each view of this version, or of these reactions, in their order."""
    names = [follower.name for follower in followers]
    return database.in_snapshot(lambda conn: _statuses(conn, names))


def _statuses(conn: Connection[DictRow], names: Sequence[str]) -> list[ViewStatus]:
    head, newest = event_log.head(conn), jobs.newest(conn)
    # Parked events have an error; those that wait for them do not.
    rows = conn.execute(
        f"""SELECT lag.*,
            (SELECT count(error) FROM parked_events WHERE generation = lag.name) AS parked,
            (SELECT count(*) - count(error) FROM parked_events WHERE generation = lag.name)
                AS waiting
        FROM ({lag.LAG}) AS lag""".encode(),  # noqa: S608 - a constant
        (list(names),),
    )
    by_name = {
        row["name"]: ViewStatus(
            name=row["name"],
            position=row["position"],
            head=head,
            lag_events=row["events"],
            lag_seconds=row["seconds"],
            parked=row["parked"],
            waiting=row["waiting"],
            rebuild=newest.get(row["name"]),
        )
        for row in rows
    }
    return [by_name[name] for name in names if name in by_name]
