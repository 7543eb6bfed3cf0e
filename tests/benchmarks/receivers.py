"""A mail server and a receiver of webhooks that take everything at once, as one process.

Both are as cheap as they can be in Python, so that what is measured is the sending.
"""

import asyncio
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvloop

HOST = "127.0.0.1"
_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
_WORDS = {
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
    b"EHLO": b"250-bench\r\n250 PIPELINING\r\n",
}

Talk = Callable[[StreamReader, StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Receivers:
    """Where mails and messages are taken."""

    smtp_port: int
    http_port: int

    @property
    def smtp_url(self) -> str:
        """The address of the mail server."""
        return f"smtp://{HOST}:{self.smtp_port}"

    @property
    def webhook_url(self) -> str:
        """The address of the receiver."""
        return f"http://{HOST}:{self.http_port}/hook"


@contextmanager
def running_receivers() -> Iterator[Receivers]:
    """Runs both during the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.receivers"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            smtp_port, http_port = map(int, process.stdout.readline().split())
            yield Receivers(smtp_port, http_port)
        finally:
            process.terminate()


async def _take_mails(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"220 bench\r\n")
    while line := await reader.readline():
        word = line[:4].strip().upper()
        writer.write(_WORDS.get(word, b"250 OK\r\n"))
        if word == b"DATA":
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 OK\r\n")
        elif word == b"QUIT":
            break
    writer.close()


async def _take_messages(reader: StreamReader, writer: StreamWriter) -> None:
    while head := (await reader.readuntil(b"\r\n\r\n")).lower():
        _, _, length = head.partition(b"content-length: ")
        await reader.readexactly(int(length.partition(b"\r\n")[0]))
        writer.write(_TAKEN)
        if b"connection: close" in head:
            break
    writer.close()


async def _serve() -> None:
    servers = [await _listening(talk) for talk in (_take_mails, _take_messages)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    sys.stdout.write(f"{ports[0]} {ports[1]}\n")
    sys.stdout.flush()
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _listening(talk: Talk) -> asyncio.Server:
    async def until_hung_up(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_server(until_hung_up, HOST, 0)


if __name__ == "__main__":
    uvloop.run(_serve())
