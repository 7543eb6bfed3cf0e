"""The database that Admit One brings along: PostgreSQL as a child of the service.

Two locks beside the cluster say who is alive, so no process id is ever trusted:

    launcher.lock   held by the service. Taken: another Admit One runs here.
    server.lock     held by PostgreSQL itself, as the standard input that all of
                    its processes inherit. Taken although launcher.lock was
                    free: the server outlived its service and has to end first.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Self

import psycopg
from psycopg.conninfo import make_conninfo

from interface.runtime.postgres_binaries import (
    AlreadyRuns,
    EmbeddedPostgresError,
    Identity,
    choose_identity,
    hand_over,
    runnable_programs,
)

NAME = "admitone"  # the database and its user
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103  # bytes: macOS allows 103, Linux 107
READY_WITHIN = 60.0  # seconds
SHUTDOWN = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

# The shell becomes PostgreSQL (our direct child, so its exit status and signals
# are real) and leaves a guard that waits on the standard output it was given:
# a pipe whose other end only the service holds. When the service dies, by
# kill -9 too, the pipe ends and the guard shuts PostgreSQL down; a line through
# the pipe dismisses it. PR_SET_PDEATHSIG would follow the thread that called
# start(), not the process, and is Linux only. The guard is forked twice,
# because PostgreSQL takes the exits of its own children for crashes; and as a
# background job it has /dev/null as standard input, so it doesn't hold the lock.
GUARDED = """
( ( trap '' HUP INT TERM; read -r _ <&1 || kill -INT $$ ) & )
exec "$@" >&2
"""

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Conflicts are everyday ERRORs here, and their texts can hold people's data.
    "log_min_messages": "log",
    "log_checkpoints": "off",
    # Memory: the service shares small machines with the server.
    "shared_buffers": "32MB",
    "huge_pages": "off",
    "max_connections": "60",
    "autovacuum_max_workers": "2",
    "max_worker_processes": "2",
    "max_parallel_workers_per_gather": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
}


def _lock(path: Path, patience: float) -> IO[str] | None:
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= deadline:
                file.close()
                return None
        time.sleep(0.02)


def _socket_folder(data: Path) -> Path:
    """In the data folder; when its path won't do, in the temporary folder, named after it."""
    folder = data / "socket"
    socket = os.fsencode(folder / SOCKET)
    if len(socket) <= LONGEST_SOCKET_PATH and b"," not in socket:  # libpq: a comma parts hosts
        return folder
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()).resolve() / f"{NAME}-{name}"


class EmbeddedPostgres:
    """A PostgreSQL server that lives and dies with this process, on a Unix socket in one folder.

    Whoever may enter the socket's folder (mode 0700) is trusted; there is no
    other way in. `identity` is for tests: by default the machine decides.
    """

    def __init__(
        self, data: Path, *, binaries: Path | None = None, identity: Identity | None = None
    ) -> None:
        self._data = data.resolve()
        self._cluster = self._data / "cluster"
        self._log = self._data / "server.log"
        self._socket_folder = _socket_folder(self._data)
        self._setting = binaries
        self._identity = identity
        self._launcher_lock: IO[str] | None = None
        self._lifeline: int | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def conninfo(self) -> str:
        """How libpq reaches the database, from any process of the same user."""
        return self._conninfo(NAME)

    def start(self) -> None:
        """Return when the database answers. On a running object, do nothing."""
        if self._server is not None and self.poll() is None:
            return
        self.stop()
        with contextlib.ExitStack() as undo:
            undo.callback(self.stop)
            try:
                self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._become_the_launcher()
                with self._lock_for_server() as lock:
                    self._start_server(lock)
                self._wait_until_ready()
            except OSError as error:
                raise EmbeddedPostgresError(f"PostgreSQL can't be started: {error}.") from error
            undo.pop_all()

    def poll(self) -> int | None:
        """The server's exit status when it died by itself (negative: a signal), else None."""
        status = self._server.poll() if self._server is not None else None
        if status is not None:
            self._dismiss_guard()
        return status

    def stop(self) -> None:
        """Break open connections off, end the server, free the folder. Twice is fine."""
        if self._server is not None:
            for number, patience in SHUTDOWN:
                self._server.send_signal(number)
                # Before the process id is given back, so that the guard can't hit a stranger.
                self._dismiss_guard()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._server.wait(patience)
                    break
            self._server = None
            self._remove_remains()
            if self._socket_folder.parent != self._data:
                with contextlib.suppress(OSError):
                    self._socket_folder.rmdir()
        if self._launcher_lock is not None:
            self._launcher_lock.truncate(0)
            # Unlocked and not just closed: a forked worker may hold a copy.
            fcntl.flock(self._launcher_lock, fcntl.LOCK_UN)
            self._launcher_lock.close()
            self._launcher_lock = None

    def _conninfo(self, database: str) -> str:
        return make_conninfo(host=str(self._socket_folder), port=5432, dbname=database, user=NAME)

    def _become_the_launcher(self) -> None:
        path = self._data / "launcher.lock"
        # A moment's patience, because a killed process still takes a while to vanish.
        self._launcher_lock = _lock(path, 0.5)
        if self._launcher_lock is None:
            pid = path.read_text().strip()
            whose = f"Another Admit One (process {pid})" if pid else "Another Admit One"
            raise AlreadyRuns(f"{whose} already runs on the data folder {self._data}.")
        self._launcher_lock.truncate(0)
        self._launcher_lock.write(f"{os.getpid()}\n")
        self._launcher_lock.flush()

    def _lock_for_server(self) -> IO[str]:
        """The lock that PostgreSQL will inherit. An orphan that still holds it is ended first."""
        path = self._data / "server.lock"
        lock = _lock(path, 0)
        for number, patience in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0)):
            if lock is None:
                self._signal_orphan(number)
                lock = _lock(path, patience)
        if lock is None:
            raise EmbeddedPostgresError(
                f"A PostgreSQL that an earlier Admit One left on {self._data} doesn't end. Its"
                f" process id is the first line of {self._cluster / 'postmaster.pid'}."
            )
        return lock

    def _signal_orphan(self, number: signal.Signals) -> None:
        if sys.platform != "linux":
            return
        with contextlib.suppress(OSError, ValueError):
            pid = int((self._cluster / "postmaster.pid").read_text().splitlines()[0])
            process = os.pidfd_open(pid)
            try:
                # The file may be old and the number somebody else's by now. The
                # open handle pins the process, so what is proven stays true.
                arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if os.fsencode(self._cluster) in arguments:
                    signal.pidfd_send_signal(process, number)
            finally:
                os.close(process)

    def _start_server(self, lock: IO[str]) -> None:
        identity = self._identity or choose_identity()
        hand_over(identity, self._data, deep=False)
        if identity.output('test -w "$1"', str(self._data)) is None:
            raise EmbeddedPostgresError(
                f"The user whom PostgreSQL runs as can't write to {self._data}. Choose a data"
                " folder that everybody may walk to, or start Admit One as an ordinary user."
            )
        binaries, version = runnable_programs(identity, self._setting, self._data / "runtime")
        if self._log.exists():  # one log a run, and the last one kept
            self._log.replace(self._log.with_suffix(".old.log"))
        self._log.touch(mode=0o600)
        if self._cluster.exists():
            self._refuse_other_version(binaries, version)
            hand_over(identity, self._cluster)
        else:
            self._create_cluster(identity, binaries, version, lock)
        self._remove_remains()
        self._make_socket_folder(identity)
        settings = SETTINGS | {"unix_socket_directories": str(self._socket_folder)}
        settings["unix_socket_permissions"] = "0700"
        if version >= 18:
            settings["io_method"] = "sync"  # three processes fewer
        given = [f"--{name}={value}" for name, value in settings.items()]
        self._spawn(identity, lock, str(binaries / "postgres"), "-D", str(self._cluster), *given)

    def _refuse_other_version(self, binaries: Path, version: int) -> None:
        found = (self._cluster / "PG_VERSION").read_text().strip()
        if found != str(version):
            raise EmbeddedPostgresError(
                f"The database in {self._cluster} belongs to PostgreSQL {found}, but the programs"
                f" in {binaries} are PostgreSQL {version}. Set ADMITONE_POSTGRES_BIN to a"
                f" PostgreSQL {found}, or move the data over with pg_dump."
            )

    def _create_cluster(
        self, identity: Identity, binaries: Path, version: int, lock: IO[str]
    ) -> None:
        """Run initdb beside the final place, so that half a cluster never has its name."""
        new = self._cluster.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        text = ["--encoding=UTF8", "--locale=C.UTF-8"]
        if version >= 17:
            # The same order on every machine, whatever its C library says.
            text = ["--encoding=UTF8", "--locale=C"]
            text += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = [f"--username={NAME}", "--auth-local=trust", "--auth-host=reject"]
        program = str(binaries / "initdb")
        status = self._spawn(identity, lock, program, "-D", str(new), *access, *text).wait()
        self._dismiss_guard()
        self._server = None
        if status != 0:
            raise EmbeddedPostgresError(f"initdb failed.{self._log_tail()}")
        new.rename(self._cluster)
        folder = os.open(self._data, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _make_socket_folder(self, identity: Identity) -> None:
        folder = self._socket_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        hand_over(identity, folder, deep=False)
        # In the shared temporary folder somebody else may have been here first.
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != identity.owner:
            raise EmbeddedPostgresError(f"The folder {folder} belongs to somebody else.")
        folder.chmod(0o700)

    def _remove_remains(self) -> None:
        """Remove what a killed server leaves; both locks prove that nobody uses it."""
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        (self._socket_folder / SOCKET).unlink(missing_ok=True)
        (self._socket_folder / f"{SOCKET}.lock").unlink(missing_ok=True)

    def _spawn(self, identity: Identity, lock: IO[str], *command: str) -> subprocess.Popen[bytes]:
        guarded = ("/bin/sh", "-c", GUARDED, NAME, *identity.command, *command)
        reading, self._lifeline = os.pipe()
        try:
            with self._log.open("ab") as log:
                self._server = subprocess.Popen(  # noqa: S603 - our own command line
                    guarded,
                    stdin=lock,
                    stdout=reading,
                    stderr=log,
                    cwd=self._data,
                    # The service's environment holds its secrets.
                    env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                    start_new_session=True,  # Ctrl-C is for the service, which ends us in order
                )
        finally:
            os.close(reading)
        return self._server

    def _dismiss_guard(self) -> None:
        if self._lifeline is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._lifeline, b"\n")
            os.close(self._lifeline)
            self._lifeline = None

    def _wait_until_ready(self) -> None:
        """Ready is a connection that works, to a database that exists."""
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
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
            if found.fetchone() is None:
                connection.execute(f"CREATE DATABASE {NAME}")

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join([f" {self._log} says:", *lines])
