"""The IP addresses to which the service may open connections."""

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from interface import ip_address

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Special networks that Python's `is_global` lets pass, in some of its versions.
_SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation
)
_ANY_PORT = 9  # nothing is sent to it


@dataclass(frozen=True)
class AllowedAddresses:
    """The public internet without this machine, and the networks that the operator allows."""

    networks: Collection[IPv4Network | IPv6Network] = ()

    def allows(self, text: str) -> bool:
        """Returns True if a connection to the IP address may be opened."""
        address = _destination(text)
        if address is None:
            return False
        if any(address in network for network in self.networks):
            return True
        return _is_public(address) and not _is_of_this_machine(address)


def _destination(text: str) -> IPv4Address | IPv6Address | None:
    """Returns where packets to the address arrive: behind NAT64, an IPv4 address."""
    address = ip_address.parse(text)
    if isinstance(address, IPv6Address) and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    is_special = any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not is_special


def _is_of_this_machine(address: IPv4Address | IPv6Address) -> bool:
    """Returns True if this machine has the address: its packets there would leave from there."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), _ANY_PORT))
            source: str = probe.getsockname()[0]
    except OSError:  # no route leads there
        return False
    return ip_address.parse(source) == address
