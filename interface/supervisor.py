"""One process that starts all the others, starts them again when they die, and ends with them.

Order up: database, schema, projector and web server. Order down: web server (it finishes
the requests in flight), projector, database.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from threading import Event
from time import monotonic
from types import FrameType
from urllib.request import urlopen

from domain.errors import AdmitOneError
from interface.bootstrap import Services, apply_schema, build, secret_keys
from interface.embedded_postgres import EmbeddedPostgres
from interface.lifeline import SUPERVISED
from interface.settings import PREFIX, Settings

WATCH_SECONDS = 0.2
READY_SECONDS = 60
STOP_SECONDS = 15
LONGEST_PAUSE_SECONDS = 10.0


class AddressInUse(AdmitOneError):
    """Something else listens on that address already."""


class NotReady(AdmitOneError):
    """The service did not get ready in time: its reasons are above."""


@dataclass
class Child:
    """A process that must not stay dead."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    restart_at: float = 0.0
    pause: float = 0.25
    started_at: float = field(default_factory=monotonic)

    def start(self) -> None:
        """In a process group of its own: Ctrl-C in a terminal is for the supervisor alone."""
        self.process = subprocess.Popen(  # noqa: S603 - our own commands
            self.command, env=self.environment, start_new_session=True
        )
        self.started_at = monotonic()

    def stop(self) -> None:
        """Ask, wait, and in the end insist."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """The service as one command."""

    def __init__(self, settings: Settings, *, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._stop = Event()
        self._server: EmbeddedPostgres | None = None
        self._children: list[Child] = []

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises `AdmitOneError` when it can't start."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._refuse_taken_address()
        try:
            conninfo = self._start_database()
            apply_schema(conninfo)
            self._start_children(conninfo)
            if self._is_ready():
                self._welcome(conninfo)
            while not self._stop.wait(WATCH_SECONDS):
                self._revive()
        finally:
            for child in reversed(self._children):
                child.stop()
            if self._server is not None:
                self._server.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _refuse_taken_address(self) -> None:
        address = (self._settings.host, self._settings.port)
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise AddressInUse(
                    f"Can't listen on {address[0]} port {address[1]}: {error.strerror}. "
                    f"Set {PREFIX}PORT or {PREFIX}HOST."
                ) from error

    def _start_database(self) -> str:
        if self._settings.database_url is not None:
            return self._settings.database_url
        self._server = EmbeddedPostgres(
            self._settings.data / "postgres", binaries=self._settings.postgres_bin
        )
        self._server.start()
        return self._server.conninfo

    def _start_children(self, conninfo: str) -> None:
        environment = os.environ | {
            SUPERVISED: "1",
            f"{PREFIX}DATABASE_URL": conninfo,
            f"{PREFIX}DATA": str(self._settings.data),
            f"{PREFIX}SECRET_KEYS": ",".join(secret_keys(self._settings)),
            f"{PREFIX}PUBLIC_URL": self._settings.public_url,
        }
        self._children = [
            Child(
                "projector",
                [sys.executable, "-m", "interface.cli", "projections", "run"],
                environment,
            ),
            Child("web server", [sys.executable, "-m", "interface.web_server"], environment),
        ]
        for child in self._children:
            child.start()

    def _is_ready(self) -> bool:
        """Wait until the web server answers; False when told to stop before it does."""
        ends_at = monotonic() + READY_SECONDS
        while not self._stop.wait(0.02):
            if self._answers():
                return True
            if monotonic() > ends_at:
                raise NotReady
            self._revive()
        return False

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self._settings.local_url}/readyz", timeout=2):  # noqa: S310 - ours
                return True
        except (HTTPException, OSError):
            return False

    def _welcome(self, conninfo: str) -> None:
        self._say(f"Admit One is at {self._settings.public_url}")
        services = build(self._settings, conninfo)
        try:
            self._offer_sign_in(services)
        finally:
            services.close()

    def _offer_sign_in(self, services: Services) -> None:
        account = services.accounts.first()
        if account is None:
            account = services.accounts.create(
                email="owner@localhost", name="Owner", roles=("owner", "admin")
            )
        if not account.has_signed_in:
            token = services.accounts.sign_in_token(account)
            self._say(f"Sign in, once, within a day: {self._settings.public_url}/sign-in/{token}")

    def _revive(self) -> None:
        if self._server is not None and self._server.poll() is not None:
            self._say("The database died; starting it again.")
            self._server.start()
        for child in self._children:
            assert child.process is not None  # noqa: S101 - all were started
            status = child.process.poll()
            if status is None:
                continue
            if child.restart_at == 0.0:
                if monotonic() - child.started_at > LONGEST_PAUSE_SECONDS:
                    child.pause = 0.25
                child.restart_at = monotonic() + child.pause * (0.5 + secrets.randbelow(100) / 100)
                child.pause = min(child.pause * 2, LONGEST_PAUSE_SECONDS)
                self._say(f"The {child.name} died with status {status}; starting it again.")
            if monotonic() >= child.restart_at:
                child.restart_at = 0.0
                child.start()
