"""Signed heads of the log, kept where the database can't reach them.

A folder for each day (UTC), and in it, named after the size of the tree, a `.checkpoint` and
the `.leaves` that came since the one before: a line each, position and leaf hash. Files are
made once and never written again, so that the folder can be on, or be copied to, storage
that lets nothing be changed.
"""

import logging
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event, Thread

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.checkpoints import Signer
from application.database import with_defaults
from application.merkle import HASH, WIDTH, root_of
from application.proofs import Checkpoint, verify_checkpoint
from domain.errors import AdmitOneError
from projections.transparency_log import tile_reader, tree_size

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
MOST_LEAVES = 50_000  # under one head, so that a first one takes no more memory than any other


class HistoryChanged(AdmitOneError):
    """The log no longer leads to the head that was signed last: run `admitone audit verify`."""


class NoHead(AdmitOneError):
    """No head of the log has been signed yet."""


class HeadsKept:
    """The folder of signed heads."""

    def __init__(self, folder: Path, key: str) -> None:
        """`key` is the public one, in the form of `Signer.verifier_key`."""
        self._folder = folder
        self._key = key

    def newest_text(self) -> str | None:
        """The newest checkpoint as it was signed; None while there is none."""
        for day in sorted(self._folder.glob("*-*-*"), reverse=True):
            if files := sorted(day.glob("*.checkpoint")):
                return files[-1].read_text()
        return None

    def newest(self) -> Checkpoint | None:
        """Raises `ProofError` when it is not as it was signed."""
        text = self.newest_text()
        return None if text is None else self.verified(text)

    def verified(self, text: str) -> Checkpoint:
        """What a checkpoint says. Raises `ProofError` when it is not as it was signed."""
        return verify_checkpoint(text, self._key)

    def all(self) -> list[Checkpoint]:
        """All checkpoints, rising in size. Raises `ProofError`."""
        return [self.verified(file.read_text()) for file in self._files()]

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """Position and hash of every leaf under the newest head, in order."""
        for file in self._files():
            with file.with_suffix(".leaves").open() as lines:
                for line in lines:
                    position, _, leaf_hash = line.partition(" ")
                    yield int(position), bytes.fromhex(leaf_hash)

    def add(self, text: str, head: Checkpoint, leaves: Iterable[tuple[int, bytes]]) -> None:
        """Keep a head; the leaves first, so that no head is without them."""
        day = self._folder / f"{head.time:%Y-%m-%d}"
        day.mkdir(parents=True, exist_ok=True)
        name = f"{head.size:015}"
        lines = (f"{position} {leaf_hash.hex()}\n" for position, leaf_hash in leaves)
        _write(day / f"{name}.leaves", lines)
        _write(day / f"{name}.checkpoint", [text])

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*/*.checkpoint"), key=lambda file: file.name)


def sign_due(
    conn: Connection[DictRow], signer: Signer, kept: HeadsKept, *, now: datetime
) -> Checkpoint | None:
    """Sign the tree, if it has grown since the last head, and keep the new head.

    It has at most 50,000 leaves more than the last; None: nothing is left to be signed.
    Raises `HistoryChanged` when the tree did not grow out of that head.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        before = kept.newest()
        known, position = (0, 0) if before is None else (before.size, before.position)
        size, read_tile = min(tree_size(conn), known + MOST_LEAVES), tile_reader(conn)
        if size < known or (before and root_of(known, read_tile) != before.root):
            raise HistoryChanged
        if size == known:
            return None
        rows = conn.execute(
            """SELECT notification_id FROM stored_events WHERE notification_id > %s
            ORDER BY notification_id LIMIT %s""",
            (position, size - known),
        ).fetchall()
        positions = [row["notification_id"] for row in rows]
        if len(positions) < size - known:
            raise HistoryChanged
        head = Checkpoint(signer.name, size, root_of(size, read_tile), positions[-1], now)
        text = signer.sign(head.size, head.root, head.position, head.time)
        tiles = {n: read_tile(0, n) for n in range(known // WIDTH, (size - 1) // WIDTH + 1)}
        hashes = (_hash_at(tiles, index) for index in range(known, size))
        kept.add(text, head, zip(positions, hashes, strict=True))
        return head


@contextmanager
def signed_at_work(
    conninfo: str,
    signer: Signer,
    kept: HeadsKept,
    is_at_work: Event,
    stop: Event,
    *,
    now: Callable[[], datetime],
) -> Iterator[None]:
    """While the projector is at work, sign what came, every half minute."""
    completed = with_defaults(conninfo, application_name="admitone heads")

    def sign() -> None:
        while not stop.wait(EVERY_SECONDS):
            if not is_at_work.is_set():
                continue
            try:
                with psycopg.connect(completed, autocommit=True, row_factory=dict_row) as conn:
                    while sign_due(conn, signer, kept, now=now()):
                        pass
            except (psycopg.Error, OSError, AdmitOneError, ValueError) as error:
                log.error("no head signed: %s", error)

    thread = Thread(target=sign, name="heads")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _hash_at(tiles: dict[int, bytes], index: int) -> bytes:
    start = HASH * (index % WIDTH)
    return tiles[index // WIDTH][start : start + HASH]


def _write(path: Path, lines: Iterable[str]) -> None:
    """Make a whole file or none; one that is there from a run that was killed is made anew."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with draft.open("x") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
