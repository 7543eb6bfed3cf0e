"""The process that starts all the others, starts them again when they die, and stops them.

It starts the database, and while that gets ready loads the modules of the whole service, once: it
applies the schema, then forks sender, projector and web server, which share these modules. It
stops them the other way round: the web server first, which finishes its requests.

So this process may hold no locks and have no threads of its own at work. What needs connections
with threads runs in a process of its own.
"""

import errno
import os
import shutil
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import Process
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

from domain.errors import AdmitOneError
from interface.database_roles import DatabaseRole
from interface.loading import without_garbage_collection
from interface.private_files import make_private
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.runtime.heartbeat import WorkerWatch
from interface.runtime.managed_process import ManagedProcess
from interface.runtime.metrics_folder import empty_metrics_folder
from interface.runtime.postgres_binaries import EmbeddedPostgresError
from interface.runtime.readiness_probe import why_not_ready
from interface.settings import PREFIX, Settings, SettingsError

if TYPE_CHECKING:
    from interface.runtime.loaded_service import LoadedService

WATCH_SECONDS = 0.2
START_SECONDS = 0.05  # between two checks while it starts
ADDRESS_SECONDS = 3.0  # how long the workers of a killed service may hold the address
DATABASE_SECONDS = 1.0  # between two attempts to start it again
NOTICE_SECONDS = 30.0  # between two messages about what it waits for


_AS_ROOT = "Admit One runs as root, so whoever breaks into it has this machine. "
_ORDINARY = " Start Admit One as an ordinary user."
_WITHOUT_ROOTS_FILES = (
    f"{_AS_ROOT}PostgreSQL alone runs as another user, who can't reach root's files.{_ORDINARY}"
)
_WITH_ROOTS_FILES = (
    f"{_AS_ROOT}PostgreSQL too reaches all of root's files, because no other user reaches the data"
    f" folder.{_ORDINARY}"
)


class AddressInUse(AdmitOneError):
    """Something else already listens on this address."""


class Supervisor:
    """The whole service as one command."""

    def __init__(
        self, settings: Settings, *, say: Callable[[str], None], web_only: bool = False
    ) -> None:
        """With `web_only`, projector and sender are left to other commands."""
        self._settings = settings
        self._web_only = web_only
        self._print = say
        self._stop = Event()
        self._server: EmbeddedPostgres | None = None
        self._children: list[ManagedProcess] = []
        self._metrics: Path | None = None
        self._workers: WorkerWatch | None = None
        self._database_again_at = 0.0
        self._database_failed = False

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM. Raises `AdmitOneError` if it can't start."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
            signal.signal(signal.SIGHUP, self._on_signal)
        try:
            self._close_data_folder()
            self._launch_database()
            self._wait_for_address()
            service = self._start_children()
            if self._is_ready():
                self._welcome(service)
            while not self._stop.wait(WATCH_SECONDS):
                self._revive()
                self._replace_silent_workers()
            self._say("Stopping.")
        finally:
            for child in reversed(self._children):
                child.stop()
            if self._server is not None:
                self._server.stop()
            if self._metrics is not None:
                shutil.rmtree(self._metrics, ignore_errors=True)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _close_data_folder(self) -> None:
        folder = self._settings.data
        try:
            make_private(folder, except_for=self._settings.embedded_database)
        except OSError as error:
            raise SettingsError(f"{folder} can't be made private: {error.strerror}.") from error

    def _launch_database(self) -> None:
        """Starts the embedded database, unless there is another. It may not answer yet."""
        if self._settings.database_url is not None:
            return
        server = EmbeddedPostgres(
            self._settings.embedded_database, binaries=self._settings.postgres_bin
        )
        self._server = server
        server.launch()
        if os.geteuid() == 0:
            self._say(_WITH_ROOTS_FILES if server.owns_our_files else _WITHOUT_ROOTS_FILES)
        self._settings = replace(
            self._settings,
            database_url=server.conninfo_of(DatabaseRole.SERVICE),
            owner_database_url=server.conninfo_of(DatabaseRole.OWNER),
            projector_database_url=server.conninfo_of(DatabaseRole.PROJECTOR),
            auditor_database_url=server.conninfo_of(DatabaseRole.AUDITOR),
        )

    def _wait_for_address(self) -> None:
        """Raises `AddressInUse` if the address stays in use.

        Web workers share the port, so they would not notice another user of it themselves.
        """
        ends_at = monotonic() + ADDRESS_SECONDS
        host, port = self._settings.host, self._settings.port
        while (error := _obstacle(host, port)) is not None:
            taken = error.errno == errno.EADDRINUSE and monotonic() < ends_at
            if not taken or self._stop.wait(START_SECONDS):
                raise AddressInUse(
                    f"Can't listen on {host} port {port}: {error.strerror}."
                    f" Set {PREFIX}PORT or {PREFIX}HOST."
                )

    def _start_children(self) -> "LoadedService":
        self._metrics = folder = empty_metrics_folder(self._settings)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # read when its library is imported
        with without_garbage_collection():  # slow, so the database is starting meanwhile
            from interface.runtime.loaded_service import LoadedService

            service = LoadedService(self._settings, web_only=self._web_only)
        self._prepare_database(service)
        self._workers = WorkerWatch(folder)
        self._children = [
            ManagedProcess(name, partial(self._as_child, work))
            for name, work in service.processes.items()
        ]
        for child in self._children:
            child.start()
        return service

    def _prepare_database(self, service: "LoadedService") -> None:
        """Creates or upgrades the tables, once the database answers.

        Raises `SystemExit` if the service is stopped before.
        """
        from interface.runtime.database_start import once_reachable

        server, wait = self._server, self._settings.database_wait
        if server is None:
            once_reachable(service.owner_url, service.apply_schema, seconds=wait, stop=self._stop)
            return

        def prepare_embedded() -> None:
            server.start()  # it runs, unless it died meanwhile
            service.prepare_embedded(server.conninfo)

        once_reachable(server.conninfo, prepare_embedded, seconds=wait, stop=self._stop)

    def _as_child(self, work: Callable[[], None]) -> None:
        if self._server is not None:
            self._server.disown()
        work()

    def _is_ready(self) -> bool:
        """Waits until people can book. Returns False if it is stopped before."""
        said_at = monotonic()
        while not self._stop.wait(START_SECONDS):
            self._revive()
            reason = why_not_ready(self._settings)
            if reason is None:
                return True
            if monotonic() - said_at > NOTICE_SECONDS:
                self._say(f"Not ready yet. {reason}")
                said_at = monotonic()
        return False

    def _welcome(self, service: "LoadedService") -> None:
        welcome = partial(service.welcome, self._say)
        process = Process(target=self._as_child, args=(welcome,))
        process.start()
        process.join()

    def _replace_silent_workers(self) -> None:
        """Kills workers that live but answer nobody; the web server starts others."""
        if self._workers is None:
            return
        for process in self._workers.silent():
            self._say(f"Web worker {process} has not answered for 10 seconds; replacing it.")
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            self._workers.forget(process)

    def _revive(self) -> None:
        if self._server is not None and not self._server.is_running():
            self._revive_database(self._server)
        for child in self._children:
            if news := child.revive():
                self._say(news)

    def _revive_database(self, server: EmbeddedPostgres) -> None:
        """Starts the database again. If that fails, as on a full disk, tries again later.

        It also tries again later while a command runs the database.
        """
        if monotonic() < self._database_again_at:
            return
        if not self._database_failed:
            self._say("The database died; starting it again.")
        try:
            server.start()
        except EmbeddedPostgresError as error:
            if not self._database_failed:
                self._say(f"{error}\nThis is tried again until it succeeds.")
            self._database_failed = True
            self._database_again_at = monotonic() + DATABASE_SECONDS
        else:
            if self._database_failed:
                self._say("The database runs again.")
            self._database_failed = False

    def _say(self, text: str) -> None:
        with suppress(OSError):  # there may be no room for what it says
            self._print(text)


def _obstacle(host: str, port: int) -> OSError | None:
    """Returns what keeps this process from listening on the address, or None."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None
