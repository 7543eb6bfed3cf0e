"""The processes of a running service, read from /proc."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """One process, distinguished by its start from a later one with the same id.

    `name` is what it calls itself, at most 15 characters.
    """

    pid: int
    started_at: int
    parent: int
    session: int
    name: str
    command: str

    @property
    def alive(self) -> bool:
        found = _read(self.pid)
        return found is not None and found.started_at == self.started_at

    def kill(self) -> None:
        """Sends SIGKILL."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Sends SIGSTOP: it lives, and does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Sends SIGCONT: it goes on, if it was frozen."""
        os.kill(self.pid, signal.SIGCONT)

    def memory(self) -> int:
        """Returns the bytes in use, with its share of shared memory (PSS); 0 once it has ended."""
        try:
            rolled_up = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return 0
        for line in rolled_up.splitlines():
            name, _, value = line.partition(":")
            if name == "Pss":
                return int(value.split()[0]) * 1024
        raise AssertionError("the kernel does not tell")

    def cpu_seconds(self) -> float:
        """Returns the CPU time of its threads, and of its children that have ended."""
        nanoseconds = 0
        for thread in Path(f"/proc/{self.pid}/task").glob("*/schedstat"):
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                nanoseconds += int(thread.read_text().split()[0])
        return nanoseconds / 1e9 + _ticks_of_ended_children(self.pid) / os.sysconf("SC_CLK_TCK")


def open_files(pid: int) -> list[str]:
    """Returns the paths of the files that a process has open; none once it has ended."""
    found = []
    with suppress(FileNotFoundError):  # it has just ended
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it has just been closed
                found.append(str(descriptor.readlink()))
    return found


def family(pid: int) -> list[Process]:
    """Returns a process that leads a session, and all that it and its children started."""
    everything = list(_everything())
    pids, sessions = {pid}, {pid}
    while True:
        members = [
            process
            for process in everything
            if process.pid in pids or process.parent in pids or process.session in sessions
        ]
        if len(members) == len(pids):
            return members
        pids = {process.pid for process in members}
        sessions = {process.session for process in members}


def web_workers(service: int) -> list[Process]:
    """Returns the web workers of the service whose supervisor has this process id."""
    processes = family(service)
    (server,) = [
        process
        for process in processes
        if process.name == "web server" and process.parent == service
    ]
    return [process for process in processes if process.parent == server.pid]


def children(pid: int) -> list[Process]:
    """Returns the processes that a process has started itself and that still run."""
    return [process for process in _everything() if process.parent == pid]


def _everything() -> Iterator[Process]:
    for folder in Path("/proc").glob("[0-9]*"):
        if process := _read(int(folder.name)):
            yield process


def _ticks_of_ended_children(pid: int) -> int:
    user, system = _fields(pid)[13:15]
    return int(user) + int(system)


def _fields(pid: int) -> list[str]:
    """Returns the fields of /proc/PID/stat from the third, the state, on."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _read(pid: int) -> Process | None:
    """Returns the process with this id, unless it has ended or is a zombie."""
    try:
        fields = _fields(pid)
        name = Path(f"/proc/{pid}/comm").read_text().removesuffix("\n")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, session, started_at = fields[0], fields[1], fields[3], fields[19]
    if state == "Z":
        return None
    return Process(pid, int(started_at), int(parent), int(session), name, command)
