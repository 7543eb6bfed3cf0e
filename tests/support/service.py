"""The whole service as a process of its own, and people who talk to it over HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Barrier
from time import monotonic, sleep
from typing import Any, NamedTuple, TypeVar

from interface.runtime.parent_watchdog import for_children
from tests.support.examples import calendar_json, redeem_json

T = TypeVar("T")

READY_SECONDS = 60


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Service:
    """A running service and the means to talk to it."""

    process: subprocess.Popen[str]
    host: str
    port: int
    environment: dict[str, str]
    log_from: int = 0
    _key: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def key(self) -> str:
        """An API key of the first owner."""
        if not self._key:
            lines = self.command("keys", "create", "--account", "owner@localhost").stdout
            self._key.append(lines.strip().splitlines()[-1])
        return self._key[0]

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `admitone` beside the service."""
        return subprocess.run(
            [sys.executable, "-m", "interface.cli", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = HTTPConnection(self.host, self.port, timeout=60)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, {"Content-Type": "application/json"} | headers)
            response = connection.getresponse()
            raw = response.read()
            kind = response.headers.get_content_type()
            parsed = json.loads(raw) if kind.endswith("json") else raw.decode()
            return Answer(
                response.status,
                parsed,
                {name.lower(): value for name, value in response.getheaders()},
            )
        finally:
            connection.close()

    def owner(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request of the owner, below /api/v1."""
        authorization = {"Authorization": f"Bearer {self.key}"}
        return self.call(method, f"/api/v1{path}", body, **authorization, **headers)

    def new_calendar(self, **changes: Any) -> str:
        """The id of a new calendar."""
        answer = self.owner("POST", "/calendars", calendar_json(**changes))
        assert answer.status == 201, answer
        calendar_id: str = answer.body["id"]
        return calendar_id

    def new_links(self, calendar_id: str, count: int) -> list[dict[str, Any]]:
        """That many new links."""
        answer = self.owner(
            "POST", f"/calendars/{calendar_id}/links/batch", {"links": [{}] * count}
        )
        assert answer.status == 201, answer
        items: list[dict[str, Any]] = answer.body["items"]
        return items

    def slots(self, token: str) -> list[str]:
        """The starts of the free slots of two weeks."""
        answer = self.call("GET", f"/api/v1/booking-links/{token}/slots")
        assert answer.status == 200, answer
        return [slot["start"] for slot in answer.body["slots"]]

    def redeem(self, token: str, start: str, *, key: str | None = None, **changes: Any) -> Answer:
        """Book as an invitee does."""
        headers = {"Idempotency-Key": key} if key else {}
        return self.call(
            "POST",
            f"/api/v1/booking-links/{token}/redeem",
            redeem_json(start, **changes),
            **headers,
        )


def at_once(calls: list[Callable[[], T]]) -> list[T]:
    """Make all calls at the same moment, each in a thread of its own."""
    barrier = Barrier(len(calls))

    def start(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(start, calls))


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Look again and again. The limit is there to end a run that hangs."""
    ends_at = monotonic() + seconds
    while not condition():
        assert monotonic() < ends_at, "it did not happen"
        sleep(0.02)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_service(data: Path, conninfo: str | None, **settings: str) -> Iterator[Service]:
    """`admitone serve` on the database at `conninfo`, or on its own in `data`."""
    started = start_service(data, conninfo, **settings)
    try:
        wait_until_ready(started)
        yield started
    finally:
        stop_service(started)


def start_service(data: Path, conninfo: str | None, **settings: str) -> Service:
    """The process alone, in a process group of its own; it may not be ready yet."""
    port = int(settings.get("ADMITONE_PORT") or free_port())
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("ADMITONE_")}
    environment = inherited | {"ADMITONE_DATA": str(data), "ADMITONE_PORT": str(port)} | settings
    if conninfo is not None:
        environment["ADMITONE_DATABASE_URL"] = conninfo
    process, log_from = _serve(environment)
    return Service(process, "127.0.0.1", port, environment, log_from)


def start_again(service: Service) -> Service:
    """A new process with the settings, and so with the data, of one that has ended."""
    process, log_from = _serve(service.environment)
    return replace(service, process=process, log_from=log_from)


def _serve(environment: dict[str, str]) -> tuple[subprocess.Popen[str], int]:
    """The process, which ends with this one, and where in the log its own words begin."""
    with open(Path(environment["ADMITONE_DATA"]) / "service.log", "a") as log:
        log_from = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "interface.cli", "serve"],
            env=for_children(environment),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return process, log_from


def wait_until_ready(service: Service) -> None:
    """Return when /readyz says so and the welcome is printed."""
    ends_at = monotonic() + READY_SECONDS
    while monotonic() < ends_at:
        if service.process.poll() is not None:
            raise AssertionError(f"serve ended with {service.process.returncode}")
        try:
            answer = service.call("GET", "/readyz")
            if answer.status == 200 and "Admit One is at" in log_of(service):
                return
        except (OSError, HTTPException):
            pass
        sleep(0.02)
    raise AssertionError("the service did not get ready")


def log_of(service: Service) -> str:
    """All that the service has printed since it was started."""
    log = (Path(service.environment["ADMITONE_DATA"]) / "service.log").read_bytes()
    return log[service.log_from :].decode()


def stop_service(service: Service) -> None:
    """As Ctrl-C does."""
    if service.process.poll() is None:
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(60) == 0, log_of(service)
