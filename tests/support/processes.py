"""The processes of a running service, as Linux shows them."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """One process, told from a later one of the same number by when it started."""

    pid: int
    started_at: int
    parent: int
    session: int
    command: str

    @property
    def alive(self) -> bool:
        found = _read(self.pid)
        return found is not None and found.started_at == self.started_at

    def kill(self) -> None:
        """As nobody can refuse."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def memory(self) -> int:
        """Bytes in use, with its share of what it shares (PSS)."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == "Pss":
                return int(value.split()[0]) * 1024
        raise AssertionError("the kernel does not tell")


def family(pid: int) -> list[Process]:
    """A process that leads a session, with all that it or its children started."""
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
        if "interface.runtime.web_server" in process.command and process.parent == service
    ]
    return [process for process in processes if process.parent == server.pid]


def _everything() -> Iterator[Process]:
    for folder in Path("/proc").glob("[0-9]*"):
        if process := _read(int(folder.name)):
            yield process


def _read(pid: int) -> Process | None:
    """The process of that number, unless it is gone or only waits to be forgotten."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, session, started_at = fields[0], fields[1], fields[3], fields[19]
    if state == "Z":
        return None
    return Process(pid, int(started_at), int(parent), int(session), command)
