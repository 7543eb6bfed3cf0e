"""Signed checkpoints of the log, stored in files that the database can't reach.

Each day (UTC) has a folder. Each checkpoint has two files there, named after the size of the
tree: a `.checkpoint`, and the `.leaves` since the checkpoint before, a line for each with
position and leaf hash. A file is created once, whole, and never written a second time, so the
folder may be on, or be copied to, storage that can't be changed.

Folders are named by the clock and only keep the number of files in each small. Order comes from
sizes alone, because a clock can be wrong.
"""

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from application.proofs.checkpoint_signer import key_of_security_log
from application.proofs.verifier import Checkpoint, ProofError, require, verify_checkpoint
from domain.errors import AdmitOneError, NotFound, Unavailable

Leaf = tuple[int, bytes]
"""The position of an event, and its leaf hash."""

LOCK_SECONDS = 5.0  # for which a signer waits for another one
CHECKPOINT, LEAVES = ".checkpoint", ".leaves"
SECURITY_LOG = "security"  # a folder
_SIZE_DIGITS = 15
_LOCK_FILE = ".signer"
_CHECKPOINT_NAME = re.compile(rf"\d{{{_SIZE_DIGITS}}}{re.escape(CHECKPOINT)}", re.ASCII)


class NoCheckpoint(NotFound):
    """No checkpoint of the log has been signed yet."""


class CheckpointDamaged(AdmitOneError):
    """The newest checkpoint is not as it was signed: run `admitone audit verify`."""


class CheckpointConflict(AdmitOneError):
    """A file of the new checkpoint exists already: run `admitone audit checkpoints repair`."""


class SigningElsewhere(Unavailable):
    """Another process is signing a checkpoint. Try again shortly."""


class SignedCheckpoint(NamedTuple):
    """A checkpoint: its text as it was signed, and its content."""

    text: str
    signed: Checkpoint


def verify_with_any(text: str, keys: Sequence[str]) -> Checkpoint:
    """Returns the checkpoint in a text that is signed with one of these keys, newest first.

    Raises `ProofError`.
    """
    for key in keys[:-1]:
        with suppress(ProofError):
            return verify_checkpoint(text, key)
    return verify_checkpoint(text, keys[-1])


class CheckpointStore:
    """The folder that holds the signed checkpoints."""

    def __init__(self, folder: Path, *keys: str) -> None:
        """`keys` are the public keys, newest first, in the form of `CheckpointSigner.verifier_key`.

        A checkpoint has to be signed with one of them.
        """
        self.folder = folder
        self._keys = keys

    def of_security_log(self) -> "CheckpointStore":
        """Returns the checkpoints of the security log, in a folder within this one."""
        return CheckpointStore(self.folder / SECURITY_LOG, *map(key_of_security_log, self._keys))

    def newest(self) -> SignedCheckpoint | None:
        """Returns the checkpoint of the greatest size; None while there is none.

        Raises `CheckpointDamaged` if it is not as it was signed.
        """
        name, day = max(self._names(), default=("", ""))
        if not name:
            return None
        try:
            return self.read(self.folder / day / name)
        except ProofError as error:
            raise CheckpointDamaged from error

    def require_newest(self) -> SignedCheckpoint:
        """Like `newest`, but raises `NoCheckpoint` instead of returning None."""
        newest = self.newest()
        if newest is None:
            raise NoCheckpoint
        return newest

    def all(self) -> list[Checkpoint]:
        """Returns all checkpoints by size. Raises `ProofError` if one is not as it was signed."""
        return list(self.each())

    def each(self) -> Iterator[Checkpoint]:
        """Yields all checkpoints by size. Raises `ProofError` at one that is not as signed."""
        return (self.read(file).signed for file in self.files())

    def leaves(self) -> Iterator[Leaf]:
        """Yields position and hash of every leaf under the newest checkpoint, in order.

        Stops before the first that is missing or can't be read. What was stored twice is
        yielded once: versions before 2026-11-27 let two signers work at the same time.
        """
        count = 0
        for file in self.files():
            try:
                leaves = read_leaves(file.with_suffix(LEAVES))
            except (OSError, ValueError):
                return
            known = count - (size_of(file) - len(leaves))
            if known < 0:
                return
            yield from leaves[known:]
            count = max(count, size_of(file))

    @contextmanager
    def signing(self) -> Iterator[None]:
        """Keeps all other signers, of whatever process, waiting during the block.

        Raises `SigningElsewhere` if another one does not finish within 5 seconds. The lock is
        on a file, and not in the database, because it can't be lost while this process lives.
        """
        if not self.folder.is_dir():
            self._create_folder()
        ends_at = monotonic() + LOCK_SECONDS
        with (self.folder / _LOCK_FILE).open("a") as lock:
            while not _has_locked(lock.fileno()):
                if monotonic() > ends_at:
                    raise SigningElsewhere
                sleep(0.05)
            yield

    def add(self, text: str, signed: Checkpoint, leaves: Iterable[Leaf]) -> None:
        """Stores a checkpoint after its leaves, so that none is ever without them.

        Call it within `signing`. Raises `CheckpointConflict` if a file exists with other content.
        """
        day = self.folder / f"{signed.time:%Y-%m-%d}"
        if not day.is_dir():
            create_like_parent(day)
        _flush_folder(self.folder)
        name = f"{signed.size:0{_SIZE_DIGITS}}"
        write_leaves(day / f"{name}{LEAVES}", leaves)
        create_whole(day / f"{name}{CHECKPOINT}", text)

    def _create_folder(self) -> None:
        """Creates the folder, with mode 0700.

        The operator may open it to others, who copy checkpoints: then what is created in it is open
        to them as well.
        """
        if self.folder.name == SECURITY_LOG and self.folder.parent.exists():
            create_like_parent(self.folder)
        else:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def read(self, file: Path) -> SignedCheckpoint:
        """Returns the checkpoint in a file. Raises `ProofError` if it is not as it was signed."""
        try:
            text = file.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise ProofError("the checkpoint is not text") from error
        signed = verify_with_any(text, self._keys)
        require(signed.size == size_of(file), "the checkpoint is of another size than its file")
        return SignedCheckpoint(text, signed)

    def files(self) -> list[Path]:
        """Returns the files of all checkpoints, by size."""
        return [self.folder / day / name for name, day in sorted(self._names())]

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yields name and day of the file of each checkpoint, in no order."""
        for day in self.folder.glob("*/"):
            for name in os.listdir(day):
                if _CHECKPOINT_NAME.fullmatch(name):
                    yield name, day.name


def size_of(file: Path) -> int:
    """Returns the size of the tree that a file is named after."""
    return int(file.stem)


def read_leaves(file: Path) -> list[Leaf]:
    """Returns the leaves in a file. Raises `OSError`, and `ValueError` if it is damaged."""
    leaves = []
    with file.open(encoding="ascii", newline="\n") as lines:
        for line in lines:
            position, _, leaf_hash = line.partition(" ")
            leaves.append((int(position), bytes.fromhex(leaf_hash)))
            if line != _line(leaves[-1]):
                raise ValueError(f"{file} is cut off or damaged")
    return leaves


def write_leaves(file: Path, leaves: Iterable[Leaf]) -> None:
    """Creates a file of leaves. Raises `CheckpointConflict` if it exists with other content."""
    create_whole(file, "".join(map(_line, leaves)))


def _line(leaf: Leaf) -> str:
    position, leaf_hash = leaf
    return f"{position} {leaf_hash.hex()}\n"


def create_like_parent(folder: Path) -> None:
    """Creates a folder with the mode of the one that it is in."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(_mode_of(folder.parent))


def _mode_of(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode) & 0o777


def create_whole(path: Path, text: str) -> None:
    """Creates a whole file or none. A file with the same content may be there already.

    That is what a process leaves that was killed before it wrote the next file.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            os.fchmod(file.fileno(), _mode_of(path.parent) & 0o666)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        if path.read_bytes() != text.encode():
            raise CheckpointConflict from None
    finally:
        draft.unlink(missing_ok=True)
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Has the names of new files survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _has_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
