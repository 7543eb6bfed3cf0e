"""Clients of several processes at work on a service, and what came of it."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec
import psycopg

from domain.booking_rules import WEEKDAYS
from tests.faults.clients import Orders
from tests.faults.history import Entry, Operation, read_log
from tests.support.service import Service

ALL_DAY = {"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}}
TERMS = ((30, 0, 0), (30, 15, 0), (30, 0, 45))
"""Of the calendars: duration, and buffers before and after, in minutes."""


@dataclass
class Result:
    """What came of it: the history, how often each answer was given, and the log."""

    operations: list[Operation]
    answers: Counter[str]
    log: list[Entry]


class Workload:
    """Processes full of clients, each of which talks to one of the hosts of a service.

    They ask for so many operations in all, and go on until they may end.
    """

    def __init__(
        self,
        hosts: Sequence[Service],
        folder: Path,
        random: Random,
        *,
        operations: int,
        processes: int = 2,
        threads: int = 6,
        name: str = "client",
    ) -> None:
        """Starts them. `folder` gets what they tell each other, and their history.

        Each `name` may work on a service once: it is in the keys of their requests.
        """
        calendars = [
            hosts[0].new_calendar(
                duration_minutes=duration,
                start_increment_minutes=30,
                buffer_before_minutes=before,
                buffer_after_minutes=after,
                availability=ALL_DAY,
                booking_window_days=365,
            )
            for duration, before, after in TERMS
        ]
        first = datetime.now(UTC).replace(hour=0, minute=0, second=0) + timedelta(days=2)
        links = folder / "links.txt"
        self._history = folder / "history.jsonl"
        for file in (links, self._history):
            file.touch()
        self._enough = folder / "enough"
        self._read_to = 0
        self._recorded: list[tuple[Operation, str]] = []
        self._running = []
        for number in range(processes):
            host = hosts[number % len(hosts)]
            orders = Orders(
                name=f"{name} {number}",
                seed=random.getrandbits(32),
                threads=threads,
                operations=operations // processes,
                host=host.host,
                port=host.port,
                api_key=hosts[0].key,
                calendars=calendars,
                first_start=f"{first:%Y-%m-%dT%H:%M:%SZ}",
                links=str(links),
                history=str(self._history),
                enough=str(self._enough),
            )
            client = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.clients"],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            assert client.stdin is not None
            with client.stdin as orders_of_client:
                orders_of_client.write(msgspec.json.encode(orders))
            self._running.append(client)

    def is_going_on(self) -> bool:
        """Returns True until all clients have ended."""
        return any(client.poll() is None for client in self._running)

    def may_end(self) -> None:
        """Lets the clients end once they have asked for enough."""
        self._enough.touch()

    def stop(self) -> None:
        """Kills what still runs."""
        for client in self._running:
            client.kill()
            client.wait()

    def operations(self) -> list[Operation]:
        """Returns what has been asked and answered so far."""
        self._read_on()
        return [operation for operation, _ in self._recorded]

    def result(self, conninfo: str) -> Result:
        """Waits for all clients, and returns what came of it."""
        assert [client.wait() for client in self._running] == [0] * len(self._running)
        self._read_on()
        with psycopg.connect(conninfo) as conn:
            log = read_log(conn)
        answers = Counter(answer for _, answer in self._recorded)
        return Result(self.operations(), answers, log)

    def _read_on(self) -> None:
        """Reads what has been added to the history. Its last line may be half written."""
        with self._history.open("rb") as file:
            file.seek(self._read_to)
            lines = file.read().rpartition(b"\n")[0]
        self._read_to += len(lines) + 1 if lines else 0
        for operation, answer in map(json.loads, lines.splitlines()):
            known = msgspec.convert(operation | _inf_of(operation), Operation)
            self._recorded.append((known, answer))


def _inf_of(operation: dict[str, object]) -> dict[str, object]:
    """JSON has no infinity: an operation without an answer was written with null."""
    return {"answered": float("inf")} if operation["answered"] is None else {}
