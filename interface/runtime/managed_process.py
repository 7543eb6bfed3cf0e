"""A process of the service that is forked from this one, and again whenever it ends."""

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import Process
from time import monotonic

from domain.errors import AdmitOneError
from interface.runtime import forks
from interface.runtime.parent_watchdog import GRACE_SECONDS
from interface.settings import SettingsError

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 10.0


class ManagedProcess:
    """Work that a process of its own does, which is started again whenever it ends.

    The process shares memory with this one. This one may have no threads that hold a lock.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        """The process calls `work` and ends with it. A refusal is printed as one sentence."""
        self._name = name
        self._work = work
        self._process: Process | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._pause = 0.0

    def start(self) -> None:
        """Starts the process in a session of its own.

        Ctrl-C in a terminal reaches the supervisor alone, which then stops all in order.
        """
        self._process = Process(target=_run, args=(self._name, self._work), name=self._name)
        self._process.start()
        self._started_at = monotonic()
        self._restart_at = None

    def revive(self) -> str | None:
        """Starts the process again if it has died.

        Waits first if it lived only briefly, and longer each time. Returns, once for each death,
        a sentence that reports it.
        """
        assert self._process is not None  # noqa: S101 - start() comes first
        status = self._process.exitcode
        if status is None:
            return None
        now = monotonic()
        news = None
        if self._restart_at is None:
            lived_long = now - self._started_at > _LONGEST_PAUSE_SECONDS
            self._pause = 0.0 if lived_long else max(_FIRST_PAUSE_SECONDS, 2 * self._pause)
            self._pause = min(self._pause, _LONGEST_PAUSE_SECONDS)
            self._restart_at = now + self._pause
            news = f"The {self._name} died with status {status}; starting it again."
        if now >= self._restart_at:
            self.start()
        return news

    def stop(self) -> None:
        """Sends SIGTERM, waits, and kills the process and its children if that was not enough."""
        if self._process is None:
            return
        self._process.terminate()
        self._process.join(GRACE_SECONDS)
        if (process := self._process.pid) is not None and self._process.exitcode is None:
            os.killpg(process, signal.SIGKILL)
            self._process.join()


def _run(name: str, work: Callable[[], None]) -> None:
    os.setsid()
    forks.name_this_process(name)
    try:
        work()
    except (AdmitOneError, SettingsError) as refusal:
        sys.exit(str(refusal))
