"""The position of each view: how far it has applied the log, and how to wait for it."""

from collections.abc import Collection
from datetime import datetime
from threading import BoundedSemaphore
from time import monotonic, sleep

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.eventstore.pipeline import Query
from domain.errors import ViewBehind

WAIT_SECONDS = 2.0
MOST_WAITING = 2  # at once in a process: a quarter of a web worker's threads
_POLL_SECONDS = 0.004
_places = BoundedSemaphore(MOST_WAITING)


def start(conn: Connection[DictRow], name: str, position: int = 0) -> None:
    """Records a new view at a position, unless it is there."""
    conn.execute(
        "INSERT INTO projection_positions (name, position) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (name, position),
    )


def begun_at(conn: Connection[DictRow], name: str) -> datetime:
    """Returns when a reaction began, by the database's clock. Raises `LookupError`."""
    row = conn.execute(
        "SELECT begun_at FROM projection_positions WHERE name = %s", (name,), prepare=True
    ).fetchone()
    if row is None:
        raise LookupError(f"there is no reaction {name}: run `admitone schema apply`")
    moment: datetime = row["begun_at"]
    return moment


def lock(conn: Connection[DictRow], name: str) -> int:
    """Returns the position of a view, and locks it until the transaction ends.

    Raises `LookupError` if there is no such view.
    """
    row = conn.execute(
        "SELECT position FROM projection_positions WHERE name = %s FOR UPDATE", (name,)
    ).fetchone()
    if row is None:
        raise LookupError(f"there is no view {name}: run `admitone schema apply`")
    position: int = row["position"]
    return position


def advance(conn: Connection[DictRow], name: str, position: int) -> None:
    """Records that the view has applied everything up to `position`."""
    conn.execute("UPDATE projection_positions SET position = %s WHERE name = %s", (position, name))


_MOVE = """
    UPDATE projection_positions SET position = $1::bigint
    WHERE position = $2::bigint AND name = ANY(string_to_array($3::text, ' '))"""


def moving(names: Collection[str], since: int, until: int) -> Query:
    """Returns what moves these views from `since` to `until`; all of them have to stand there.

    It locks them like `lock`.
    """
    return Query(_MOVE, (until, since, " ".join(names)), rows=len(names))


def positions_of(conn: Connection[DictRow]) -> dict[str, int]:
    """Returns the position of each view in the database, by name."""
    rows = conn.execute("SELECT name, position FROM projection_positions", prepare=True)
    return {row["name"]: row["position"] for row in rows}


def all_positions(database: Database) -> dict[str, int]:
    """Like `positions_of`, on a connection of its own."""
    return database.run_idempotent(positions_of)


_STATE = """
    SELECT (SELECT max(notification_id) FROM stored_events) AS head,
        (SELECT string_agg(name || ' ' || position, ', ' ORDER BY name)
            FROM projection_positions WHERE name = ANY(%(names)s)) AS positions,
        (SELECT count(*) FROM parked_events WHERE generation = ANY(%(names)s)) AS parked,
        (SELECT max(finished_at) FROM rebuilds
            WHERE name = ANY(%(names)s)) AS rebuilt"""


def state_of(database: Database, names: Collection[str]) -> tuple[object, ...]:
    """Returns values of which at least one changes whenever the rows of these views may change.

    Personal data are deleted with an event, before the views know: hence the head of the log.
    """
    row = database.fetch_one(_STATE, {"names": list(names)})
    return tuple(row.values()) if row else ()


def wait_for(
    database: Database, names: Collection[str], position: int, *, seconds: float = WAIT_SECONDS
) -> None:
    """Waits until the views show everything up to `position`.

    Raises `ViewBehind` if they don't within `seconds`, or at once if too many wait already.
    """
    if _all_at(database, names, position):
        return
    if not _places.acquire(blocking=False):
        raise ViewBehind
    try:
        ends_at = monotonic() + seconds
        while not _all_at(database, names, position):
            if monotonic() >= ends_at:
                raise ViewBehind
            sleep(_POLL_SECONDS)
    finally:
        _places.release()


def _all_at(database: Database, names: Collection[str], position: int) -> bool:
    row = database.fetch_one(
        "SELECT count(*) AS n FROM projection_positions WHERE name = ANY(%s) AND position >= %s",
        (list(names), position),
    )
    return row is not None and row["n"] == len(names)
