"""Connections that are kept for the next request to the same server."""

import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from typing import Any

import pytest

from application.outgoing import AddressNotAllowed, Connections
from interface.outgoing import http_client
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.http_client import HttpClient
from tests.support.other_server import OtherServer, other_server

ALLOWED = "127.0.0.1"
FORBIDDEN = "127.0.0.2"  # these tests allow the other loopback address alone


@pytest.fixture
def server() -> Iterator[OtherServer]:
    """A server that keeps connections open."""
    with other_server(ALLOWED) as server:
        server.keeps_connections = True
        yield server


@pytest.fixture
def addresses() -> list[str]:
    """The addresses that every name has, one after the other."""
    return [ALLOWED]


@pytest.fixture
def http(addresses: list[str]) -> HttpClient:
    """A client for which names have these addresses."""
    return HttpClient(
        AllowedAddresses([ip_network(ALLOWED)]), resolve=lambda *_: [addresses.pop(0)]
    )


@pytest.fixture
def kept(http: HttpClient) -> Iterator[Connections]:
    """Keeps connections during the test."""
    with closing(http.connections()) as connections:
        yield connections


def post(http: HttpClient, server: OtherServer, kept: Connections, host: str = "a.example") -> int:
    url = f"http://{host}:{server.port}/"
    answer = http.send("POST", url, body=b"{}", seconds=30, most_bytes=100, connections=kept)
    return answer.status


def test_the_next_request_to_a_server_takes_the_same_connection(
    server: OtherServer, http: HttpClient, kept: Connections
) -> None:
    assert [post(http, server, kept) for _ in range(3)] == [200] * 3
    assert (len(server.requests), server.connections) == (3, 1)


def test_another_host_gets_a_connection_of_its_own(
    server: OtherServer, http: HttpClient, kept: Connections, addresses: list[str]
) -> None:
    post(http, server, kept)
    addresses.append(ALLOWED)
    post(http, server, kept, "b.example")
    assert server.connections == 2


def test_a_connection_that_was_closed_meanwhile_is_opened_again(
    server: OtherServer, http: HttpClient, kept: Connections, addresses: list[str]
) -> None:
    server.keeps_connections = False
    post(http, server, kept)
    addresses.append(ALLOWED)
    assert post(http, server, kept) == 200
    assert (len(server.requests), server.connections) == (2, 2)


def test_an_address_that_has_changed_is_checked_before_a_connection_is_opened_again(
    server: OtherServer,
    http: HttpClient,
    kept: Connections,
    addresses: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with other_server(FORBIDDEN, server.port) as changed:
        post(http, server, kept)
        addresses.append(FORBIDDEN)
        monkeypatch.setattr(http_client, "KEPT_SECONDS", 0.0)
        with pytest.raises(AddressNotAllowed):
            post(http, server, kept)
    assert (len(server.requests), changed.requests) == (1, [])


def test_a_request_in_two_pieces_does_not_wait_between_them(
    server: OtherServer, http: HttpClient, kept: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[socket.socket] = []
    connect = socket.create_connection

    def noted(*arguments: Any) -> socket.socket:
        opened.append(connect(*arguments))
        return opened[-1]

    monkeypatch.setattr(socket, "create_connection", noted)
    post(http, server, kept)
    (connection,) = opened
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
