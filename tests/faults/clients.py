"""`python -m tests.faults.clients`: a process full of clients who record what they are told.

Reads its orders from standard input, as JSON of `Orders`. Each client is a thread with a
connection of its own. It issues, redeems, revokes and replaces links, its own and those of
others, waits for an answer for a while, and often repeats what was not answered.
"""

import json
import sys
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from math import inf
from pathlib import Path
from random import Random
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, NamedTuple

import msgspec

from tests.faults.history import DONE, UNKNOWN, Operation

REPEATS = 6
NEWEST_LINKS = 12
STARTS = 12
SLOT = timedelta(minutes=30)
SLOTS = 360 * 48
"""So many can be booked: a year ahead, less the days before the first. Then they begin anew."""


class Orders(msgspec.Struct):
    """What the clients of a process do: at least so many operations, from `first_start` on.

    `links` is a file to which all processes add the links that they issue. They go on until there
    is a file `enough`.
    """

    name: str
    seed: int
    threads: int
    operations: int
    host: str
    port: int
    api_key: str
    calendars: list[str]
    first_start: str
    links: str
    history: str
    enough: str


class KnownLink(NamedTuple):
    """A link that somebody issued; `number` is its place among them."""

    number: int
    id: str
    token: str


class Clients:
    """The threads of a process."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._lock = Lock()
        self._left = orders.operations
        self._encode = msgspec.json.Encoder().encode

    def work(self) -> None:
        """Returns when that is done."""
        threads = [Thread(target=self._client, args=(n,)) for n in range(self._orders.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _client(self, number: int) -> None:
        client = Client(self._orders, number, self._record)
        while self._left > 0 or not Path(self._orders.enough).exists():
            client.act()
        client.close()

    def _record(self, operation: Operation, answer: str) -> None:
        """Adds a line: an operation, and the status that it was answered."""
        with self._lock:
            self._left -= 1
            with Path(self._orders.history).open("ab", buffering=0) as file:
                file.write(self._encode([operation, answer]) + b"\n")


class Client:
    """Somebody who asks for one thing after the other, and often again."""

    def __init__(
        self, orders: Orders, number: int, record: Callable[[Operation, str], None]
    ) -> None:
        self._orders = orders
        self._record = record
        self._name = f"{orders.name}.{number}"
        self._random = Random(f"{orders.seed} {self._name}")
        self._first_start = datetime.fromisoformat(orders.first_start)
        self._asked = 0
        self._links: deque[KnownLink] = deque(maxlen=NEWEST_LINKS)
        self._links_seen = self._links_read_to = 0
        self._connection: HTTPConnection | None = None

    def act(self) -> None:
        """Asks for one thing, and again until there is an answer or patience ends."""
        self._asked += 1
        links = self._newest_links()
        kind = self._random.choices(
            ("issue", "redeem", "revoke", "replace"), (20, 60, 6, 6) if links else (1, 0, 0, 0)
        )[0]
        key: str | None = f"{self._name} {self._asked}"
        start: str | None = None
        link: KnownLink | None = None
        body: dict[str, Any] = {}
        if kind == "issue":
            path = f"/calendars/{self._random.choice(self._orders.calendars)}/links"
        else:
            link = self._random.choice(links)
            path = f"/links/{link.id}/{kind}"
        if kind == "revoke" or (kind == "redeem" and self._random.random() < 0.2):
            key = None
        if kind == "redeem" and link is not None:
            slot = (link.number // 2 + self._random.randrange(STARTS)) % SLOTS
            at = self._first_start + SLOT * slot
            start = f"{at:%Y-%m-%dT%H:%M:%SZ}"
            path = f"/booking-links/{link.token}/redeem"
            body = {"start": start, "invitee": {"name": self._name, "email": "ada@example.org"}}
        patience = self._random.choice((0.3, 2, 10, 10))
        repeats = 1 if kind == "redeem" and key is None else self._random.choice((1, REPEATS))
        for _ in range(repeats):
            if self._asks(kind, path, body, key, link.id if link else None, start, patience):
                return
            sleep(self._random.uniform(0, 0.4))

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asks(
        self,
        kind: str,
        path: str,
        body: dict[str, Any],
        key: str | None,
        link: str | None,
        start: str | None,
        patience: float,
    ) -> bool:
        """Sends a request and records what came of it; returns whether it was answered."""
        called = monotonic()
        outcome, answer, made = UNKNOWN, "none", None
        try:
            status, content = self._send(path, body, key, patience)
        except (OSError, HTTPException) as error:
            answer = type(error).__name__
            self.close()
        else:
            answer = str(status)
            if status in (200, 201):
                outcome = DONE
                made = content["id"] if kind in ("issue", "replace") else None
            elif 400 <= status < 500:
                outcome = content["type"].removeprefix("/problems/")
                answer = f"{status} {outcome}"
            if made is not None:
                with Path(self._orders.links).open("a") as file:
                    file.write(f"{made} {content['token']}\n")
        answered = inf if outcome == UNKNOWN else monotonic()
        self._record(Operation(kind, called, answered, outcome, key, link, start, made), answer)
        return outcome != UNKNOWN

    def _send(
        self, path: str, body: dict[str, Any], key: str | None, patience: float
    ) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = HTTPConnection(self._orders.host, self._orders.port)
        self._connection.timeout = patience
        if self._connection.sock is not None:
            self._connection.sock.settimeout(patience)
        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {self._orders.api_key}"
        if key is not None:
            headers["Idempotency-Key"] = key
        self._connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def _newest_links(self) -> deque[KnownLink]:
        """Returns the last links that anybody has issued."""
        with Path(self._orders.links).open("rb") as file:
            file.seek(self._links_read_to)
            lines = file.read().rpartition(b"\n")[0]
        self._links_read_to += len(lines) + 1 if lines else 0
        for line in lines.decode().splitlines():
            self._links_seen += 1
            self._links.append(KnownLink(self._links_seen, *line.split()))
        return self._links


if __name__ == "__main__":
    Clients(msgspec.json.decode(sys.stdin.buffer.read(), type=Orders)).work()
