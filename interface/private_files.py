"""Files and folders that nobody but the user of the service may read."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


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


def make_private(folder: Path) -> None:
    """Creates a folder of mode 0700, or gives it that mode."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
