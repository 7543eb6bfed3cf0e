"""The Merkle tree over all events: what makes a change of the log show.

Leaves are the events as stored, in the order of the log. Positions have gaps, so the tree
counts for itself. How it is hashed: `application.proofs.verifier`; how it is stored:
`application.proofs.merkle`.
"""

from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.event_log import RecordedEvent
from application.proofs.merkle import HASH, WIDTH, Growth, ReadTile
from application.proofs.verifier import Event, leaf_bytes, leaf_hash
from projections.engine.projection import Projection
from projections.engine.tables import Rows, Table

NAME = "transparency_log_v1"
# A tile's number is its level, shifted so far that every index has room, and its index.
LEVEL_BITS = 48

TILES = Table(
    NAME,
    key="tile",
    columns={"tile": "bigint", "first_position": "bigint", "hashes": "bytea"},
    nullable=frozenset({"first_position"}),
)


class TransparencyLog(Projection):
    """A row a tile. Those of level 0 also tell the position of their first leaf's event."""

    name = NAME
    tables = (TILES,)

    def write(self, conn: Connection[DictRow], rows: Rows, batch: Sequence[RecordedEvent]) -> None:
        """Grow the tree by the whole batch, whatever its events say."""
        size = tree_size(conn)
        tree = Growth.of(size, tile_reader(conn))
        changed = tree.append([leaf_of(recorded) for recorded in batch])
        firsts = {
            index: batch[index * WIDTH - size].position
            for level, index in changed
            if level == 0 and index * WIDTH >= size
        }
        conn.execute(
            """INSERT INTO transparency_log_v1 (tile, first_position, hashes)
            SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])
            ON CONFLICT (tile) DO UPDATE SET hashes = excluded.hashes""",
            (
                [number_of(level, index) for level, index in changed],
                [None if level else firsts.get(index) for level, index in changed],
                list(changed.values()),
            ),
            prepare=True,
        )


def number_of(level: int, index: int) -> int:
    """The number of a tile."""
    return (level << LEVEL_BITS) + index


def tree_size(conn: Connection[DictRow]) -> int:
    """How many leaves the tree has."""
    row = conn.execute(
        """SELECT tile, octet_length(hashes) AS length FROM transparency_log_v1
        WHERE tile < %s ORDER BY tile DESC LIMIT 1""",
        (number_of(1, 0),),
        prepare=True,
    ).fetchone()
    return row["tile"] * WIDTH + row["length"] // HASH if row else 0


def tile_reader(conn: Connection[DictRow]) -> ReadTile:
    """Reads tiles of the tree that `conn` sees; nothing for one that is not there."""

    def read_tile(level: int, index: int) -> bytes:
        row = conn.execute(
            "SELECT hashes FROM transparency_log_v1 WHERE tile = %s",
            (number_of(level, index),),
            prepare=True,
        ).fetchone()
        return bytes(row["hashes"]) if row else b""

    return read_tile


def index_of(conn: Connection[DictRow], position: int) -> int | None:
    """Which leaf the event at a position is; None for one that is not in the tree (yet)."""
    row = conn.execute(
        """SELECT tile, octet_length(hashes) / 32 AS leaves,
            (SELECT count(*) FROM stored_events
                WHERE notification_id BETWEEN first_position AND %(position)s) AS place,
            EXISTS (SELECT FROM stored_events WHERE notification_id = %(position)s) AS is_there
        FROM transparency_log_v1 WHERE tile < %(levels)s AND first_position <= %(position)s
        ORDER BY tile DESC LIMIT 1""",
        {"position": position, "levels": number_of(1, 0)},
    ).fetchone()
    if row is None or not row["is_there"] or row["place"] > row["leaves"]:
        return None
    return int(row["tile"] * WIDTH + row["place"] - 1)


def leaf_of(recorded: RecordedEvent) -> bytes:
    """The leaf hash of an event as stored."""
    return leaf_hash(leaf_bytes(*event_of(recorded)))


def event_of(recorded: RecordedEvent) -> Event:
    """The event as proofs speak of it."""
    position, originator_id, version, topic, state, recorded_at = recorded
    return position, originator_id, version, topic, recorded_at, state
