"""The whole service as a process of its own, and an owner who talks to it over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from http.client import HTTPConnection, HTTPException
from json import dumps
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

from interface.bootstrap import Services, build
from interface.database_roles import DatabaseRole
from interface.runtime import command_database
from interface.runtime.parent_watchdog import for_children
from interface.settings import Settings
from tests.support.command_line import run_command
from tests.support.http_desk import HttpDesk
from tests.support.waiting import wait_until

OWNER = "owner@localhost"
READY_SECONDS = 60


class Answer(NamedTuple):
    """A response, with the names that Flask's test client gives to its parts."""

    status_code: int
    text: str
    headers: Message

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.text)


@dataclass
class Service(HttpDesk):
    """A running service and the means to talk to it. The owner is its first one."""

    process: subprocess.Popen[str]
    host: str
    port: int
    environment: dict[str, str]
    log_from: int = 0
    _key: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the service, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    @property
    def key(self) -> str:
        """An API key of the first owner."""
        if not self._key:
            with self.services() as services:
                owner = services.accounts.by_email(OWNER)
                self._key.append(services.api_keys.create(owner, name="", now=services.now()))
        return self._key[0]

    def api_key(self) -> str:
        """Returns the key of the first owner."""
        return self.key

    @contextmanager
    def services(self) -> Iterator[Services]:
        """Yields the application as a command beside the service builds it, in this process."""
        settings = Settings.from_environment(self.environment)
        with (
            command_database.database(settings, DatabaseRole.SERVICE) as conninfo,
            closing(build(settings, conninfo)) as services,
        ):
            wait_until(services.accounts.first)  # the service may still be starting
            yield services

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs `admitone` beside the service, in this process."""
        done = run_command(*arguments, environment=self.environment)
        completed = subprocess.CompletedProcess(arguments, *done)
        completed.check_returncode()
        return completed

    def sign_checkpoint(self) -> None:
        """Signs all that is recorded, sooner than the service does by itself."""

        def is_signed() -> bool:
            try:
                self.command("audit", "checkpoint")
            except subprocess.CalledProcessError:  # nothing is recorded yet, or it signs just now
                return False
            return True

        wait_until(is_signed)

    def call(self, method: str, path: str, json: Any = None, **headers: str) -> Answer:
        """Sends a request on a connection of its own."""
        connection = HTTPConnection(self.host, self.port, timeout=60)
        try:
            body = None if json is None else dumps(json)
            connection.request(method, path, body, {"Content-Type": "application/json"} | headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(), response.headers)
        finally:
            connection.close()


_kept_ports: list[socket.socket] = []


def free_port() -> int:
    """Returns a port of 127.0.0.1 on which nothing listens, and gives it to nobody else.

    The port stays bound until this process ends. Servers may listen on it all the same, because
    they set SO_REUSEADDR; the system chooses it for no other server and for no connection.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _kept_ports.append(kept)
    port: int = kept.getsockname()[1]
    return port


@contextmanager
def running_service(
    data: Path, conninfo: str | None, *options: str, **settings: str
) -> Iterator[Service]:
    """Runs `admitone serve` on the database at `conninfo`, or on its own in `data`."""
    started = start_service(data, conninfo, *options, **settings)
    try:
        wait_until_ready(started)
        yield started
    finally:
        stop_service(started)


def start_service(data: Path, conninfo: str | None, *options: str, **settings: str) -> Service:
    """Starts the process in a process group of its own; it may not be ready yet."""
    port = int(settings.get("ADMITONE_PORT") or free_port())
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("ADMITONE_")}
    environment = inherited | {"ADMITONE_DATA": str(data), "ADMITONE_PORT": str(port)} | settings
    if conninfo is not None:
        environment["ADMITONE_DATABASE_URL"] = conninfo
    process, log_from = _serve(environment, options)
    return Service(process, "127.0.0.1", port, environment, log_from)


def start_again(service: Service) -> Service:
    """Starts a new process with the settings and the data of one that has ended."""
    process, log_from = _serve(service.environment)
    return replace(service, process=process, log_from=log_from)


def _serve(
    environment: dict[str, str], options: Sequence[str] = ()
) -> tuple[subprocess.Popen[str], int]:
    """Returns the process, which ends with this one, and where its part of the log begins."""
    with open(Path(environment["ADMITONE_DATA"]) / "service.log", "a") as log:
        log_from = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "interface.cli", "serve", *options],
            env=for_children(environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return process, log_from


def wait_until_ready(service: Service) -> None:
    """Returns when /readyz says so and the welcome is printed, so that there is an account."""
    ends_at = monotonic() + READY_SECONDS
    while monotonic() < ends_at:
        if service.process.poll() is not None:
            raise AssertionError(f"serve ended with {service.process.returncode}")
        try:
            answer = service.call("GET", "/readyz")
            if answer.status_code == 200 and "Admit One is at" in log_of(service):
                return
        except (OSError, HTTPException):
            pass
        sleep(0.02)
    raise AssertionError("the service did not get ready")


def log_of(service: Service) -> str:
    """Returns everything that the service has printed since it was started."""
    log = (Path(service.environment["ADMITONE_DATA"]) / "service.log").read_bytes()
    return log[service.log_from :].decode()


def stop_service(service: Service) -> None:
    """Stops the service like Ctrl-C, unless it has ended."""
    if service.process.poll() is None:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(60) == 0, log_of(service)
