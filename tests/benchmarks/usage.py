"""The CPU time and the memory that the processes of each kind use, read from /proc."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg

from tests.support import processes
from tests.support.processes import Process

Kinds = Mapping[str, Callable[[], list[Process]]]
"""For each kind, how to find its processes, which may come and go."""

WEB, PROJECTOR, POSTGRES, OTHER = "web", "projector", "PostgreSQL", "other"
SENDER = "sender"
CLIENTS = "clients"


def postgres(conninfo: str) -> Kinds:
    """Returns the kind of all processes of the PostgreSQL server at `conninfo`, on this machine."""
    with psycopg.connect(conninfo) as conn:
        backend = conn.info.backend_pid
        (server,) = [each.parent for each in processes.family(backend) if each.pid == backend]
    return {POSTGRES: lambda: processes.family(server)}


def ours(supervisor: int, *apart: str) -> Kinds:
    """Returns the kinds of processes below a supervisor, which have a session for each child.

    Children with the names `apart` are kinds of their own, and not among the others.
    """

    def of(*names: str) -> list[Process]:
        return [
            process
            for child in processes.children(supervisor)
            if child.name in names
            for process in processes.family(child.pid)
        ]

    def other() -> list[Process]:
        known = {process.pid for process in of("web server", "projector", *apart)}
        return [each for each in processes.family(supervisor) if each.pid not in known]

    return {
        WEB: lambda: of("web server"),
        PROJECTOR: lambda: of("projector"),
        **{name: partial(of, name) for name in apart},
        OTHER: other,
    }


def cpu_seconds(kinds: Kinds) -> dict[str, float]:
    """Returns the CPU time that each kind has used so far. Only differences mean something."""
    return {kind: _sum(find(), Process.cpu_seconds) for kind, find in kinds.items()}


def megabytes(kinds: Kinds) -> dict[str, float]:
    """Returns the memory of each kind, with its share of what is shared (PSS)."""
    return {kind: _sum(find(), Process.memory) / 1e6 for kind, find in kinds.items()}


def _sum(found: list[Process], use: Callable[[Process], Any]) -> float:
    total = 0.0
    for process in found:
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            total += use(process)
    return total
