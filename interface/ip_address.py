"""IP addresses, in one form each."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address, IPv6Network

IPV6_PREFIX = 64  # bits: the smallest network that one customer gets


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """Returns the address, or None for other text.

    An IPv4 address that is written as an IPv6 address, as it arrives at a socket for both, is
    returned as IPv4.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(text: str) -> bool:
    """Returns True for an address of this machine that no other machine can have."""
    address = parse(text)
    return address is not None and address.is_loopback


def customer(address: IPv4Address | IPv6Address) -> str:
    """Returns what one customer of a provider has for itself: an IPv4 address, or an IPv6 /64."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), IPV6_PREFIX), strict=False))
    return str(address)
