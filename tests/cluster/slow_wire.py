"""`python -m tests.cluster.slow_wire MILLISECONDS HERE THERE [HERE THERE ...]`: a slow network.

Passes on whatever comes to an address, and what is answered, each after the delay. Addresses are
host:port.
"""

import asyncio
import sys
from asyncio import Queue, StreamReader, StreamWriter
from contextlib import suppress
from functools import partial

BYTES = 65536  # at once
ON_THE_WAY = 1000  # chunks, then no more is read


async def main(milliseconds: float, ways: list[tuple[str, str]]) -> None:
    """Passes on until it is killed."""
    servers = [
        await asyncio.start_server(partial(_connect, there, milliseconds / 1000), *_parts(here))
        for here, there in ways
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def _connect(there: str, seconds: float, reader: StreamReader, writer: StreamWriter) -> None:
    """Passes on what one connection brings, in both directions, until one side ends it."""
    with suppress(OSError):
        answers, asked = await asyncio.open_connection(*_parts(there))
        both = [
            asyncio.create_task(_pass_on(reader, asked, seconds)),
            asyncio.create_task(_pass_on(answers, writer, seconds)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        asked.close()
    writer.close()


async def _pass_on(source: StreamReader, target: StreamWriter, seconds: float) -> None:
    """Sends each chunk so much later than it came, until the end or an error."""
    loop = asyncio.get_running_loop()
    on_the_way: Queue[tuple[float, bytes]] = Queue(ON_THE_WAY)

    async def receive() -> None:
        data = b"not the end"
        while data:
            try:
                data = await source.read(BYTES)
            except OSError:
                data = b""
            await on_the_way.put((loop.time() + seconds, data))

    receiving = asyncio.create_task(receive())
    try:
        while True:
            due, data = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                return
            target.write(data)
            await target.drain()
    finally:
        receiving.cancel()


def _parts(address: str) -> tuple[str, int]:
    host, port = address.rsplit(":", 1)
    return host, int(port)


if __name__ == "__main__":
    import uvloop

    milliseconds, *addresses = sys.argv[1:]
    pairs = list(zip(addresses[::2], addresses[1::2], strict=True))
    uvloop.run(main(float(milliseconds), pairs))
