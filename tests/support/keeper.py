"""`python -m tests.support.keeper`: starts the programs of a cluster, and ends them with the test.

PostgreSQL leaves the process that started it, and a test may be killed at any moment. So the
programs are started by a process between the two, which inherits whatever loses its parent. When
the pipe to the test closes, for whatever reason, it ends all of them.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType

from tests.support.processes import Process, family

_PR_SET_CHILD_SUBREAPER = 36
_SECONDS_TO_END = 5.0  # for PostgreSQL to give back its shared memory


class Keeper:
    """The process between a test and a cluster."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the test
        )

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def start(self, command: Sequence[str], log: Path) -> int:
        """Starts a program in a session of its own, and returns its process id."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(command), str(log)]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def processes(self) -> list[Process]:
        """Returns everything that has been started and has not ended."""
        return [each for each in family(self._process.pid) if each.pid != self._process.pid]


def main() -> None:
    """Starts what standard input asks for, and kills it when that closes."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGCHLD, lambda *_: _reap())
    for line in sys.stdin:
        command, log = json.loads(line)
        sys.stdout.write(f"{_start(command, log)}\n")
        sys.stdout.flush()
    _end_all()


def _start(command: Sequence[str], log: str) -> int:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    pid = os.posix_spawnp(
        command[0],
        list(command),
        os.environ | {"LC_ALL": "C", "TZ": "UTC"},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, nothing, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGCHLD],
    )
    os.close(output)
    os.close(nothing)
    return pid


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end_all() -> None:
    """Kills all at once except PostgreSQL, which gets a moment to end without a trace."""
    ends_at = monotonic() + _SECONDS_TO_END
    while left := [each for each in family(os.getpid()) if each.pid != os.getpid()]:
        for process in left:
            is_gentle = process.name == "postgres" and monotonic() < ends_at
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGQUIT if is_gentle else signal.SIGKILL)
                os.kill(process.pid, signal.SIGCONT)
        sleep(0.1)
        _reap()


if __name__ == "__main__":
    main()
