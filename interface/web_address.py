"""Web addresses in one normal form: addresses that mean the same are the same text."""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import NamedTuple

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^]/]*]|[^]\[:/]*)(:(?P<port>[^/]*))?(?P<path>/.*)?",
    re.IGNORECASE | re.DOTALL,
)
# Names inside a network may have an underscore. A name on the internet has none.
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_LONGEST_HOST = 253
_LONGEST_ADDRESS = 2000


class InvalidAddress(ValueError):
    """Text that is not a usable web address. The message completes a sentence: "must …"."""


class WebAddress(NamedTuple):
    """An http or https address in normal form.

    `host` is in lower case and in ASCII, an IPv6 address in brackets. `port` is empty where it is
    the scheme's own. `path` is empty or begins with a slash, and does not end with one.
    """

    scheme: str
    host: str
    port: str
    path: str

    @property
    def authority(self) -> str:
        """Returns host and port, as the `Host` header of a request has them."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def origin(self) -> str:
        """Returns the address without its path, as the `Origin` header of a request has it."""
        return f"{self.scheme}://{self.authority}"

    def __str__(self) -> str:
        return self.origin + self.path


def parse(text: str) -> WebAddress:
    """Returns the address that the text means. Raises `InvalidAddress`."""
    parts = _ADDRESS.fullmatch(text) if len(text) <= _LONGEST_ADDRESS else None
    if parts is None:
        raise InvalidAddress("must be an http:// or https:// address with a host")
    scheme = parts["scheme"].lower()
    port = _port(parts["port"] or "")
    return WebAddress(
        scheme,
        _host(parts["host"]),
        "" if port == _DEFAULT_PORTS[scheme] else port,
        _path(parts["path"] or ""),
    )


def is_ip_address(host: str) -> bool:
    """Returns True for the `host` of an address that is an IP address instead of a name."""
    return host.startswith("[") or _is_ipv4(host)


def _host(text: str) -> str:
    if text.startswith("["):
        return f"[{_ipv6(text[1:-1])}]"
    host = text.lower() if text.isascii() else _in_ascii(text)
    labels = host.split(".")
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidAddress("must have a host: letters, digits, hyphens and dots")
    if labels[-1].isdigit() and not _is_ipv4(host):  # browsers read it as an IP address
        raise InvalidAddress("must have a host name that does not end with a number")
    return host


def _in_ascii(text: str) -> str:
    """Returns an internationalised name as browsers and DNS spell it."""
    # Needed for few names, and its tables take some 10 MB of memory.
    import idna

    try:
        return idna.encode(text, uts46=True).decode()
    except idna.IDNAError:
        raise InvalidAddress("must have a host name that IDNA allows") from None


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise InvalidAddress("must have an IPv6 address between the brackets")
    return str(address)


def _port(text: str) -> str:
    if not text:
        return ""
    is_number = text.isascii() and text.isdigit() and len(text) <= 5
    if not is_number or not 1 <= int(text) <= 65535:
        raise InvalidAddress("must have a port from 1 to 65535")
    return str(int(text))


def _path(text: str) -> str:
    path = text.rstrip("/")
    for segment in path.split("/")[1:]:
        if segment in (".", "..") or not _SEGMENT.fullmatch(segment):
            raise InvalidAddress(
                "must have a path of letters, digits, hyphens and single slashes, and nothing"
                " behind it"
            )
    return path
