"""Signs checkpoints of the log, one process at a time."""

from collections.abc import Callable
from datetime import datetime

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import snapshot
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import root_of
from application.proofs.verifier import Checkpoint
from domain.errors import AdmitOneError
from projections.evidence.checkpoint_store import CheckpointStore, Leaf
from projections.evidence.log_leaves import leaves_of_log
from projections.views.transparency_log import leaf_hashes, tile_reader, tree_size

MOST_LEAVES = 10_000
"""New leaves under one checkpoint, so that a first one takes no more memory than any other."""


class HistoryChanged(AdmitOneError):
    """The log does not lead to the last checkpoint: run `admitone audit verify`."""

    def __init__(self, position: int | None = None) -> None:
        """`position` is the first at which the log is not as recorded, if that is known."""
        self.position = position
        if position is None:
            super().__init__()
        else:
            super().__init__(
                f"The log is not as it was recorded at position {position}:"
                " run `admitone audit verify`."
            )


def sign_due(
    conn: Connection[DictRow], signer: CheckpointSigner, store: CheckpointStore, *, now: datetime
) -> Checkpoint | None:
    """Signs the tree and stores the checkpoint, if the tree has grown since the last one.

    A checkpoint covers at most 10,000 leaves more than the last. Returns None if nothing is
    left to sign. The new events are hashed as the log has them now. Raises `HistoryChanged` if one
    of them is not what the tree has, or if the tree did not grow out of the last checkpoint;
    `CheckpointDamaged` if that is not as it was signed; `SigningElsewhere` and
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
        leaves = _unchanged_leaves(conn, position, range(signed_size, size))
        signed = Checkpoint(signer.name, size, root_of(size, read_tile), leaves[-1][0], now)
        text = signer.sign(signed.size, signed.root, signed.position, signed.time)
        store.add(text, signed, leaves)
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


def _unchanged_leaves(conn: Connection[DictRow], after: int, indices: range) -> list[Leaf]:
    """Hashes the log after a position, and returns its leaves at these indices of the tree.

    Raises `HistoryChanged` if they are not what the tree has, which was built when the events
    were recorded.
    """
    leaves = leaves_of_log(conn, after, len(indices))
    expected = leaf_hashes(conn, indices)
    for (position, leaf_hash), recorded in zip(leaves, expected, strict=False):
        if leaf_hash != recorded:
            raise HistoryChanged(position)
    if len(leaves) < len(indices):
        raise HistoryChanged(leaves[-1][0] + 1 if leaves else after + 1)
    return leaves
