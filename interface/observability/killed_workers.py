"""Counts the web workers that were killed because they no longer answered.

The library of metrics is not loaded here: it looks for the folder of counts when it is loaded,
and the supervisor, which counts here, has not chosen one then.
"""

from pathlib import Path

_FILE = "killed"


def count(folder: Path) -> int:
    """Returns how many there were since the service started."""
    try:
        return int((folder / _FILE).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def add_one(folder: Path) -> None:
    """Counts one more. Only the supervisor does."""
    (folder / _FILE).write_text(f"{count(folder) + 1}")
