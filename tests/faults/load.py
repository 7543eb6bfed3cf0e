"""Clients that write and read over HTTP at a steady rate, and record the answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from random import Random
from statistics import quantiles
from threading import Event, Thread
from time import monotonic
from typing import Any, NamedTuple

from tests.support.service import Service

THREADS = 8
STALE_SECONDS = 5.0
"""After this time every read has to show what was acknowledged."""


class Taken(NamedTuple):
    """The time at which a request was due, and the seconds that it took from then."""

    due: float
    seconds: float


@dataclass
class Load:
    """`rate` writes and as many reads each second, each counted from when it was due.

    A link is issued and, some time later, revoked. Readers ask for links whose state has been
    acknowledged for `STALE_SECONDS`, one by one and as the owner's list.
    """

    service: Service
    rate: int = 50
    writes: list[Taken] = field(default_factory=list)
    reads: list[Taken] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _states: dict[str, tuple[str, float]] = field(default_factory=dict)
    _random: Random = field(default_factory=lambda: Random(1))

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Runs the clients within the block."""
        self.calendar = self.service.new_calendar()
        stop = Event()
        threads = [
            Thread(target=self._pace, args=(work, place, stop))
            for place in range(THREADS)
            for work in (self._write, self._read)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def p99(self, taken: list[Taken], since: float, until: float) -> float:
        """Returns the 99th percentile in milliseconds of the requests due in a period."""
        seconds = [each.seconds for each in taken if since <= each.due < until]
        assert len(seconds) > 100
        return quantiles(seconds, n=100)[98] * 1000

    def _pace(self, work: Any, place: int, stop: Event) -> None:
        connection = HTTPConnection(self.service.host, self.service.port, timeout=30)
        due = monotonic() + place / self.rate
        while not stop.wait(max(0.0, due - monotonic())):
            work(connection, due)
            due += THREADS / self.rate
        connection.close()

    def _write(self, connection: HTTPConnection, due: float) -> None:
        ready = [
            link
            for link, (state, at) in list(self._states.items())[-500:]
            if state == "active" and due - at > STALE_SECONDS
        ]
        if ready and self._random.random() < 0.3:
            link = self._random.choice(ready)
            self._states[link] = ("changing", monotonic())
            status, body = self._call(connection, "POST", f"/links/{link}/revoke", {})
            expected, state = 200, "revoked"
        else:
            status, body = self._call(connection, "POST", f"/calendars/{self.calendar}/links", {})
            expected, state = 201, "active"
        done = monotonic()
        self.writes.append(Taken(due, done - due))
        if status != expected:
            self.faults.append(f"a write was answered {status}: {body}")
        else:
            self._states[body["id"]] = (state, done)

    def _read(self, connection: HTTPConnection, due: float) -> None:
        settled = [
            (link, state)
            for link, (state, at) in list(self._states.items())
            if state != "changing" and monotonic() - at > STALE_SECONDS
        ]
        if not settled:
            return
        link, state = self._random.choice(settled)
        if self._random.random() < 0.5:
            status, body = self._call(connection, "GET", f"/links/{link}")
            found = body.get("status")
        else:
            path = f"/links?calendar_id={self.calendar}&limit=100"
            status, body = self._call(connection, "GET", path)
            # The list is long: who is not on its first page is looked for where it begins.
            found = state if body.get("items") else None
        self.reads.append(Taken(due, monotonic() - due))
        if (status, found) != (200, state) and self._states[link][0] == state:
            self.faults.append(f"{link} is {state} and was read as {status} {found}")

    def _call(
        self, connection: HTTPConnection, method: str, path: str, body: Any = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {
            "Authorization": f"Bearer {self.service.key}",
            "Content-Type": "application/json",
        }
        sent = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1{path}", sent, headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        return response.status, answer
