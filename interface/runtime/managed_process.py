"""A process of the service that is started again whenever it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from time import monotonic

from interface.runtime.parent_watchdog import GRACE_SECONDS

_FIRST_PAUSE_SECONDS = 0.25
_LONGEST_PAUSE_SECONDS = 10.0


def python_command(module: str, *arguments: str) -> Sequence[str]:
    """Returns the command that runs one of our modules as this process itself is run.

    -P keeps what lies in the current folder from being imported. -E, if this process has it, does
    the same for the folders in PYTHONPATH: the script of an isolated installation starts with it.
    """
    flags = ("-P", "-E") if sys.flags.ignore_environment else ("-P",)
    return (sys.executable, *flags, "-m", module, *arguments)


class ManagedProcess:
    """A Python module of ours, run as a process and started again whenever it ends."""

    def __init__(
        self, name: str, module: str, *arguments: str, environment: Mapping[str, str]
    ) -> None:
        self._name = name
        self._command = python_command(module, *arguments)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._pause = 0.0

    def start(self) -> None:
        """Starts the process in a session of its own.

        Ctrl-C in a terminal reaches the supervisor alone, which then stops all in order.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own commands
            self._command, env=self._environment, start_new_session=True
        )
        self._started_at = monotonic()
        self._restart_at = None

    def revive(self) -> str | None:
        """Starts the process again if it has died.

        Waits first if it lived only briefly, and longer each time. Returns, once for each death,
        a sentence that reports it.
        """
        assert self._process is not None  # noqa: S101 - start() comes first
        status = self._process.poll()
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
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
