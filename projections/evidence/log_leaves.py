"""Hashes the log as it is stored, whatever somebody did to its rows."""

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.event_log import read, read_at
from application.proofs.merkle import HASH
from projections.evidence.checkpoint_store import Leaf
from projections.views.transparency_log import leaf_of

NO_LEAF = bytes(HASH)  # stands for a row that can't be an event
READ_AT_ONCE = 500  # events


def leaves_of_log(
    conn: Connection[DictRow], after: int, limit: int, *, until: int | None = None
) -> list[Leaf]:
    """Returns the leaves of at most `limit` events after a position, up to the position `until`.

    Never holds many events at once, because they take much more memory than their leaves.
    """
    leaves: list[Leaf] = []
    while len(leaves) < limit:
        wanted = min(READ_AT_ONCE, limit - len(leaves))
        stretch = _stretch(conn, leaves[-1][0] if leaves else after, wanted, until)
        leaves += stretch
        if len(stretch) < wanted:
            break
    return leaves


def _stretch(conn: Connection[DictRow], after: int, limit: int, until: int | None) -> list[Leaf]:
    try:
        return [(row.position, leaf_of(row)) for row in read(conn, after, limit, until=until)]
    except (psycopg.DataError, OverflowError):
        return _one_by_one(conn, after, limit, until)


def _one_by_one(conn: Connection[DictRow], after: int, limit: int, until: int | None) -> list[Leaf]:
    """Does the same for a stretch that holds rows that can't be decoded."""
    rows = conn.execute(
        """SELECT notification_id FROM stored_events
        WHERE notification_id > %s AND notification_id <= coalesce(%s, notification_id)
        ORDER BY notification_id LIMIT %s""",
        (after, until, limit),
    ).fetchall()
    return [(row["notification_id"], _leaf_at(conn, row["notification_id"])) for row in rows]


def _leaf_at(conn: Connection[DictRow], position: int) -> bytes:
    try:
        (recorded,) = read_at(conn, [position])
        return leaf_of(recorded)
    except (psycopg.DataError, OverflowError):
        return NO_LEAF
