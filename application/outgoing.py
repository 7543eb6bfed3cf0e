"""The HTTP requests that the application makes to addresses that owners enter.

`interface.outgoing` decides which addresses may be reached, and sends the requests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.errors import AdmitOneError


class AddressNotAllowed(AdmitOneError):
    """This address is not allowed: it lies in a network that this service must not reach."""


class RequestFailed(AdmitOneError):
    """The request got no usable answer."""


class HostNotFound(RequestFailed):
    """There is no host with this name."""


class CertificateRefused(RequestFailed):
    """The certificate of the other server is not valid for its name."""


class TooSlow(RequestFailed):
    """The other server did not answer in time."""


class TooLarge(RequestFailed):
    """The answer of the other server is too large."""


class TooManyRedirects(RequestFailed):
    """The other server redirects to another address."""


@dataclass(frozen=True)
class Answer:
    """The answer to a request. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connections(Protocol):
    """Connections that are kept open from one request to the next, for one thread."""

    def close(self) -> None:
        """Closes all of them. Others may be opened after that."""


class Outgoing(Protocol):
    """Sends requests to addresses that people enter, and to no address that is not allowed."""

    def check(self, url: str) -> str:
        """Returns the URL in its normal form, without a fragment.

        Raises `Invalid` about the field `url`, or `AddressNotAllowed`.
        """

    def connections(self) -> Connections:
        """Returns where connections can be kept. Each was checked when it was opened."""

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
        """Sends a request and returns the answer, whatever its status.

        All of it together takes at most `seconds`. The answer's body has at most `most_bytes`.
        Follows at most that many redirects. With `connections`, takes one that is open, and the
        request may be sent twice, if the other server has just closed it. Raises
        `AddressNotAllowed` or `RequestFailed`.
        """
