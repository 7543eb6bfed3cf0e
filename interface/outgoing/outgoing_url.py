"""The addresses of other servers' resources, in one normal form."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from interface import web_address
from interface.web_address import InvalidAddress, WebAddress

LONGEST_URL = 2000
MOST_REMEMBERED = 256
"""Parsed addresses that are kept: the same few get one message after another."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Calendar programs show the address of an .ics file with schemes of their own.
_SCHEMES = {"webcal": "https", "webcals": "https"}
_URL = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(#.*)?")
_TARGET = re.compile(r"[!-~]*")


class OutgoingUrl(NamedTuple):
    """An http or https URL. `target` is path and query, as the request names them."""

    server: WebAddress
    target: str

    @property
    def host(self) -> str:
        """Returns the host as TLS and DNS name it: an IPv6 address without brackets."""
        return self.server.host.strip("[]")

    @property
    def port(self) -> int:
        """Returns the port, the scheme's own by default."""
        return int(self.server.port or _DEFAULT_PORTS[self.server.scheme])

    @property
    def is_secure(self) -> bool:
        """Returns True if the connection is encrypted."""
        return self.server.scheme == "https"

    def __str__(self) -> str:
        return self.server.origin + self.target


class Proxy(NamedTuple):
    """An HTTP proxy, and the credentials for it as user:password, if it needs any."""

    host: str
    port: int
    credentials: str = ""


@lru_cache(MOST_REMEMBERED)
def parse(text: str) -> OutgoingUrl:
    """Returns the URL that the text means. Raises `InvalidAddress`.

    A user name or a password in it is refused, because it would be shown with the URL.
    """
    parts = _URL.fullmatch(text.strip()) if len(text) <= LONGEST_URL else None
    if parts is None or not _TARGET.fullmatch(parts["target"]):
        raise InvalidAddress("must be an http:// or https:// address")
    if "@" in parts["authority"]:
        raise InvalidAddress("must not contain a user name or a password")
    scheme = parts["scheme"].lower()
    server = web_address.parse(f"{_SCHEMES.get(scheme, scheme)}://{parts['authority']}")
    target = parts["target"]
    return OutgoingUrl(server, target if target.startswith("/") else f"/{target}")


def parse_proxy(text: str) -> Proxy:
    """Returns the proxy that a text such as http://user:password@proxy:3128 means.

    Raises `InvalidAddress`, which does not quote the text.
    """
    scheme, separator, rest = text.partition("://")
    credentials, _, server_text = rest.rpartition("@")
    server = web_address.parse(scheme + separator + server_text)
    if server.scheme != "http" or server.path:
        raise InvalidAddress("must be an http:// address without a path")
    return Proxy(server.host.strip("[]"), int(server.port or 80), unquote(credentials))
