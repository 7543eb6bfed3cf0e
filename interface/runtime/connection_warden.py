"""Ends connections that only take up room, which the web server by itself would keep for ever.

A connection on which nothing has moved for a while is ended, whether its client waits or does not
read, and so are those of a client that holds too many, the longest idle first. The kernel knows
of each socket when something last moved, so requests are not slowed down by any bookkeeping.
Linux only: elsewhere nothing is done, and a proxy in front has to do it.
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

from interface import ip_address

EVERY_SECONDS = 2.0
SILENT_SECONDS = 15.0  # of a client that never sent anything
IDLE_SECONDS = 25.0  # after a request; longer than any request takes
MOST_OF_A_CLIENT = 256
"""Connections of one IPv4 address or IPv6 /64 to one worker. This machine has no limit."""

# Of Linux's struct tcp_info: milliseconds since data were last sent and since they last came, and
# bytes received in all.
_LAST_SENT, _LAST_CAME, _RECEIVED, _TCP_INFO_BYTES = 44, 52, 128, 136


class Connection(NamedTuple):
    """A client's connection to this process. `socket` is a copy, to be closed by its user.

    `idle_seconds` is since anything was last sent or received.
    """

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
    """Returns those that have been idle too long, or are too many of one client."""
    found = []
    by_client: dict[str, list[Connection]] = defaultdict(list)
    for connection in connections:
        most = IDLE_SECONDS if connection.has_sent else SILENT_SECONDS
        address = ip_address.parse(connection.address)
        if connection.idle_seconds > most:
            found.append(connection)
        elif address is not None and not address.is_loopback:
            by_client[ip_address.customer(address)].append(connection)
    for of_one in by_client.values():
        of_one.sort(key=lambda connection: connection.idle_seconds)
        found += of_one[MOST_OF_A_CLIENT:]
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
            (sent,) = struct.unpack_from("I", info, _LAST_SENT)
            (came,) = struct.unpack_from("I", info, _LAST_CAME)
            (received,) = struct.unpack_from("Q", info, _RECEIVED)
            undo.pop_all()
            yield Connection(copy, address, min(sent, came) / 1000, received > 0)


def _watch(port: int) -> None:
    while True:
        sleep(EVERY_SECONDS)
        end_needless(port)
