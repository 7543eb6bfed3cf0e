"""Two locks beside the embedded cluster say who is alive, so no process id is ever trusted.

launcher.lock   held by the service. Taken: another Admit One runs here.
server.lock     held by PostgreSQL itself, as the standard input that all of
                its processes inherit. Taken although launcher.lock was
                free: the server outlived its service and has to end first.
"""

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO

from interface.runtime.postgres_binaries import AlreadyRuns, EmbeddedPostgresError

LAUNCHER_SECONDS = 0.5  # a killed process takes a moment to vanish
ORPHAN_SHUTDOWN = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))


class LauncherLock:
    """The lock that one service holds on its data folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Takes the lock. Raises `AlreadyRuns`, which names the process that holds it."""
        path = self._data / "launcher.lock"
        self._file = _lock(path, LAUNCHER_SECONDS)
        if self._file is None:
            pid = path.read_text().strip()
            holder = f"Another Admit One (process {pid})" if pid else "Another Admit One"
            raise AlreadyRuns(f"{holder} already runs on the data folder {self._data}.")
        with contextlib.suppress(OSError):  # only told to others, and the disk may be full
            os.truncate(self._file.fileno(), 0)
            os.write(self._file.fileno(), f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Releases the lock, if this process holds it."""
        if self._file is not None:
            # Unlocked and not just closed: a forked worker may hold a copy.
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
            self._file = None

    def disown(self) -> None:
        """Leaves the lock to the process that took it, of which this one is a fork."""
        if self._file is not None:
            self._file.close()
            self._file = None


def server_lock(data: Path, cluster: Path) -> IO[str]:
    """Returns the lock that PostgreSQL will inherit. Ends an orphan that still holds it first.

    Raises `EmbeddedPostgresError` if the orphan does not end.
    """
    path = data / "server.lock"
    lock = _lock(path, 0)
    for number, patience in ORPHAN_SHUTDOWN:
        if lock is None:
            _signal_orphan(cluster, number)
            lock = _lock(path, patience)
    if lock is None:
        raise EmbeddedPostgresError(
            f"A PostgreSQL that an earlier Admit One left on {data} doesn't end. Its"
            f" process id is the first line of {cluster / 'postmaster.pid'}."
        )
    return lock


def _lock(path: Path, patience: float) -> IO[str] | None:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    ends_at = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= ends_at:
                file.close()
                return None
        time.sleep(0.02)


def _signal_orphan(cluster: Path, number: signal.Signals) -> None:
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, ValueError):
        pid = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        process = os.pidfd_open(pid)
        try:
            # The file may be old and the number somebody else's by now. The
            # open handle pins the process, so what is proven stays true.
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if os.fsencode(cluster) in arguments:
                signal.pidfd_send_signal(process, number)
        finally:
            os.close(process)
