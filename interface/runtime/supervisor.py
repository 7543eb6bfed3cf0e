"""The process that starts all the others, starts them again when they die, and stops them.

It starts the database, applies the schema, then starts sender, projector and web server. It stops
them the other way round: the web server first, which finishes its requests.
"""

import errno
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType

from application.people.accounts import Account
from domain.errors import AdmitOneError, Invalid, Unavailable
from interface.bootstrap import Services, apply_schema, build
from interface.key_store import secret_keys
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.runtime.heartbeat import WorkerWatch
from interface.runtime.managed_process import ManagedProcess
from interface.runtime.parent_watchdog import for_children
from interface.runtime.readiness_probe import why_not_ready
from interface.settings import PREFIX, Settings, SettingsError

WATCH_SECONDS = 0.2
START_SECONDS = 0.05  # between two checks while it starts
ADDRESS_SECONDS = 3.0  # how long the workers of a killed service may hold the address
NOTICE_SECONDS = 30.0  # between two messages about what it waits for
FIRST_OWNER = "owner@localhost"


class AddressInUse(AdmitOneError):
    """Something else already listens on this address."""


class Supervisor:
    """The whole service as one command."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._stop = Event()
        self._server: EmbeddedPostgres | None = None
        self._children: list[ManagedProcess] = []
        self._workers: WorkerWatch | None = None

    def run(self) -> None:
        """Serves until SIGINT or SIGTERM. Raises `AdmitOneError` if it can't start."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
            signal.signal(signal.SIGHUP, self._on_signal)
        try:
            conninfo = self._start_database()
            self._wait_for_address()
            apply_schema(conninfo)
            self._start_children(conninfo)
            if self._is_ready():
                self._welcome(conninfo)
            while not self._stop.wait(WATCH_SECONDS):
                self._revive()
                self._replace_silent_workers()
            self._say("Stopping.")
        finally:
            for child in reversed(self._children):
                child.stop()
            if self._server is not None:
                self._server.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _start_database(self) -> str:
        if self._settings.database_url is not None:
            return self._settings.database_url
        self._server = EmbeddedPostgres(
            self._settings.data / "postgres", binaries=self._settings.postgres_bin
        )
        self._server.start()
        return self._server.conninfo

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

    def _start_children(self, conninfo: str) -> None:
        folder = self._empty_metrics_folder()
        self._workers = WorkerWatch(folder)
        environment = for_children(os.environ) | {
            f"{PREFIX}DATABASE_URL": conninfo,
            f"{PREFIX}DATA": str(self._settings.data),
            f"{PREFIX}SECRET_KEYS": ",".join(secret_keys(self._settings)),
            "PROMETHEUS_MULTIPROC_DIR": str(folder),
        }
        projector = ("interface.cli", "projections", "run")
        deliveries = ("interface.cli", "deliveries", "run")
        self._children = [
            ManagedProcess("sender", *deliveries, environment=environment),
            ManagedProcess("projector", *projector, environment=environment),
            ManagedProcess("web server", "interface.runtime.web_server", environment=environment),
        ]
        for child in self._children:
            child.start()

    def _empty_metrics_folder(self) -> Path:
        """Creates the folder in which the web workers count, one for each port.

        Nobody else can be counting there, because this process holds the port.
        """
        folder = self._settings.data / "metrics" / str(self._settings.port)
        try:
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
        except OSError as error:
            raise SettingsError(
                f"Metrics can't be stored in {folder}: {error.strerror}."
            ) from error
        return folder

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

    def _welcome(self, conninfo: str) -> None:
        self._say(f"Admit One is at {self._settings.public_url}")
        services = build(self._settings, conninfo)
        try:
            account = services.accounts.first() or _first_owner(services)
            if services.accounts.anybody_has_signed_in():
                return
            # A log that others may read must not let them in.
            if sys.stdout.isatty():
                self._say(f"Sign in (once, within a day): {services.sign_in_url(account)}")
            else:
                self._say(f"To sign in: admitone accounts sign-in-link {account.email}")
        except Unavailable:
            self._say("The database stopped answering before a sign-in link was created.")
        finally:
            services.close()

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
        if self._server is not None and self._server.poll() is not None:
            self._say("The database died; starting it again.")
            self._server.start()
        for child in self._children:
            if news := child.revive():
                self._say(news)


def _obstacle(host: str, port: int) -> OSError | None:
    """Returns what keeps this process from listening on the address, or None."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def _first_owner(services: Services) -> Account:
    try:
        return services.accounts.create(email=FIRST_OWNER, name="Owner", roles=("owner", "admin"))
    except Invalid:  # another service on the same database was faster
        return services.accounts.by_email(FIRST_OWNER)
