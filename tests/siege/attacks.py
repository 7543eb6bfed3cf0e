"""What a stranger who can reach the port may try, each kind from many clients at once.

A client goes through its attack again and again. It comes from a loopback address of its own,
or from a new one each time, so that no limit by address ends an attack early.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Address
from itertools import count
from secrets import token_urlsafe
from threading import Event, Thread
from typing import NamedTuple
from uuid import uuid4

DRIP_SECONDS = 1.0
PAUSE_SECONDS = 0.01
FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
RESET = struct.pack("ii", 1, 0)  # as SO_LINGER: to close the connection resets it
SETTINGS = bytes.fromhex("000000 04 00 00000000")  # frames of HTTP/2
PING = bytes.fromhex("000008 06 00 00000000 0000000000000000")

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Target:
    """A service, and what the attackers know of it. They note the statuses of its answers."""

    host: str
    port: int
    token: str
    """The token of a valid link."""
    key: str
    """An API key."""
    answers: Counter[str] = field(default_factory=Counter)
    _sources: Iterator[int] = field(default_factory=lambda: count(int(IPv4Address("127.1.0.1"))))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Streams]:
        """Opens a connection from an address that none came from, and closes it in the end."""
        source = str(IPv4Address(next(self._sources)))
        reader, writer = await asyncio.open_connection(self.host, self.port, local_addr=(source, 0))
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def note(self, answer: bytes) -> None:
        """Counts an answer by its status."""
        self.answers[answer[9:12].decode("latin-1") if answer else "no answer"] += 1

    async def send(self, request: bytes) -> None:
        """Sends a whole request and reads the answer."""
        async with self.connection() as (reader, writer):
            writer.write(request)
            await writer.drain()
            self.note(await reader.read())

    async def drip(self, start: bytes, drop: bytes) -> None:
        """Sends the start of a request, then a drop each second until the service ends it."""
        async with self.connection() as (reader, writer):
            writer.write(start)
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(DRIP_SECONDS):
                        self.note(await reader.read(4096))
                        return
                writer.write(drop)


class Attack(NamedTuple):
    """What each of so many clients does again and again."""

    client: Callable[[Target], Awaitable[None]]
    clients: int


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Returns a request whose connection ends with the answer."""
    lines = [f"{line} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def slow_body_with_length(target: Target) -> None:
    """Promises a form and sends it byte by byte."""
    start = request(f"POST /b/{target.token}", FORM, "Content-Length: 1000")
    await target.drip(start, b"a")


async def slow_chunked_body(target: Target) -> None:
    """Sends a document in chunks of one byte and never the last one."""
    path = f"/api/v1/booking-links/{target.token}/redeem"
    start = request(f"POST {path}", JSON, "Transfer-Encoding: chunked")
    await target.drip(start, b"1\r\na\r\n")


async def half_headers(target: Target) -> None:
    """Sends headers byte by byte and never the end of them."""
    await target.drip(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a")


async def vanishing_in_mid_body(target: Target) -> None:
    """Sends a part of a form and resets the connection, like a phone that loses its signal."""
    async with target.connection() as (_, writer):
        writer.write(request(f"POST /b/{target.token}", FORM, "Content-Length: 1000") + b"a" * 100)
        await asyncio.sleep(0.1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


async def http_2_preface(target: Target) -> None:
    """Speaks HTTP/2 without having been asked to, and goes on with its frames."""
    await target.drip(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS, PING)


async def http_2_upgrade(target: Target) -> None:
    """Asks for HTTP/2 in a form, and goes on with its frames."""
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    start = request(f"POST /b/{target.token}", FORM, *upgrade, "Content-Length: 1000")
    await target.drip(start + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS, PING)


async def idle(target: Target) -> None:
    """Connects and says nothing."""
    async with target.connection() as (reader, _):
        target.note(await reader.read())


async def password_sign_in(target: Target) -> None:
    """Signs in with a wrong password, each time as somebody else."""
    body = f"email={uuid4()}%40example.org&password=wrong-password".encode()
    await target.send(request("POST /", FORM, body=body))


async def waiting_for_a_position(target: Target) -> None:
    """Asks for what the views show at a position that is far ahead of the log."""
    headers = (f"Authorization: Bearer {target.key}", "X-Min-Position: 1000000000")
    await target.send(request("GET /api/v1/calendars", *headers))


async def largest_slots(target: Target) -> None:
    """Asks for as many free slots as one answer may hold."""
    first = datetime.now(UTC).date()
    days = f"from={first}&to={first + timedelta(days=61)}"
    await target.send(request(f"GET /api/v1/booking-links/{target.token}/slots?{days}"))


async def metrics(target: Target) -> None:
    """Reads the metrics."""
    await target.send(request("GET /metrics"))


async def guessing_tokens(target: Target) -> None:
    """Opens the page of a link that nobody issued."""
    await target.send(request(f"GET /b/{token_urlsafe(16)}.{token_urlsafe(32)}"))


async def header_flood(target: Target) -> None:
    """Sends 64 KiB of headers."""
    await target.send(request("GET /healthz", *(f"X-{n}: {'a' * 1000}" for n in range(64))))


async def large_form(target: Target) -> None:
    """Sends a form of 64 KiB with as many fields as fit in."""
    await target.send(request(f"POST /b/{target.token}", FORM, body=b"a=1&" * (16 * 1024)))


async def churn(target: Target) -> None:
    """Asks for something and hangs up before the answer comes."""
    async with target.connection() as (_, writer):
        writer.write(request("GET /healthz"))
        await writer.drain()


ATTACKS = {
    "slow bodies with a length": Attack(slow_body_with_length, 64),
    "slow chunked bodies": Attack(slow_chunked_body, 64),
    "half headers": Attack(half_headers, 1300),
    "clients that vanish": Attack(vanishing_in_mid_body, 64),
    "HTTP/2 prefaces": Attack(http_2_preface, 64),
    "HTTP/2 upgrades": Attack(http_2_upgrade, 64),
    "idle connections": Attack(idle, 1300),
    "password sign-ins": Attack(password_sign_in, 32),
    "waiters on a position": Attack(waiting_for_a_position, 40),
    "largest slot answers": Attack(largest_slots, 8),
    "readers of metrics": Attack(metrics, 8),
    "guessed tokens": Attack(guessing_tokens, 16),
    "header floods": Attack(header_flood, 16),
    "large forms": Attack(large_form, 16),
    "connection churn": Attack(churn, 64),
}


@contextmanager
def under(attack: Attack, target: Target) -> Iterator[None]:
    """Runs an attack within the block, from a thread."""
    stop = Event()
    thread = Thread(target=partial(asyncio.run, _until(stop, attack, target)))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def _until(stop: Event, attack: Attack, target: Target) -> None:
    clients = [asyncio.create_task(_again_and_again(attack, target)) for _ in range(attack.clients)]
    while not stop.is_set():
        await asyncio.sleep(0.1)
    for client in clients:
        client.cancel()
    for ended in await asyncio.gather(*clients, return_exceptions=True):
        if not isinstance(ended, asyncio.CancelledError):
            raise AssertionError("an attacker gave up") from ended


async def _again_and_again(attack: Attack, target: Target) -> None:
    while True:
        try:
            await attack.client(target)
        except OSError:  # refused or cut off
            target.answers["cut off"] += 1
        await asyncio.sleep(PAUSE_SECONDS)
