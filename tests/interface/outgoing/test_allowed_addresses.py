"""Which IP addresses requests to other servers may reach."""

from ipaddress import ip_network

import pytest

from interface.outgoing.allowed_addresses import AllowedAddresses


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "192.0.1.1",
        "2606:2800:220:1::1",
        "64:ff9b::5db8:d822",
        "::ffff:93.184.216.34",
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert AllowedAddresses().allows(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3"),  # noqa: S104
        *("10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
        *("192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.7", "192.88.99.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1"),
        *("ff02::1", "ff0e::1", "2001:db8::1", "2001::1", "100::1", "4000::1", "3fff::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:10.0.0.1"),
        *("2002:7f00:1::", "2002:a00:1::1", "2002:5db8:d822::1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1"),
        *("localhost", "", "93.184.216.34/32"),
    ],
)
def test_special_addresses_and_their_disguises_are_not_allowed(address: str) -> None:
    assert not AllowedAddresses().allows(address)


def test_an_address_of_this_machine_is_not_allowed_even_if_it_is_public(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class OwnSocket:
        """A socket on a machine that has the address 93.184.216.34."""

        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> "OwnSocket":
            return self

        def __exit__(self, *_: object) -> None: ...
        def connect(self, _: object) -> None: ...
        def getsockname(self) -> tuple[str, int]:
            return ("93.184.216.34", 1)

    monkeypatch.setattr("socket.socket", OwnSocket)
    assert not AllowedAddresses().allows("93.184.216.34")
    assert AllowedAddresses().allows("93.184.216.35")
    assert AllowedAddresses([ip_network("93.184.216.34")]).allows("93.184.216.34")


def test_the_operator_can_allow_networks() -> None:
    allowed = AllowedAddresses([ip_network("10.0.0.0/8"), ip_network("fd12::/16")])
    assert allowed.allows("10.1.2.3")
    assert allowed.allows("::ffff:10.1.2.3")
    assert allowed.allows("64:ff9b::a01:203")
    assert allowed.allows("fd12::1")
    assert not allowed.allows("192.168.1.1")
