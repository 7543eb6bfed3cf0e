"""Files and folders that nobody but the user of the service may read."""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import BinaryIO

_DRAFT = ".draft"


def open_private(path: Path) -> BinaryIO:
    """Opens a file to write it anew, with mode 0600 even if it was there before."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):  # not a terminal or a pipe
        os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb")


def write_private(path: Path, text: str) -> None:
    """Writes a file of mode 0600."""
    with open_private(path) as file:
        file.write(text.encode())


@contextmanager
def create_private(path: Path) -> Iterator[BinaryIO]:
    """Creates a file of mode 0600 once the block has written all of it. Otherwise there is none.

    Raises `FileExistsError` if there is one by then.
    """
    delete_abandoned_drafts(path.parent, path.name)
    with _draft_of(path) as (draft, file):
        yield file
        file.flush()
        os.fsync(file.fileno())
        os.link(draft, path)


def replace_private(path: Path, content: bytes, *, is_one_of_many: bool = False) -> None:
    """Writes a file of mode 0600 as a whole or not at all; replaces one that is there.

    If it `is_one_of_many`, time counts more: a power failure may undo that or leave the file empty,
    and the folder isn't searched for abandoned drafts.
    """
    if not is_one_of_many:
        delete_abandoned_drafts(path.parent, path.name)
    with _draft_of(path) as (draft, file):
        file.write(content)
        file.flush()
        if not is_one_of_many:
            os.fsync(file.fileno())
        os.replace(draft, path)


def delete_abandoned_drafts(folder: Path, name: str | None = None) -> None:
    """Deletes the drafts that no process has locked any more: whoever wrote them was killed.

    Those of one file or, without a name, of all files in the folder.
    """
    of = "*" if name is None else escape(name)
    for draft in folder.glob(f".{of}.*{_DRAFT}"):
        with suppress(OSError), draft.open("r+b") as file:  # NFS locks only what is open to write
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.unlink()


@contextmanager
def _draft_of(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Yields the path of a new file of mode 0600 beside `path`, and the file, open.

    Deletes it at the end, unless the block has moved it. A process that is killed before leaves it
    behind, abandoned.
    """
    draft, file = _new_draft(path)
    try:
        with file:
            yield draft, file
    finally:
        draft.unlink(missing_ok=True)


def _new_draft(path: Path) -> tuple[Path, BinaryIO]:
    """Creates a draft and locks it, so that others see that it is being written."""
    while True:
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_DRAFT}")
        file = os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        with suppress(OSError):  # a file system without locks, so that nobody deletes drafts either
            fcntl.flock(file, fcntl.LOCK_EX)
        if draft.exists():
            return draft, file
        file.close()  # another process deleted it before it was locked


def make_private(folder: Path, *, except_for: Path | None = None) -> None:
    """Creates a folder of mode 0700, or gives it that mode.

    The mode is 0711 if the folder `except_for` belongs to another user, who has to reach it:
    PostgreSQL does not run as root, and ends if it can't open its files.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_shared = (
        except_for is not None
        and except_for.is_dir()
        and except_for.stat().st_uid != folder.stat().st_uid
    )
    folder.chmod(0o711 if is_shared else 0o700)
