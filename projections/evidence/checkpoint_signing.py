"""Signs checkpoints of the log, one process at a time."""

from collections.abc import Callable
from datetime import datetime

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import snapshot
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import HASH, WIDTH, root_of
from application.proofs.verifier import Checkpoint
from domain.errors import AdmitOneError
from projections.evidence.checkpoint_store import CheckpointStore
from projections.views.transparency_log import tile_reader, tree_size

MOST_LEAVES = 50_000
"""New leaves under one checkpoint, so that a first one takes no more memory than any other."""


class HistoryChanged(AdmitOneError):
    """The log does not lead to the last checkpoint: run `admitone audit verify`."""


def sign_due(
    conn: Connection[DictRow], signer: CheckpointSigner, store: CheckpointStore, *, now: datetime
) -> Checkpoint | None:
    """Signs the tree and stores the checkpoint, if the tree has grown since the last one.

    A checkpoint covers at most 50,000 leaves more than the last. Returns None if nothing is
    left to sign. Raises `HistoryChanged` if the tree did not grow out of the last checkpoint,
    `CheckpointDamaged` if that is not as it was signed, `SigningElsewhere` and
    `CheckpointConflict`.
    """
    # First the lock and then the snapshot: an older one might not have what the last signer saw.
    with store.signing(), snapshot(conn):
        newest = store.newest()
        last = newest.signed if newest else None
        signed_size, position = (last.size, last.position) if last else (0, 0)
        size, read_tile = min(tree_size(conn), signed_size + MOST_LEAVES), tile_reader(conn)
        if size < signed_size or (last and root_of(signed_size, read_tile) != last.root):
            raise HistoryChanged
        if size == signed_size:
            return None
        rows = conn.execute(
            """SELECT notification_id FROM stored_events WHERE notification_id > %s
            ORDER BY notification_id LIMIT %s""",
            (position, size - signed_size),
        ).fetchall()
        positions = [row["notification_id"] for row in rows]
        if len(positions) < size - signed_size:
            raise HistoryChanged
        signed = Checkpoint(signer.name, size, root_of(size, read_tile), positions[-1], now)
        text = signer.sign(signed.size, signed.root, signed.position, signed.time)
        tiles = {n: read_tile(0, n) for n in range(signed_size // WIDTH, (size - 1) // WIDTH + 1)}
        hashes = (_hash_at(tiles, index) for index in range(signed_size, size))
        store.add(text, signed, zip(positions, hashes, strict=True))
        return signed


def sign_all_due(
    conn: Connection[DictRow],
    signer: CheckpointSigner,
    store: CheckpointStore,
    *,
    now: datetime,
    is_stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Signs until nothing is left to sign, or until told to stop. Raises like `sign_due`."""
    while not is_stopped() and sign_due(conn, signer, store, now=now):
        pass


def _hash_at(tiles: dict[int, bytes], index: int) -> bytes:
    start = HASH * (index % WIDTH)
    return tiles[index // WIDTH][start : start + HASH]
