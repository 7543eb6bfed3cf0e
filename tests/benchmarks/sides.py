"""The services that are measured beside each other, each as it is run."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from domain.booking_rules import WEEKDAYS
from interface.runtime import web_server
from interface.runtime.parent_watchdog import for_children
from interface.settings import Settings
from tests.benchmarks import usage
from tests.benchmarks.crud import mails
from tests.benchmarks.crud import service as crud
from tests.benchmarks.load import Target
from tests.benchmarks.usage import Kinds
from tests.support import processes
from tests.support.service import Service, free_port
from tests.support.waiting import wait_until

OURS, UNTOLD = "Admit One", "Admit One, nobody told"
CRUD, CRUD_TOLD, CRUD_WSGI = "CRUD", "CRUD with mails", "CRUD, granian WSGI"
KEY = "a-key-that-is-long-enough-for-a-benchmark"
WORKERS = Settings.workers  # as many as ours
STOP_SECONDS = 20
REST_SECONDS = 600  # senders come last, and have little of a processor that others want
_ALL_SHOWN = """
    SELECT min(position) >= (SELECT max(notification_id) FROM stored_events)
    FROM projection_positions"""
# Reminders and other deliveries that are due later do not count. The query costs the server CPU
# that is measured, so it is sent seldom and is answered from an index.
_ALL_TOLD = """
    SELECT NOT EXISTS (SELECT FROM unnest(ARRAY['mail', 'webhook']) AS one CROSS JOIN LATERAL (
            SELECT FROM deliveries WHERE state = 'due' AND attempts = 0 AND channel = one
                AND next_attempt_at <= now() LIMIT 1) AS untried)
        AND NOT EXISTS (SELECT FROM deliveries WHERE state = 'due' AND attempts > 0)"""
_ASKED_EVERY_SECONDS = 0.1
SERVE: dict[str, list[str]] = {
    CRUD: ["-m", "tests.benchmarks.crud.server"],
    CRUD_TOLD: ["-m", "tests.benchmarks.crud.server"],
    # As its author would run it: the server's own WSGI side, and no front.
    CRUD_WSGI: [
        *("-m", "granian", "--interface", "wsgi", "--factory", "--no-ws"),
        *("--workers", str(WORKERS), "--blocking-threads", str(web_server.THREADS)),
        "tests.benchmarks.crud.server:application",
    ],
}
_MAILER = ["-m", "tests.benchmarks.crud.mails"]


@dataclass
class Side:
    """A running service, its processes by kind, and how to wait for what they do afterwards.

    `show` waits until all views show what was written, and `rest` until nothing is left to do.
    """

    name: str
    conninfo: str
    target: Target
    kinds: Kinds
    show: Callable[[], None]
    rest: Callable[[], None]


def our_side(service: Service, conninfo: str) -> Side:
    """Returns our service with a new calendar."""
    calendar_id = service.new_calendar(
        duration_minutes=1,
        availability={"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}},
        booking_window_days=365,
    )
    target = Target(service.port, service.key, calendar_id)

    def show() -> None:
        _wait_for(conninfo, _ALL_SHOWN)

    def rest() -> None:
        show()
        _wait_for(conninfo, _ALL_TOLD)

    return Side(OURS, conninfo, target, usage.ours(service.process.pid), show, rest)


@contextmanager
def untold(side: Side, supervisor: int) -> Iterator[Side]:
    """Returns our service whose sender stands still, as the hand-written service tells nobody."""
    (sender,) = [each for each in processes.children(supervisor) if each.name == usage.SENDER]
    sender.freeze()
    try:
        yield replace(side, name=UNTOLD, rest=side.show)
    finally:
        sender.thaw()


@contextmanager
def crud_side(name: str, conninfo: str, folder: Path) -> Iterator[Side]:
    """Runs the hand-written service on the empty database at `conninfo`."""
    crud.create_tables(conninfo)
    port = free_port()
    environment = os.environ | {
        "CRUD_DATABASE_URL": conninfo,
        "CRUD_KEY_SHA256": hashlib.sha256(KEY.encode()).hexdigest(),
        "CRUD_PORT": str(port),
        "CRUD_WORKERS": str(WORKERS),
        "GRANIAN_HOST": "127.0.0.1",
        "GRANIAN_PORT": str(port),
    }
    if name == CRUD_TOLD:
        environment["CRUD_MAILS"] = str(folder / "mails of CRUD")
    if name != CRUD_WSGI:
        environment = for_children(environment)
    log = folder / f"{port}.log"
    with ExitStack() as stack:
        server = stack.enter_context(_running(SERVE[name], environment, log))
        kinds: Kinds = {usage.WEB: lambda: processes.family(server.pid)}
        rest = _nothing
        if name == CRUD_TOLD:
            mailer = stack.enter_context(_running(_MAILER, environment, log))
            kinds = {**kinds, usage.OTHER: lambda: processes.family(mailer.pid)}
            rest = partial(_wait_for, conninfo, mails.IS_EMPTY)
        wait_until(lambda: server.poll() is not None or _answers(port))
        if server.poll() is not None:
            raise AssertionError(log, log.read_text())
        target = Target(port, KEY, str(crud.CALENDAR_ID))
        yield Side(name, conninfo, target, kinds, show=_nothing, rest=rest)


@contextmanager
def _running(
    arguments: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs Python with these arguments in a session of its own."""
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait_for(conninfo: str, query: LiteralString) -> None:
    """Waits until the answer to a query is true."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("SET enable_seqscan = off")
        wait_until(
            lambda: conn.execute(query).fetchone() == (True,),
            REST_SECONDS,
            every=_ASKED_EVERY_SECONDS,
        )


def _nothing() -> None:
    """Waits for nothing: when it has answered, everything is done."""


def in_rounds(
    sides: Sequence[Side],
    clients: Sequence[int],
    rounds: int,
    measured: Callable[[Side, int], dict[str, Any]],
) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """Returns what was measured in each round, by the number of clients and by side.

    The sides take turns forwards and backwards, so that nobody is always the last.
    """
    runs: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for number in range(rounds):
        for count in clients:
            for side in sides if number % 2 == 0 else reversed(sides):
                runs.setdefault(count, {}).setdefault(side.name, []).append(measured(side, count))
    return runs


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
