"""What a stranger who can reach the port may try, each kind from many clients at once.

A client goes through its attack again and again. It comes from a loopback address of its own,
or from a new one each time, so that no limit by address ends an attack early.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from itertools import count
from threading import Event, Thread
from typing import NamedTuple

DRIP_SECONDS = 1.0
PAUSE_SECONDS = 0.01
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST

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


FORM = "Content-Type: application/x-www-form-urlencoded"


async def slow_body_with_length(target: Target) -> None:
    """Promises a form and sends it byte by byte."""
    start = request(f"POST /b/{target.token}", FORM, "Content-Length: 1000")
    await target.drip(start, b"a")


async def slow_chunked_body(target: Target) -> None:
    """Sends a form in chunks of one byte and never the last one."""
    start = request(f"POST /b/{target.token}", FORM, "Transfer-Encoding: chunked")
    await target.drip(start, b"1\r\na\r\n")


async def half_headers(target: Target) -> None:
    """Sends headers byte by byte and never the end of them."""
    await target.drip(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a")


ATTACKS = {
    "slow bodies with a length": Attack(slow_body_with_length, 64),
    "slow chunked bodies": Attack(slow_chunked_body, 64),
    "half headers": Attack(half_headers, 1300),
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
