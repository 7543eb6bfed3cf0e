"""Ends connections that only take up room, which the web server by itself would keep for ever.

A connection that has sent nothing for a while is ended, and so are those of an address that
holds too many, the longest idle first. The kernel knows of each socket when it last received
something, so requests are not slowed down by any bookkeeping. Linux only: elsewhere nothing is
done, and a proxy in front has to do it.
"""

import os
import socket
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from threading import Thread
from time import sleep
from typing import NamedTuple

from interface.ip_address import is_loopback

EVERY_SECONDS = 2.0
SILENT_SECONDS = 15.0
MOST_OF_AN_ADDRESS = 256
"""Connections of one address to one worker. This machine's own addresses have no limit."""

# Of Linux's struct tcp_info: milliseconds since the last data came, and bytes received in all.
_LAST_DATA, _RECEIVED, _TCP_INFO_BYTES = 52, 128, 136


class Connection(NamedTuple):
    """A client's connection to this process. `socket` is a copy, to be closed by its user."""

    socket: socket.socket
    address: str
    idle_seconds: float
    has_sent: bool

    def end(self) -> None:
        """Shuts the connection down; the web server sees that and closes it."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the copy of the socket back; the connection goes on."""
        self.socket.close()


def start(port: int) -> None:
    """Watches this process's connections on `port`, from a thread."""
    if sys.platform == "linux":
        Thread(target=_watch, args=(port,), name="connections", daemon=True).start()


def end_needless(port: int) -> None:
    """Ends what only takes up room now."""
    with ExitStack() as stack:
        connections = [
            stack.enter_context(closing(connection)) for connection in open_connections(port)
        ]
        for connection in needless(connections):
            connection.end()


def needless(connections: Iterable[Connection]) -> list[Connection]:
    """Returns those that have been silent too long, or are too many of one address."""
    found = []
    by_address: dict[str, list[Connection]] = defaultdict(list)
    for connection in connections:
        if not connection.has_sent and connection.idle_seconds > SILENT_SECONDS:
            found.append(connection)
        elif not is_loopback(connection.address):
            by_address[connection.address].append(connection)
    for of_one in by_address.values():
        of_one.sort(key=lambda connection: connection.idle_seconds)
        found += of_one[MOST_OF_AN_ADDRESS:]
    return found


def open_connections(port: int) -> Iterator[Connection]:
    """Yields the clients' connections of this process."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError), ExitStack() as undo:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            copy = undo.enter_context(closing(socket.socket(fileno=os.dup(int(name)))))
            if copy.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            if copy.getsockname()[1] != port:
                continue
            address = copy.getpeername()[0]  # raises for the socket that listens
            info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
            (idle,) = struct.unpack_from("I", info, _LAST_DATA)
            (received,) = struct.unpack_from("Q", info, _RECEIVED)
            undo.pop_all()
            yield Connection(copy, address, idle / 1000, received > 0)


def _watch(port: int) -> None:
    while True:
        sleep(EVERY_SECONDS)
        end_needless(port)
