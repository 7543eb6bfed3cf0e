"""The machine and the PostgreSQL server of a run, with what has to be known to judge figures."""

import os
import platform
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from interface.bootstrap import apply_schema
from interface.runtime.embedded_postgres import SETTINGS, EmbeddedPostgres
from tests.benchmarks import usage
from tests.benchmarks.usage import Kinds
from tests.support.processes import Process

DURABILITY = ("fsync", "synchronous_commit", "wal_sync_method", "full_page_writes")


@dataclass
class Machine:
    """A PostgreSQL server as the service brings it along, with safe commits."""

    conninfo: str
    postgres: Kinds
    _numbers: Iterator[int] = field(default_factory=count)

    def bare_database(self) -> str:
        """Returns a new database without tables."""
        name = f"bench_{next(self._numbers)}"
        with psycopg.connect(self.conninfo, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}".encode())
        return make_conninfo(self.conninfo, dbname=name)

    def new_database(self) -> str:
        """Returns a new database with our tables."""
        conninfo = self.bare_database()
        apply_schema(conninfo)
        return conninfo

    def postgres_of(self, conninfo: str) -> Kinds:
        """Returns the server's processes without the connections to databases of other sides."""
        name = conninfo_to_dict(conninfo)["dbname"]

        def find() -> list[Process]:
            return [
                process
                for process in self.postgres[usage.POSTGRES]()
                if f" {name} " in process.command or " bench_" not in process.command
            ]

        return {usage.POSTGRES: find}

    @contextmanager
    def slow_commits(self, milliseconds: int) -> Iterator[None]:
        """Lets each commit wait this long before it is written, like a slow disk or standby.

        This is PostgreSQL's `commit_delay`, with `commit_siblings` 0 so that it waits always.
        Commits that come meanwhile are written with it.
        """
        self._set(commit_delay=1000 * milliseconds, commit_siblings=0 if milliseconds else 5)
        try:
            yield
        finally:
            self._set(commit_delay=0, commit_siblings=5)

    def described(self) -> dict[str, Any]:
        """Returns what figures depend on: interpreter, CPU, PostgreSQL and its durability."""
        with psycopg.connect(self.conninfo) as conn:
            settings = {
                name: conn.execute(f"SHOW {name}".encode()).fetchone()[0]  # type: ignore[index]
                for name in ("server_version", *DURABILITY, "shared_buffers")
            }
        arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
        optimized = "--enable-optimizations" in arguments
        return {
            "python": f"{platform.python_implementation()} {platform.python_version()},"
            f" built {'with' if optimized else 'without'} --enable-optimizations",
            "cpu": f"{os.cpu_count()} cores of {_cpu_model()}",
            "system": f"{platform.system()} {platform.release()}",
            "postgres": settings.pop("server_version"),
            **settings,
        }

    def _set(self, **settings: int) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as admin:
            for name, value in settings.items():
                admin.execute(f"ALTER SYSTEM SET {name} = {value}".encode())
            admin.execute("SELECT pg_reload_conf()")


@contextmanager
def running_machine(folder: Path) -> Iterator[Machine]:
    """Runs a PostgreSQL server in `folder` for the block."""
    settings = SETTINGS | {"max_connections": "120"}  # for all sides beside each other
    with EmbeddedPostgres(folder / "postgres", settings=settings) as server:
        yield Machine(server.conninfo, usage.postgres(server.conninfo))


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
