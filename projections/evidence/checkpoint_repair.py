"""Finds out what is wrong with a folder of checkpoints, and mends what can be mended.

Nothing is overwritten or deleted except drafts: what is in the way of the signer gets another name
and stays for whoever wants to know how it came about.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import snapshot
from application.proofs.merkle import root_of
from application.proofs.verifier import Checkpoint, ProofError
from domain.errors import AdmitOneError
from projections.evidence.checkpoint_store import (
    CHECKPOINT,
    LEAVES,
    CheckpointStore,
    Leaf,
    read_leaves,
    size_of,
    write_leaves,
)
from projections.evidence.log_verification import judge, verify
from projections.evidence.security_log_proofs import leaves_after
from projections.views.transparency_log import leaf_hashes, tile_reader, tree_size

SET_ASIDE = ".aside"


class NotAsSigned(AdmitOneError):
    """The log is not as it was signed."""


class CheckpointsUnusable(AdmitOneError):
    """The checkpoints can't be used: run `admitone audit checkpoints repair`."""


@dataclass(frozen=True)
class SetAside:
    """The new names of files that were set aside, and the sizes at which log and signer were."""

    files: list[Path]
    signed: int
    events: int


@dataclass(frozen=True)
class Finding:
    """Something about one file of the folder, in a sentence, and what was done about it.

    `remedy` is None if nothing can or need be done. `is_harmless` tells the one from the other.
    """

    file: Path
    what: str
    remedy: str | None
    is_harmless: bool = False


def repair(
    conn: Connection[DictRow], store: CheckpointStore, *, dry_run: bool = False
) -> list[Finding]:
    """Mends the folder and returns what was found. With `dry_run` it only says what it would do.

    Keeps signers waiting. Raises `SigningElsewhere`, and `OSError` if the folder can't be written.
    """
    with store.signing(), snapshot(conn):
        return list(_Repair(conn, store, dry_run).findings())


def set_aside_after_return(
    conn: Connection[DictRow], conninfo: str, store: CheckpointStore
) -> SetAside:
    """Renames the checkpoints of both logs that are newer than the log, and their leaves.

    For a database that was returned to an earlier moment. Keeps signers waiting. Raises
    `NotAsSigned` if one of the logs is not as the other checkpoints say, `CheckpointsUnusable` if
    one of these is damaged, and `OSError`. In the first two cases nothing is renamed.
    """
    of_security_log = store.of_security_log()
    row = conn.execute("SELECT count(*) AS events FROM stored_events").fetchone()
    events = int(row["events"]) if row else 0
    entries = list(leaves_after(conn, 0))
    signed = max(map(size_of, store.files()), default=0)
    for verdict in (
        verify(conninfo, _covering(store, events)),
        judge(iter(entries), _covering(of_security_log, len(entries)), iter(())),
    ):
        if verdict.fault is not None:
            raise NotAsSigned(
                f"The log is not as it was signed at position {verdict.position}:"
                f" {verdict.fault}. Nothing is set aside."
            )
    files = _set_aside_later(store, events) + _set_aside_later(of_security_log, len(entries))
    return SetAside(files, signed, events)


def covers_more(store: CheckpointStore, *, events: int, entries: int) -> bool:
    """Returns True if a checkpoint covers more events, or entries of the security log, than these.

    Raises `OSError`.
    """
    sizes = (store, events), (store.of_security_log(), entries)
    return any(size_of(file) > size for each, size in sizes for file in each.files())


def _covering(store: CheckpointStore, size: int) -> list[Checkpoint]:
    """Returns the checkpoints that cover no more than this. Raises `CheckpointsUnusable`."""
    signed = []
    for file in store.files():
        if size_of(file) <= size:
            try:
                signed.append(store.read(file).signed)
            except ProofError as error:
                raise CheckpointsUnusable(
                    f"{file} can't be used: {error}. Nothing is set aside. Run `admitone audit"
                    " checkpoints repair` first, which renames it."
                ) from error
    return signed


def _set_aside_later(store: CheckpointStore, size: int) -> list[Path]:
    """Renames the checkpoints of a greater size, and their leaves, and returns the new names."""
    with store.signing():
        later = [file for file in store.files() if size_of(file) > size]
        files = [path for file in later for path in (file, file.with_suffix(LEAVES))]
        return [path.rename(_aside(path)) for path in files if path.exists()]


def _aside(path: Path) -> Path:
    """Returns a name for a file that is set aside. No file has it yet."""
    aside, number = path.with_name(path.name + SET_ASIDE), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}{SET_ASIDE}.{number}")
    return aside


class _Repair:
    def __init__(self, conn: Connection[DictRow], store: CheckpointStore, dry_run: bool) -> None:
        self._conn, self._store, self._dry_run = conn, store, dry_run

    def findings(self) -> Iterator[Finding]:
        yield from self._drafts()
        signed: dict[Path, Checkpoint] = {}
        for file in self._store.files():
            try:
                signed[file] = self._store.read(file).signed
            except ProofError as error:
                yield self._set_aside(file, f"{error}")
        yield from self._leaves_without_checkpoint(signed)
        yield from _contradictions(signed)
        yield from _out_of_order(signed)
        yield from self._leaves(signed)

    def _drafts(self) -> Iterator[Finding]:
        for file in sorted(self._store.folder.glob(f"*/.*{CHECKPOINT}.*")):
            yield self._remove(file)
        for file in sorted(self._store.folder.glob(f"*/.*{LEAVES}.*")):
            yield self._remove(file)

    def _leaves_without_checkpoint(self, signed: dict[Path, Checkpoint]) -> Iterator[Finding]:
        for file in sorted(self._store.folder.glob(f"*/*{LEAVES}")):
            if file.with_suffix(CHECKPOINT) not in signed:
                yield self._set_aside(file, "no checkpoint covers these leaves")

    def _leaves(self, signed: dict[Path, Checkpoint]) -> Iterator[Finding]:
        """Says which leaves are missing, damaged or stored twice, and writes the first two anew."""
        before, count = 0, 0
        for file, checkpoint in signed.items():
            leaves_file = file.with_suffix(LEAVES)
            try:
                known = count - (checkpoint.size - len(read_leaves(leaves_file)))
                fault = f"{-known} leaves are missing" if known < 0 else None
            except FileNotFoundError:
                known, fault = 0, "the leaves are missing"
            except (OSError, ValueError):
                known, fault = 0, "the leaves are cut off or damaged"
            if fault is not None:
                yield self._write_leaves(leaves_file, fault, before, checkpoint)
            elif known > 0 and checkpoint.size > count:
                what = f"{known} leaves are stored twice, which verification allows for"
                yield Finding(leaves_file, what, None, is_harmless=True)
            before = count = max(count, checkpoint.size)

    def _write_leaves(self, file: Path, fault: str, start: int, checkpoint: Checkpoint) -> Finding:
        read_tile = tile_reader(self._conn)
        is_known = tree_size(self._conn) >= checkpoint.size
        if not is_known or root_of(checkpoint.size, read_tile) != checkpoint.root:
            return Finding(file, f"{fault}, and the log does not lead to this checkpoint", None)
        if not self._dry_run:
            if file.exists():
                file.rename(_aside(file))
            write_leaves(file, _leaves_of(self._conn, start, checkpoint))
        return Finding(file, fault, "written again from the log, which leads to this checkpoint")

    def _set_aside(self, file: Path, what: str) -> Finding:
        aside = _aside(file)
        if not self._dry_run:
            file.rename(aside)
        return Finding(file, what, f"renamed to {aside.name}")

    def _remove(self, file: Path) -> Finding:
        if not self._dry_run:
            file.unlink()
        return Finding(file, "a draft of a process that was killed", "removed")


def _contradictions(signed: dict[Path, Checkpoint]) -> Iterator[Finding]:
    """Yields the checkpoints that are signed for another log than one of the same size."""
    roots: dict[int, bytes] = {}
    for file, checkpoint in signed.items():
        if roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            what = "another log of the same size is signed, too: the log was changed in between"
            yield Finding(file, what, None)


def _out_of_order(signed: dict[Path, Checkpoint]) -> Iterator[Finding]:
    """Yields the last checkpoint of each stretch in which the clock was ahead."""
    files = list(signed)
    for file, following in pairwise(files):
        if signed[following].time < signed[file].time and size_of(file) < size_of(following):
            what = "the clock was ahead when this was signed, or was set back since"
            yield Finding(file, what, None, is_harmless=True)


def _leaves_of(conn: Connection[DictRow], start: int, checkpoint: Checkpoint) -> Iterator[Leaf]:
    """Yields the leaves under a checkpoint from the index `start` on, as the tree has them."""
    rows = conn.execute(
        """SELECT notification_id FROM stored_events WHERE notification_id <= %s
        ORDER BY notification_id OFFSET %s""",
        (checkpoint.position, start),
    ).fetchall()
    for row, leaf_hash in zip(rows, leaf_hashes(conn, range(start, checkpoint.size)), strict=True):
        yield row["notification_id"], leaf_hash
