"""PostgreSQL servers of a test, on ports of 127.0.0.1: standbys, archives and copies of each other.

The programs are those that the service runs by itself, or others that a test names. Everybody on
this machine may connect.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from interface.runtime.guarded_process import GuardedProcess
from interface.runtime.postgres_binaries import Identity, in_user_namespace, runnable_programs
from tests.support.service import free_port
from tests.support.waiting import wait_until

USER, DATABASE = "admitone", "admitone"
BUILTIN_LOCALES = 17
"""The first version of PostgreSQL with the locale provider `builtin`."""
_ALWAYS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "fsync": "off",  # nobody cuts the power
    "timezone": "UTC",
}


class PostgresServer:
    """A server with a folder of its own. It is stopped when this process ends."""

    def __init__(self, folder: Path, programs: Path | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        root = os.geteuid() == 0
        self.identity = in_user_namespace() if root else Identity((), os.geteuid(), os.getegid())
        self._binaries, self._version = runnable_programs(
            self.identity, programs, folder.with_suffix(".programs")
        )
        self._process: GuardedProcess | None = None

    @property
    def conninfo(self) -> str:
        """The connection string of its database for the superuser."""
        return make_conninfo(host="127.0.0.1", port=self.port, user=USER, dbname=DATABASE)

    def create(self) -> None:
        """Makes an empty cluster."""
        text = ["--encoding=UTF8", "--locale=C"]
        if self._version >= BUILTIN_LOCALES:
            text += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [f"--username={USER}", "--auth=trust"]
        self._run("initdb", "-D", str(self.folder), "--no-sync", *access, *text)

    def copy_to(self, folder: Path) -> "PostgresServer":
        """Makes a base backup of the running server, and returns the server that it would be."""
        where = f"host=127.0.0.1 port={self.port} user={USER}"
        self._run("pg_basebackup", "-d", where, "-D", str(folder), "-c", "fast", "--no-sync")
        return PostgresServer(folder, self._binaries)

    @contextmanager
    def running(self, **settings: str) -> Iterator[str]:
        """Runs it within the block; yields its connection string once it answers."""
        self.start(**settings)
        try:
            yield self.conninfo
        finally:
            self.stop()

    def start(self, **settings: str) -> None:
        """Starts it with these settings, and returns once it answers."""
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        options = [f"--{name}={value}" for name, value in (_ALWAYS | settings).items()]
        command = [str(self._binaries / "postgres"), "-D", str(self.folder), "-p", str(self.port)]
        with open(os.devnull) as nothing:
            self._process = GuardedProcess(
                (*self.identity.command, *command, *options),
                stdin=nothing,
                log=self.folder.with_suffix(".log"),
                folder=self.folder,
            )
        wait_until(self._answers)

    def stop(self) -> None:
        """Stops it. May be repeated."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _answers(self) -> bool:
        """Returns whether it can be asked, and makes the database of a new cluster."""
        assert self._process is not None
        status = self._process.poll()
        assert status is None, self.folder.with_suffix(".log").read_text()[-2000:]
        where = make_conninfo(self.conninfo, dbname="postgres", connect_timeout=5)
        try:
            with psycopg.connect(where, autocommit=True) as conn:
                found = conn.execute(
                    "SELECT pg_is_in_recovery() OR EXISTS"
                    " (SELECT FROM pg_database WHERE datname = %s)",
                    (DATABASE,),
                ).fetchone()
                if found == (False,):
                    conn.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self.identity.command, str(self._binaries / program), *arguments]
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
        subprocess.run(command, check=True, capture_output=True, env=environment)


def follow(standby: PostgresServer, primary: PostgresServer) -> dict[str, str]:
    """Makes a copy follow the server that it was made from; returns the settings to start with."""
    (standby.folder / "standby.signal").touch()
    return {"primary_conninfo": f"host=127.0.0.1 port={primary.port} user={USER}"}


def archive_all(conninfo: str) -> None:
    """Waits until everything that a server has written is in its archive."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        ((written,),) = conn.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchall()

        def is_archived() -> bool:
            found = conn.execute("SELECT last_archived_wal FROM pg_stat_archiver")
            ((archived,),) = found.fetchall()
            return archived is not None and archived >= written

        wait_until(is_archived)


def wait_until_promoted(conninfo: str) -> None:
    """Waits until a server has come to the end of its recovery."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        is_recovering = "SELECT pg_is_in_recovery()"
        wait_until(lambda: conn.execute(is_recovering).fetchall() == [(False,)])
