"""Connections that only take up room are ended, and no others."""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from interface.runtime import connection_warden
from interface.runtime.connection_warden import (
    IDLE_SECONDS,
    MOST_OF_A_CLIENT,
    SILENT_SECONDS,
    Connection,
    end_needless,
    needless,
    open_connections,
)
from tests.support.waiting import wait_until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and TCP_INFO")


@pytest.fixture
def unconnected() -> Iterator[socket.socket]:
    with closing(socket.socket()) as found:
        yield found


def test_a_connection_on_which_nothing_moved_for_long_is_needless(
    unconnected: socket.socket,
) -> None:
    def connection(idle_seconds: float, *, has_sent: bool) -> Connection:
        return Connection(unconnected, "192.0.2.1", idle_seconds, has_sent)

    silent = connection(SILENT_SECONDS + 1, has_sent=False)
    young = connection(SILENT_SECONDS - 1, has_sent=False)
    kept_alive = connection(IDLE_SECONDS - 1, has_sent=True)
    forgotten = connection(IDLE_SECONDS + 1, has_sent=True)
    assert needless([silent, young, kept_alive, forgotten]) == [silent, forgotten]


def test_of_too_many_connections_of_a_client_the_longest_idle_are_needless(
    unconnected: socket.socket,
) -> None:
    def connections(address: str) -> list[Connection]:
        return [
            Connection(unconnected, address.format(idle), idle / 100, True)
            for idle in range(MOST_OF_A_CLIENT + 2)
        ]

    greedy, network = connections("192.0.2.1"), connections("2001:db8::{:x}")
    local, local_at_a_socket_for_both = connections("127.0.0.1"), connections("::ffff:127.0.0.1")
    sane = Connection(unconnected, "192.0.2.2", 9.0, True)
    needless_ones = needless([*greedy, *network, *local, *local_at_a_socket_for_both, sane])
    assert needless_ones == [*greedy[-2:], *network[-2:]]


@linux_only
def test_the_silent_client_is_cut_off_and_the_one_that_spoke_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_warden, "SILENT_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.1", port)) as silent,
            socket.create_connection(("127.0.0.1", port)) as speaking,
        ):
            speaking.sendall(b"GET")
            accepted = [server.accept()[0] for _ in range(2)]
            wait_until(lambda: has_sent(port) == [False, True])
            end_needless(port)
            silent.settimeout(5)
            assert silent.recv(1) == b""
            for connection in accepted:
                with connection:
                    if connection.getpeername() == speaking.getsockname():
                        connection.sendall(b"x")
            assert speaking.recv(1) == b"x"


def has_sent(port: int) -> list[bool]:
    """Returns of each connection to the port whether it sent anything, and idled since."""
    found = []
    for connection in open_connections(port):
        connection.close()
        if connection.idle_seconds > 0:
            found.append(connection.has_sent)
    return sorted(found)
