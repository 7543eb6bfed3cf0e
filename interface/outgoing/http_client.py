"""Sends HTTP requests to addresses that people enter.

A name is resolved once, every address that it has is checked, and the connection goes to one of
these addresses: whatever the name means a moment later, nothing else is reached. That holds
behind a proxy as well, which is asked for the address and not for the name.
"""

import http.client
import socket
import ssl
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import NamedTuple
from urllib.parse import urljoin

from application.outgoing import (
    AddressNotAllowed,
    Answer,
    CertificateRefused,
    Connections,
    HostNotFound,
    RequestFailed,
    TooLarge,
    TooManyRedirects,
    TooSlow,
)
from domain.errors import Invalid, Sentence
from interface.outgoing import outgoing_url
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.outgoing_url import OutgoingUrl, Proxy
from interface.outgoing.timed_socket import Deadline, TimedSocket, TooMuch
from interface.version import version
from interface.web_address import InvalidAddress

CHECK_SECONDS = 5.0
KEPT_SECONDS = 60.0
_NO_ADDRESS = Sentence(
    "Must be an address that starts with https:// or http://, without a user name or a password."
)
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 65536
_GZIP = 16 + zlib.MAX_WBITS

Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """Returns the IP addresses of a host. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True)
class HttpClient:
    """Sends requests as `application.outgoing.Outgoing` promises."""

    allowed: AllowedAddresses
    proxy: Proxy | None = None
    ca_file: Path | None = None
    """Certificates to trust beside those of the system."""
    resolve: Resolve = resolve

    def check(self, url: str) -> str:
        """Returns the URL in its normal form; see `Outgoing`."""
        try:
            parsed = outgoing_url.parse(url)
        except InvalidAddress as error:
            raise Invalid({"url": [_NO_ADDRESS]}) from error
        try:
            with _failures():
                self._addresses(parsed, Deadline(CHECK_SECONDS))
        except RequestFailed as error:
            raise Invalid({"url": [error.detail]}) from error
        return str(parsed)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        seconds: float,
        most_bytes: int,
        redirects: int = 0,
        connections: Connections | None = None,
    ) -> Answer:
        """Sends a request and returns the answer; see `Outgoing`."""
        deadline = Deadline(seconds)
        kept = connections if isinstance(connections, KeptConnections) else None
        for _ in range(redirects + 1):
            with _failures():
                parsed = outgoing_url.parse(url)
                request = _Request(method, parsed, headers or {}, body, keep=kept is not None)
                answer = self._answer(request, kept, deadline, most_bytes)
                if answer.status not in _REDIRECTS or not redirects:
                    return answer
                url = urljoin(url, answer.headers.get("location", ""))
        raise TooManyRedirects

    def connections(self) -> "KeptConnections":
        """Returns where connections can be kept; see `Outgoing`."""
        return KeptConnections()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.ca_file is not None:
            context.load_verify_locations(self.ca_file)
        return context

    def _addresses(self, url: OutgoingUrl, deadline: Deadline) -> Sequence[str]:
        """Returns the addresses of the host. Raises `AddressNotAllowed` if one is not allowed."""
        addresses = deadline.wait_for(lambda: self.resolve(url.host, url.port))
        if not all(map(self.allowed.allows, addresses)):
            raise AddressNotAllowed
        return addresses

    def _answer(
        self,
        request: "_Request",
        kept: "KeptConnections | None",
        deadline: Deadline,
        most_bytes: int,
    ) -> Answer:
        if kept is not None and (reused := kept.take(request.url, deadline)) is not None:
            # Whoever closes a connection that was idle has not answered the request.
            with suppress(ConnectionError):
                return _exchange(reused, request, kept, most_bytes)
        connection = _Connection(self._connect(request.url, deadline), monotonic())
        return _exchange(connection, request, kept, most_bytes)

    def _connect(self, url: OutgoingUrl, deadline: Deadline) -> TimedSocket:
        addresses = self._addresses(url, deadline)
        if self.proxy is None:
            connected = TimedSocket.connected(addresses, url.port, deadline)
        else:
            connected = _tunnel(self.proxy, addresses[0], url.port, deadline)
        if url.is_secure:
            try:
                connected.encrypt(self._tls, url.host)
            except OSError:
                connected.close()
                raise
        return connected


class _Request(NamedTuple):
    method: str
    url: OutgoingUrl
    headers: Mapping[str, str]
    body: bytes | None
    keep: bool

    def as_bytes(self) -> bytes:
        """Returns all of the request, in one piece. Raises `ValueError` for a line break in it."""
        headers = {
            "Host": self.url.server.authority,
            "User-Agent": f"Admit-One/{version()}",
            "Accept-Encoding": "gzip",
        }
        if not self.keep:
            headers["Connection"] = "close"
        if self.body is not None:
            headers["Content-Length"] = str(len(self.body))
        headers |= self.headers
        lines = [f"{self.method} {self.url.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a line break in a header")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + (self.body or b"")


class _Connection(NamedTuple):
    socket: TimedSocket
    opened_at: float


class KeptConnections:
    """Connections that are kept for the next request to the same server, for a minute at most."""

    def __init__(self) -> None:
        self._by_origin: dict[str, _Connection] = {}

    def take(self, url: OutgoingUrl, deadline: Deadline) -> _Connection | None:
        """Returns an open connection that is no longer kept, if there is one."""
        connection = self._by_origin.pop(url.server.origin, None)
        if connection is None:
            return None
        if monotonic() - connection.opened_at > KEPT_SECONDS:
            connection.socket.close()
            return None
        connection.socket.limit(deadline)
        return connection

    def keep(self, url: OutgoingUrl, connection: _Connection) -> None:
        """Keeps a connection whose last answer was read to its end."""
        self._by_origin[url.server.origin] = connection

    def close(self) -> None:
        """Closes all of them."""
        while self._by_origin:
            self._by_origin.popitem()[1].socket.close()


def _exchange(
    connection: _Connection, request: _Request, kept: KeptConnections | None, most_bytes: int
) -> Answer:
    """Sends a request and returns the answer; keeps the connection or closes it."""
    with ExitStack() as stack:
        stack.callback(connection.socket.close)
        connection.socket.sendall(request.as_bytes())
        with _response(connection.socket, request.method) as response:
            answer = Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                _body(response, most_bytes),
            )
            is_reusable = response.isclosed() and not response.will_close
        if kept is not None and is_reusable:
            kept.keep(request.url, connection)
            stack.pop_all()
    return answer


def _tunnel(proxy: Proxy, address: str, port: int, deadline: Deadline) -> TimedSocket:
    """Returns a connection to the address that leads through the proxy."""
    end = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = [f"CONNECT {end} HTTP/1.1", f"Host: {end}"]
    if proxy.credentials:
        lines.append(f"Proxy-Authorization: Basic {b64encode(proxy.credentials.encode()).decode()}")
    addresses = deadline.wait_for(lambda: resolve(proxy.host, proxy.port))
    connected = TimedSocket.connected(addresses, proxy.port, deadline)
    try:
        connected.sendall("\r\n".join([*lines, "", ""]).encode())
        if _response(connected, "CONNECT").status != 200:
            raise RequestFailed("The proxy does not allow this address.")
    except (OSError, http.client.HTTPException, RequestFailed):
        connected.close()
        raise
    return connected


def _response(connected: TimedSocket, method: str) -> http.client.HTTPResponse:
    """Returns what the other side answers to a request that was sent, without the body."""
    with ExitStack() as on_failure:
        response = http.client.HTTPResponse(connected, method=method)  # type: ignore[arg-type]
        on_failure.callback(response.close)
        response.begin()
        on_failure.pop_all()
    return response


def _body(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    """Returns the body, decompressed. Raises `TooLarge`, or `RequestFailed` if it is cut off."""
    body = bytearray()
    match response.getheader("Content-Encoding", "identity").lower():
        case "identity":
            unpacking = None
        case "gzip":
            unpacking = zlib.decompressobj(_GZIP)
        case _:
            raise RequestFailed
    while chunk := response.read(_CHUNK):
        if unpacking is None:
            body += chunk
        else:
            body += unpacking.decompress(chunk, most_bytes - len(body) + 1)
        if len(body) > most_bytes:
            raise TooLarge
        if unpacking is not None and unpacking.eof:
            return bytes(body)
    if response.length or (unpacking is not None and body):
        raise RequestFailed
    return bytes(body)


@contextmanager
def _failures() -> Iterator[None]:
    """Turns errors of the network and of the other server into `RequestFailed`."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise CertificateRefused from error
    except socket.gaierror as error:
        raise HostNotFound from error
    except TimeoutError as error:
        raise TooSlow from error
    except TooMuch as error:
        raise TooLarge from error
    except (OSError, http.client.HTTPException, zlib.error) as error:
        raise RequestFailed from error
    except ValueError as error:  # a redirect leads to an address that is none
        raise RequestFailed from error
