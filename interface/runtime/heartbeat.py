"""Heartbeats of the web workers: a worker that no longer answers is found out, and replaced.

A process that lives may still answer nobody. Each worker therefore sends a piece of work
through its event loop and a thread, as a request goes, and touches a file when it comes back.
Another process watches the files.
"""

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic

from interface.observability import killed_workers

BEAT_SECONDS = 1.0
SILENT_SECONDS = 10.0
_SUFFIX = ".alive"


def beat(folder: Path) -> None:
    """Marks this process as answering, now.

    An error is ignored: a worker without a file is not watched, and goes on.
    """
    with suppress(OSError):
        (folder / f"{os.getpid()}{_SUFFIX}").touch()


class WorkerWatch:
    """Watches the heartbeats in a folder. Time is counted by the watching process alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[int, tuple[int, float]] = {}

    def silent(self) -> list[int]:
        """Returns the process ids of workers that have not answered for 10 seconds."""
        now = monotonic()
        silent = []
        for file in self._folder.glob(f"*{_SUFFIX}"):
            process, mark = int(file.stem), file.stat().st_mtime_ns
            if not _exists(process):
                file.unlink(missing_ok=True)
                self._seen.pop(process, None)
            elif self._seen.get(process, (0, 0.0))[0] != mark:
                self._seen[process] = mark, now
            elif now - self._seen[process][1] > SILENT_SECONDS:
                silent.append(process)
        return silent

    def forget(self, process: int) -> None:
        """Counts a worker that was killed, and no longer waits for its heartbeat."""
        (self._folder / f"{process}{_SUFFIX}").unlink(missing_ok=True)
        self._seen.pop(process, None)
        killed_workers.add_one(self._folder)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
