"""Signed checkpoints of the log, stored in files that the database can't reach.

Each day (UTC) has a folder. Each checkpoint has two files there, named after the size of the
tree: a `.checkpoint`, and the `.leaves` since the checkpoint before, a line for each with
position and leaf hash. Files are never written a second time, so the folder may be on, or be
copied to, storage that can't be changed.
"""

import os
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import snapshot
from application.proofs.checkpoint_signer import CheckpointSigner
from application.proofs.merkle import HASH, WIDTH, root_of
from application.proofs.verifier import Checkpoint, ProofError, verify_checkpoint
from domain.errors import AdmitOneError, NotFound
from projections.views.transparency_log import tile_reader, tree_size

MOST_LEAVES = 50_000
"""New leaves under one checkpoint, so that a first one takes no more memory than any other."""


class HistoryChanged(AdmitOneError):
    """The log does not lead to the last checkpoint: run `admitone audit verify`."""


class NoCheckpoint(NotFound):
    """No checkpoint of the log has been signed yet."""


class CheckpointDamaged(AdmitOneError):
    """The newest checkpoint is not as it was signed: run `admitone audit verify`."""


class SignedCheckpoint(NamedTuple):
    """A checkpoint: its text as it was signed, and its content."""

    text: str
    signed: Checkpoint


class CheckpointStore:
    """The folder that holds the signed checkpoints."""

    def __init__(self, folder: Path, key: str) -> None:
        """`key` is the public key, in the form of `CheckpointSigner.verifier_key`."""
        self.folder = folder
        self._key = key

    def newest(self) -> SignedCheckpoint | None:
        """Returns the newest checkpoint; None while there is none.

        Raises `CheckpointDamaged` if it is not as it was signed.
        """
        for day in sorted(self.folder.glob("*-*-*"), reverse=True):
            if files := sorted(day.glob("*.checkpoint")):
                text = files[-1].read_text()
                try:
                    return SignedCheckpoint(text, self._verified(text))
                except ProofError as error:
                    raise CheckpointDamaged from error
        return None

    def require_newest(self) -> SignedCheckpoint:
        """Like `newest`, but raises `NoCheckpoint` instead of returning None."""
        newest = self.newest()
        if newest is None:
            raise NoCheckpoint
        return newest

    def all(self) -> list[Checkpoint]:
        """Returns all checkpoints by size. Raises `ProofError` if one is not as it was signed."""
        return [self._verified(file.read_text()) for file in self._files()]

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """Yields position and hash of every leaf under the newest checkpoint, in order."""
        for file in self._files():
            with file.with_suffix(".leaves").open() as lines:
                for line in lines:
                    position, _, leaf_hash = line.partition(" ")
                    yield int(position), bytes.fromhex(leaf_hash)

    def add(self, text: str, signed: Checkpoint, leaves: Iterable[tuple[int, bytes]]) -> None:
        """Stores a checkpoint after its leaves, so that none is ever without them."""
        day = self.folder / f"{signed.time:%Y-%m-%d}"
        day.mkdir(parents=True, exist_ok=True)
        name = f"{signed.size:015}"
        lines = (f"{position} {leaf_hash.hex()}\n" for position, leaf_hash in leaves)
        _write(day / f"{name}.leaves", lines)
        _write(day / f"{name}.checkpoint", [text])

    def _verified(self, text: str) -> Checkpoint:
        return verify_checkpoint(text, self._key)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*/*.checkpoint"), key=lambda file: file.name)


def sign_due(
    conn: Connection[DictRow], signer: CheckpointSigner, store: CheckpointStore, *, now: datetime
) -> Checkpoint | None:
    """Signs the tree and stores the checkpoint, if the tree has grown since the last one.

    A checkpoint covers at most 50,000 leaves more than the last. Returns None if nothing is
    left to sign. Raises `HistoryChanged` if the tree did not grow out of the last checkpoint,
    and `CheckpointDamaged` if that is not as it was signed.
    """
    with snapshot(conn):
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
    conn: Connection[DictRow], signer: CheckpointSigner, store: CheckpointStore, *, now: datetime
) -> None:
    """Signs until nothing is left to sign. Raises like `sign_due`."""
    while sign_due(conn, signer, store, now=now):
        pass


def _hash_at(tiles: dict[int, bytes], index: int) -> bytes:
    start = HASH * (index % WIDTH)
    return tiles[index // WIDTH][start : start + HASH]


def _write(path: Path, lines: Iterable[str]) -> None:
    """Writes a whole file or none. It replaces a file that a killed process left."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with draft.open("x") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
