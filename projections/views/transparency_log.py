"""The Merkle tree over all events, which makes any change of the log show.

Leaves are the events as stored, in the order of the log. Positions have gaps, so the tree
numbers its leaves itself, from 0. `application.proofs.verifier` says how they are hashed,
`application.proofs.merkle` how the tree is stored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg import Connection, sql
from psycopg.rows import DictRow

from application.eventstore.event_log import RecordedEvent
from application.eventstore.pipeline import Query
from application.proofs.merkle import HASH, WIDTH, Growth, ReadTile, hashes_in
from application.proofs.verifier import Event, leaf_bytes, leaf_hash
from projections.engine.projection import Memory, Projection
from projections.engine.tables import Copy, Rows, Table, Write

NAME = "transparency_log_v1"
# The number of a tile is its level, shifted to make room for every index, plus its index.
LEVEL_BITS = 48


@dataclass
class StoredTile:
    """The columns of a tile: some hashes of one level, one after the other.

    Only tiles of level 0 have `first_position`: that of the event of their first leaf.
    """

    tile: int
    first_position: int | None
    hashes: bytes


TILES = Table(NAME, StoredTile)

# A tile is stored only if it grows from the very hashes that the tree had in it: $4 bytes.
_STORE = f"""
    INSERT INTO {NAME} (tile, first_position, hashes)
    SELECT $1::bigint, $2::bigint, $3::bytea
    WHERE substring($3::bytea FOR $4::integer) = coalesce(
        (SELECT hashes FROM {NAME} WHERE tile = $1::bigint), '')
    ON CONFLICT (tile) DO UPDATE SET hashes = excluded.hashes"""  # noqa: S608 - a constant


class TransparencyLog(Projection):
    """One row for each tile of the tree. It remembers the right edge of the tree."""

    name = NAME
    tables = (TILES,)

    def writes(
        self,
        conn: Connection[DictRow],
        rows: Rows,
        batch: Sequence[RecordedEvent],
        memory: Memory,
    ) -> Sequence[Write | Copy]:
        """Appends the whole batch to the tree, whatever its events say."""
        tree: Growth | None = memory.get("tree")
        if tree is None:
            tree = memory["tree"] = Growth.of(tree_size(conn), tile_reader(conn))
        size = tree.size
        changed = tree.append([leaf_of(recorded) for recorded in batch])
        writes = []
        for (level, index), hashes in changed.items():
            known = hashes_in(level, index, size)
            begins = level == 0 and not known
            first_position = batch[index * WIDTH - size].position if begins else None
            values = number_of(level, index), first_position, hashes, HASH * known
            writes.append(Write(Query(_STORE, values, 1), NAME))
        return writes


def number_of(level: int, index: int) -> int:
    """Returns the number of a tile."""
    return (level << LEVEL_BITS) + index


_LAST_LEAVES = sql.SQL("""
    SELECT tile, octet_length(hashes) AS length FROM {tiles}
    WHERE tile < %s ORDER BY tile DESC LIMIT 1""").format(tiles=TILES.identifier)


def tree_size(conn: Connection[DictRow]) -> int:
    """Returns the number of leaves of the tree."""
    row = conn.execute(
        _LAST_LEAVES,
        (number_of(1, 0),),
        prepare=True,
    ).fetchone()
    return row["tile"] * WIDTH + row["length"] // HASH if row else 0


_TILE = sql.SQL("SELECT hashes FROM {tiles} WHERE tile = %s").format(tiles=TILES.identifier)


def tile_reader(conn: Connection[DictRow]) -> ReadTile:
    """Returns a function that reads tiles of the tree; b"" for a tile that is not there."""

    def read_tile(level: int, index: int) -> bytes:
        row = conn.execute(
            _TILE,
            (number_of(level, index),),
            prepare=True,
        ).fetchone()
        return bytes(row["hashes"]) if row else b""

    return read_tile


def leaf_hashes(conn: Connection[DictRow], indices: range) -> Iterator[bytes]:
    """Yields the leaf hashes of the tree at these indices, in order, as far as there are any."""
    read_tile = tile_reader(conn)
    for tile in range(indices.start // WIDTH, (indices.stop + WIDTH - 1) // WIDTH):
        hashes = read_tile(0, tile)
        first = max(indices.start - tile * WIDTH, 0)
        stop = min(indices.stop - tile * WIDTH, len(hashes) // HASH)
        for place in range(first, stop):
            yield hashes[HASH * place : HASH * (place + 1)]


_LEAF = sql.SQL("""
    SELECT tile, octet_length(hashes) / 32 AS leaves,
        (SELECT count(*) FROM stored_events
            WHERE notification_id BETWEEN first_position AND %(position)s) AS place,
        EXISTS (SELECT FROM stored_events WHERE notification_id = %(position)s) AS is_there
    FROM {tiles} WHERE tile < %(levels)s AND first_position <= %(position)s
    ORDER BY tile DESC LIMIT 1""").format(tiles=TILES.identifier)


def index_of(conn: Connection[DictRow], position: int) -> int | None:
    """Returns the index of the leaf of the event at a position; None if it is not in the tree."""
    row = conn.execute(_LEAF, {"position": position, "levels": number_of(1, 0)}).fetchone()
    if row is None or not row["is_there"] or row["place"] > row["leaves"]:
        return None
    return int(row["tile"] * WIDTH + row["place"] - 1)


def leaf_of(recorded: RecordedEvent) -> bytes:
    """Returns the leaf hash of an event as stored."""
    return leaf_hash(leaf_bytes(*event_of(recorded)))


def event_of(recorded: RecordedEvent) -> Event:
    """Returns an event in the form that proofs have of it."""
    position, originator_id, version, topic, state, recorded_at = recorded
    return position, originator_id, version, topic, recorded_at, state
