"""The database that Admit One brings along: PostgreSQL as a child of the service."""

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Self

import psycopg
from psycopg.conninfo import make_conninfo

from interface.database_roles import DatabaseRole
from interface.runtime.guarded_process import GuardedProcess
from interface.runtime.postgres_binaries import (
    EmbeddedPostgresError,
    Identity,
    choose_identity,
    hand_over,
    runnable_programs,
)
from interface.runtime.postgres_locks import LauncherLock, server_lock

NAME = "admitone"  # the database and its superuser
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103  # bytes: macOS allows 103, Linux 107
READY_WITHIN = 60.0  # seconds

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Conflicts are everyday ERRORs here, and their messages can hold personal data.
    "log_min_messages": "log",
    "log_checkpoints": "off",
    # Memory: the service shares small machines with the server.
    "shared_buffers": "24MB",
    "huge_pages": "off",
    "max_connections": "60",
    "max_pred_locks_per_transaction": "10",  # as few as possible: nothing is SERIALIZABLE
    "autovacuum_max_workers": "2",
    "max_worker_processes": "2",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
}


def _socket_folder(data: Path) -> Path:
    """Returns a folder in the data folder or, if that path won't do, in the temporary folder."""
    folder = data / "socket"
    socket = os.fsencode(folder / SOCKET)
    if len(socket) <= LONGEST_SOCKET_PATH and b"," not in socket:  # libpq: a comma parts hosts
        return folder
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()).resolve() / f"{NAME}-{name}"


def _name_of(user: int) -> str | None:
    """Returns the name of a user, or None if the machine knows none."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(user).pw_name
    return None


class EmbeddedPostgres:
    """A PostgreSQL server that lives and dies with this process and listens on a Unix socket.

    The operating system says who connects through the socket, whose folder has mode 0700: this
    process's own user and root may take any role of ours. There is no other way in.
    """

    def __init__(
        self,
        data: Path,
        *,
        binaries: Path | None = None,
        identity: Identity | None = None,
        settings: Mapping[str, str] = SETTINGS,
    ) -> None:
        """`binaries` names the folder of PostgreSQL programs to run. None: the usual ones.

        `identity` is for tests: by default the machine decides which user runs them. `settings`
        are the server's own; what follows from the place of its files is added.
        """
        self._data = data.resolve()
        self._cluster = self._data / "cluster"
        self._log = self._data / "server.log"
        self._socket_folder = _socket_folder(self._data)
        self._setting = binaries
        self._identity = identity
        self._settings = settings
        self._launcher_lock = LauncherLock(self._data)
        self._server: GuardedProcess | None = None
        self.owns_our_files = True
        """True if the server runs as the owner of this process's files."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def conninfo(self) -> str:
        """The connection string of the database for its superuser, who creates the roles."""
        return self._conninfo(NAME)

    def conninfo_of(self, role: DatabaseRole) -> str:
        """Returns the connection string of the database for a role."""
        return self._conninfo(NAME, role)

    def start(self) -> None:
        """Starts the server and returns when the database answers. Does nothing if it already runs.

        Raises `EmbeddedPostgresError`.
        """
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Starts the server like `start`, but does not wait for it."""
        if self.is_running():
            return
        self.stop()
        with self._stopping_on_errors():
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._launcher_lock.acquire()
            with server_lock(self._data, self._cluster) as lock:
                self._start_server(lock)

    def wait_until_ready(self) -> None:
        """Returns when the database of a server that was launched answers."""
        with self._stopping_on_errors():
            self._wait_until_ready()

    def disown(self) -> None:
        """Gives up, in a forked process, what shows by its existence that the service lives."""
        self._launcher_lock.disown()
        if self._server is not None:
            self._server.disown()

    def is_running(self) -> bool:
        """Returns True from its start until it dies or is stopped."""
        return self._server is not None and self.poll() is None

    def poll(self) -> int | None:
        """Returns the exit status if the server died by itself (negative: a signal), else None."""
        return self._server.poll() if self._server is not None else None

    def stop(self) -> None:
        """Closes all connections, ends the server and releases the folder. May be repeated."""
        if self._server is not None:
            self._server.stop()
            self._server = None
            with contextlib.suppress(OSError):  # on a read-only disk they stay until the next start
                self._remove_remains()
                if self._socket_folder.parent != self._data:
                    self._socket_folder.rmdir()
        self._launcher_lock.release()

    @contextlib.contextmanager
    def _stopping_on_errors(self) -> Iterator[None]:
        """Stops the server if the block fails."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            try:
                yield
            except OSError as error:
                why = f"{error.strerror}: {error.filename}" if error.filename else str(error)
                raise EmbeddedPostgresError(f"PostgreSQL can't be started: {why}.") from error
            undo.pop_all()

    def _conninfo(self, database: str, user: str = NAME) -> str:
        return make_conninfo(host=str(self._socket_folder), port=5432, dbname=database, user=user)

    def _start_server(self, lock: IO[str]) -> None:
        identity = self._identity or choose_identity(self._data.parent)
        self.owns_our_files = identity.owner == os.geteuid()
        if not self.owns_our_files:
            folder = self._data.parent
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)  # to enter it, not to list it
        hand_over(identity, self._data, deep=False)
        if identity.output('test -w "$1"', str(self._data)) is None:
            raise EmbeddedPostgresError(
                f"The user that PostgreSQL runs as can't write to {self._data}. Choose a data"
                " folder that everybody can reach, or start Admit One as an ordinary user."
            )
        binaries, version = runnable_programs(identity, self._setting, self._data / "runtime")
        if self._log.exists():  # one log for each run, and the one before
            self._log.replace(self._log.with_suffix(".old.log"))
        self._log.touch(mode=0o600)
        if self._cluster.exists():
            self._refuse_other_version(binaries, version)
            hand_over(identity, self._cluster)
        else:
            self._create_cluster(identity, binaries, version, lock)
        self._remove_remains()
        self._make_socket_folder(identity)
        settings = {**self._settings, "unix_socket_directories": str(self._socket_folder)}
        settings["unix_socket_permissions"] = "0700"
        settings |= self._write_access_rules(identity)
        if version >= 18:
            settings["io_method"] = "sync"  # three processes fewer
        options = [f"--{name}={value}" for name, value in settings.items()]
        self._spawn(identity, lock, str(binaries / "postgres"), "-D", str(self._cluster), *options)

    def _refuse_other_version(self, binaries: Path, version: int) -> None:
        needed = (self._cluster / "PG_VERSION").read_text().strip()
        if needed != str(version):
            raise EmbeddedPostgresError(
                f"The database in {self._cluster} belongs to PostgreSQL {needed}, but the programs"
                f" in {binaries} are PostgreSQL {version}. Set ADMITONE_POSTGRES_BIN to a"
                f" PostgreSQL {needed}, or move the data over with pg_dump."
            )

    def _create_cluster(
        self, identity: Identity, binaries: Path, version: int, lock: IO[str]
    ) -> None:
        """Runs initdb beside the final place, so that half a cluster never has its name."""
        new = self._cluster.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        text = ["--encoding=UTF8", "--locale=C.UTF-8"]
        if version >= 17:
            # The same order on every machine, whatever its C library says.
            text = ["--encoding=UTF8", "--locale=C"]
            text += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [f"--username={NAME}", "--auth=reject"]  # the server reads rules of our own
        program = str(binaries / "initdb")
        status = self._spawn(identity, lock, program, "-D", str(new), *access, *text).wait()
        self._server = None
        if status != 0:
            raise EmbeddedPostgresError(f"initdb failed.{self._log_tail()}")
        new.rename(self._cluster)
        folder = os.open(self._data, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write_access_rules(self, identity: Identity) -> dict[str, str]:
        """Writes who may connect, and returns the settings that name the files."""
        names = identity.sees_us_as or _name_of(os.geteuid()), _name_of(0)
        users = {name for name in names if name is not None}
        roles = (NAME, *DatabaseRole)
        lines = [f'{NAME} "{user}" {role}\n' for user in sorted(users) for role in roles]
        rules = {"hba": f"local all all peer map={NAME}\n", "ident": "".join(lines)}
        settings = {}
        for kind, text in rules.items():
            file = self._cluster / f"{NAME}_{kind}.conf"
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)
            file.write_text(text)
            if identity.command:
                os.chown(file, identity.owner, identity.group)
            settings[f"{kind}_file"] = str(file)
        return settings

    def _make_socket_folder(self, identity: Identity) -> None:
        folder = self._socket_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
        # In the shared temporary folder somebody else may have created it first.
        is_ours = folder.parent == self._data or status.st_uid in (os.geteuid(), identity.owner)
        if not stat.S_ISDIR(status.st_mode) or not is_ours:
            raise EmbeddedPostgresError(f"The folder {folder} belongs to somebody else.")
        hand_over(identity, folder, deep=False)
        folder.chmod(0o700)

    def _remove_remains(self) -> None:
        """Removes what a killed server leaves. Both locks prove that nobody uses it."""
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        (self._socket_folder / SOCKET).unlink(missing_ok=True)
        (self._socket_folder / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _spawn(self, identity: Identity, lock: IO[str], *command: str) -> GuardedProcess:
        self._server = GuardedProcess(
            (*identity.command, *command), stdin=lock, log=self._log, folder=self._data
        )
        return self._server

    def _wait_until_ready(self) -> None:
        """Waits until a connection works and the database exists."""
        deadline = time.monotonic() + READY_WITHIN
        while True:
            try:
                self._ensure_database()
                return
            except psycopg.OperationalError as error:
                refusal = error
            status = self.poll()
            if status is not None:
                raise EmbeddedPostgresError(
                    f"PostgreSQL ended with status {status} while starting.{self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"PostgreSQL isn't ready after {READY_WITHIN:.0f} seconds: {refusal}"
                )
            time.sleep(0.02)

    def _ensure_database(self) -> None:
        server = self._conninfo("postgres")
        with psycopg.connect(server, autocommit=True, connect_timeout=5) as connection:
            named = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
            if named.fetchone() is None:
                connection.execute(f"CREATE DATABASE {NAME}")

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f" {self._log} says:", *lines])
