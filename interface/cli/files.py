"""The files that commands read and write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from domain.errors import AdmitOneError

TEXT_FILE = click.File(encoding="utf-8", errors="replace")
"""The type of an option that names a key or a checkpoint.

A file that is not text is read all the same: as a wrong key, or a checkpoint that proves nothing.
"""


class NotWritten(AdmitOneError):
    """A file or a folder can't be written."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses in the block into `NotWritten`."""
    try:
        yield
    except OSError as error:
        raise NotWritten(f"{path} can't be written: {error.strerror}.") from error
