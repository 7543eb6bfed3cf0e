"""A child process that is shut down when this process dies, however it dies."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

# Signals for a shutdown, each with the seconds that it gets before the next.
SHUTDOWN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

# The shell becomes PostgreSQL (our direct child, so its exit status and signals
# are real) and leaves a guard that waits on the standard output it was given:
# a pipe whose other end only the service holds. When the service dies, by
# kill -9 too, the pipe ends and the guard shuts PostgreSQL down; a line through
# the pipe dismisses it. PR_SET_PDEATHSIG would follow the thread that called
# start(), not the process, and is Linux only. The guard is forked twice,
# because PostgreSQL takes the exits of its own children for crashes; and as a
# background job it has /dev/null as standard input, so it doesn't hold the lock.
_GUARDED = """
( ( trap '' HUP INT TERM; read -r _ <&1 || kill -INT $$ ) & )
exec "$@" >&2
"""


class GuardedProcess:
    """A program of PostgreSQL with a guard beside it, in a session of its own."""

    def __init__(self, command: Sequence[str], *, stdin: IO[str], log: Path, folder: Path) -> None:
        """Starts the command in `folder`. It appends to `log`, and only it inherits `stdin`."""
        self._guard: int | None
        reading, self._guard = os.pipe()
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - our own command line
                    ("/bin/sh", "-c", _GUARDED, "admitone", *command),
                    stdin=stdin,
                    stdout=reading,
                    stderr=output,
                    cwd=folder,
                    # The service's environment holds its secrets.
                    env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                    start_new_session=True,  # Ctrl-C is for the service, which ends us in order
                )
        except OSError:
            os.close(self._guard)
            raise
        finally:
            os.close(reading)

    def poll(self) -> int | None:
        """Returns the exit status (negative: a signal), or None while the process runs."""
        status = self._process.poll()
        if status is not None:
            self._dismiss_guard()
        return status

    def wait(self) -> int:
        """Waits until the process has ended and returns its exit status."""
        status = self._process.wait()
        self._dismiss_guard()
        return status

    def stop(self) -> None:
        """Shuts the process down, in the end by force."""
        for number, patience in SHUTDOWN:
            self._process.send_signal(number)
            # Before the process id is given back, so that the guard can't hit a stranger.
            self._dismiss_guard()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                break

    def disown(self) -> None:
        """Leaves the process to the one that started it, of which this one is a fork.

        The guard waits until nobody holds the pipe any more.
        """
        if self._guard is not None:
            os.close(self._guard)
            self._guard = None

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._guard, b"\n")
            os.close(self._guard)
            self._guard = None
