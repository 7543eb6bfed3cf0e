"""The address of a client: who may name it, and what nobody can pretend."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from interface.bootstrap import Services
from interface.current_request import CurrentRequest
from interface.web import request_context
from interface.web.request_context import client_address, counted_address
from interface.wsgi import WebApplication

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))
PROXY, INNER_PROXY, PROXY_6 = "10.0.0.1", "10.9.9.9", "2001:db8:1::7"
CLIENT, SPOOFED = "198.51.100.23", "203.0.113.99"

trusted_addresses = st.sampled_from((PROXY, INNER_PROXY, PROXY_6))
addresses = st.ip_addresses()
untrusted_addresses = addresses.filter(
    lambda address: not any(_plain(address) in network for network in TRUSTED)
)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address only wraps, or the address itself."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def counted(address: IPv4Address | IPv6Address) -> str:
    """How a client at this address is counted."""
    address = _plain(address)
    return str(ip_network((int(address), 64), strict=False) if address.version == 6 else address)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        # Nobody but a trusted proxy is believed.
        (CLIENT, "", CLIENT),
        (CLIENT, SPOOFED, CLIENT),
        (CLIENT, f"{SPOOFED}, {PROXY}", CLIENT),
        ("192.168.0.1", SPOOFED, "192.168.0.1"),
        # The right-most address that is not trusted.
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"{SPOOFED}, {CLIENT}", CLIENT),
        (PROXY, f"{SPOOFED}, {CLIENT}, {INNER_PROXY}", CLIENT),
        (PROXY, f"{SPOOFED}, {PROXY}, {CLIENT},{PROXY_6}", CLIENT),
        (PROXY_6, f"{SPOOFED},\t{CLIENT} ", CLIENT),
        (f"::ffff:{PROXY}", CLIENT, CLIENT),
        (PROXY, f"::ffff:{CLIENT}", CLIENT),
        # With a port, as some proxies write it.
        (PROXY, f"{CLIENT}:4711", CLIENT),
        (PROXY, "[2001:db8:2::9]:4711", "2001:db8:2::/64"),
        (PROXY, "[2001:db8:2::9]", "2001:db8:2::/64"),
        # Only proxies: the one furthest away.
        (PROXY, "", PROXY),
        (PROXY, INNER_PROXY, INNER_PROXY),
        # What is no address ends the search.
        (PROXY, "unknown", PROXY),
        (PROXY, f"{CLIENT}, unknown", PROXY),
        (PROXY, f"{CLIENT}, , {INNER_PROXY}", INNER_PROXY),
        (PROXY, f"{SPOOFED}, {CLIENT}, <script>", PROXY),
        # IPv6 by the network of a customer.
        ("2001:db8:2:3:4:5:6:7", "", "2001:db8:2:3::/64"),
        ("2001:db8:2:3::1", "", "2001:db8:2:3::/64"),
        ("fe80::1%eth0", "", "fe80::/64"),
        # A peer without an address.
        ("", CLIENT, ""),
        ("unix:", CLIENT, "unix:"),
    ],
)
def test_the_client_is_the_right_most_address_that_is_not_trusted(
    peer: str, forwarded_for: str, client: str
) -> None:
    assert counted_address(peer, forwarded_for, trusted=TRUSTED) == client


@given(peer=addresses, forwarded_for=st.text())
def test_without_trusted_proxies_the_header_is_never_read(
    peer: IPv4Address | IPv6Address, forwarded_for: str
) -> None:
    assert counted_address(str(peer), forwarded_for, trusted=()) == counted(peer)


@given(
    pretended=st.text() | st.lists(addresses.map(str)).map(", ".join),
    client=untrusted_addresses,
    proxies=st.lists(trusted_addresses, min_size=1),
)
def test_whatever_a_client_pretends_it_is_counted_by_its_own_address(
    pretended: str, client: IPv4Address | IPv6Address, proxies: list[str]
) -> None:
    *inner, peer = proxies
    forwarded_for = ", ".join([pretended, str(client), *inner])
    assert counted_address(peer, forwarded_for, trusted=TRUSTED) == counted(client)


@given(st.text() | st.text(alphabet="0123456789abcdef.:[]%, \0"))
def test_whatever_the_header_holds_the_client_is_an_address(forwarded_for: str) -> None:
    assert ip_network(counted_address(PROXY, forwarded_for, trusted=TRUSTED))


@given(st.text())
def test_whatever_the_peer_is_called_there_is_a_client(peer: str) -> None:
    assert isinstance(counted_address(peer, CLIENT, trusted=TRUSTED), str)


@given(network=st.integers(0, 2**64 - 1), one=st.integers(0, 2**64 - 1), other=st.integers(0))
def test_all_addresses_of_one_ipv6_network_are_one_client(
    network: int, one: int, other: int
) -> None:
    first, second = (
        counted_address(str(IPv6Address(network << 64 | host % 2**64)), "", trusted=())
        for host in (one, other)
    )
    assert first == second or network == 0  # where IPv4 is wrapped


def test_a_request_is_counted_by_the_setting(
    app: WebApplication, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = [("X-Forwarded-For", SPOOFED), ("X-Forwarded-For", CLIENT)]
    environ = create_environ(headers=headers, environ_base={"REMOTE_ADDR": PROXY})
    with CurrentRequest(environ, app.extensions):
        assert client_address() == PROXY
        trusting = replace(services, settings=replace(services.settings, trusted_proxies=TRUSTED))
        monkeypatch.setattr(request_context, "services", lambda: trusting)
        assert client_address() == CLIENT
