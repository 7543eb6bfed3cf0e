"""The answer to a call of the API: ready to be sent, with nothing left to find out."""

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class Reply:
    """A status, headers, and a body of JSON. Sent as WSGI has it, like werkzeug's responses."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """A status that allows no body has none, whatever `body` is."""
        self.status = status
        self.headers = {**headers}
        self._body = b"" if status in _WITHOUT_BODY else body

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Sends the answer."""
        headers = [*self.headers.items()]
        if self._body:
            length = str(len(self._body))
            headers += [("Content-Type", "application/json"), ("Content-Length", length)]
        start_response(_line(self.status), headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (self._body,)


@cache
def _line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"
