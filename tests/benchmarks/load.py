"""Clients that issue a link and redeem it, again and again, over connections that stay open.

A link is redeemed over another connection than it was issued over, as in the field, so that it
often reaches another worker. All clients share one event loop in this process.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import perf_counter, process_time

import uvloop

from tests.support.examples import redeem_json

FEWEST_CONNECTIONS = 8  # of each kind, so that few clients reach all workers too
DAYS = 360
MINUTES = 1440
RECIPIENT = json.dumps({"recipient": "Ada Lovelace"}).encode()

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def free_starts() -> Iterator[str]:
    """Yields the starts of slots of a minute, each once, and each on another day than the last."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for minute in range(MINUTES):
        for day in range(DAYS):
            start = midnight + timedelta(days=2 + day, minutes=minute)
            yield start.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Target:
    """A service and its calendar, which offers slots of a minute at any time of a year."""

    port: int
    key: str
    calendar_id: str
    starts: Iterator[str] = field(default_factory=free_starts)


@dataclass
class Load:
    """What clients got. Times are seconds; `refused` counts answers of 503 by their problem."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    issued: list[float] = field(default_factory=list)
    redeemed: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def pairs(self) -> int:
        """The links that were issued and redeemed."""
        return len(self.redeemed)


def run(target: Target, *, clients: int, seconds: float) -> Load:
    """Lets so many clients work for so long, each until its last answer has come."""
    return uvloop.run(_run(target, clients, seconds))


async def _run(target: Target, clients: int, seconds: float) -> Load:
    count = max(clients, FEWEST_CONNECTIONS)
    issuing, redeeming = [
        deque([await asyncio.open_connection("127.0.0.1", target.port) for _ in range(count)])
        for _ in range(2)
    ]
    load = Load()
    begun, cpu = perf_counter(), process_time()
    ends_at = begun + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(_client(target, issuing, redeeming, ends_at, load))
    load.seconds = perf_counter() - begun
    load.cpu_seconds = process_time() - cpu
    for _, writer in [*issuing, *redeeming]:
        writer.close()
        await writer.wait_closed()
    return load


async def _client(
    target: Target,
    issuing: deque[Streams],
    redeeming: deque[Streams],
    ends_at: float,
    load: Load,
) -> None:
    issue_path = f"/api/v1/calendars/{target.calendar_id}/links"
    authorization = f"Authorization: Bearer {target.key}\r\n"
    while perf_counter() < ends_at:
        begun = perf_counter()
        link = await _post(issuing, issue_path, RECIPIENT, load, authorization)
        if link is None:
            continue
        load.issued.append(perf_counter() - begun)
        body = json.dumps(redeem_json(next(target.starts))).encode()
        begun = perf_counter()
        path = f"/api/v1/booking-links/{json.loads(link)['token']}/redeem"
        if await _post(redeeming, path, body, load) is not None:
            load.redeemed.append(perf_counter() - begun)


async def _post(
    connections: deque[Streams], path: str, body: bytes, load: Load, headers: str = ""
) -> bytes | None:
    """Sends a request over the connection that has rested longest and returns the body of a 201.

    Returns None if the service is busy. Raises `AssertionError` for any other answer.
    """
    streams = connections.popleft()
    reader, writer = streams
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, length = head.partition(b"content-length: ")
    answer = await reader.readexactly(int(length.partition(b"\r\n")[0]))
    connections.append(streams)
    status = int(head[9:12])
    if status == 503:
        load.refused[json.loads(answer)["type"]] += 1
        return None
    if status != 201:
        raise AssertionError(f"{path}: {status} {answer.decode()}")
    return answer
