"""The request that a thread is answering, as everything sees it but what is Flask's own.

Flask answers the pages, and `interface.api.calls` the calls of the API: what serves both asks
here.
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar, Token
from random import randbytes
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug import Request
    from werkzeug.routing import Rule

    from application.eventstore.database import Database
    from application.people.recent_callers import Caller
    from interface.bootstrap import Services

_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class CurrentRequest:
    """A request, and what is found out about it while it is answered.

    It is the current request in its own `with` block. Its id, method, route and endpoint are safe
    to log and to measure. Its path and query are not, because they may hold a token.
    """

    __slots__ = (
        *("began", "caller", "database", "environ", "extensions", "id", "parsed"),
        *("reads_newest", "refused_by", "rule", "services", "_token"),
    )

    def __init__(self, environ: "WSGIEnvironment", extensions: Mapping[str, Any]) -> None:
        """`extensions` are those of the application that answers it."""
        self.environ = environ
        self.extensions = extensions
        self.services: Services = extensions["admitone"]
        self.began = monotonic()
        received = environ.get("HTTP_X_REQUEST_ID", "")
        self.id: str = received if _PLAIN_ID.fullmatch(received) else _new_id()
        """The id that it came with if that is a plain one, else a new one."""
        self.rule: Rule | None = None
        """The route that the path matches."""
        self.caller: Caller | None = None
        """The account that its API key acts for."""
        self.refused_by: str | None = None
        """The slug of the problem that it is answered with."""
        self.parsed: Request | None = None
        self.reads_newest = True
        """False if what it reads may be a few seconds old."""
        self.database: Database | None = None
        """The one that it reads from, once it has begun to."""
        self._token: Token[CurrentRequest]

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)

    @property
    def method(self) -> str:
        """The method, or `other` for one that does not exist."""
        sent: str = self.environ["REQUEST_METHOD"]
        return sent if sent in _METHODS else "other"

    @property
    def route(self) -> str:
        """The rule of the route that the path matches, or `none`."""
        return self.rule.rule if self.rule else "none"

    @property
    def endpoint(self) -> str:
        """The endpoint of that route, or an empty text."""
        return self.rule.endpoint if self.rule else ""

    def seconds_taken(self) -> float:
        """Returns the seconds since it began."""
        return monotonic() - self.began


def _new_id() -> str:
    return randbytes(16).hex()  # noqa: S311 - not a secret, so the kernel need not be asked


_current: ContextVar[CurrentRequest] = ContextVar("request")


def find() -> CurrentRequest | None:
    """Returns the current request, if there is one."""
    return _current.get(None)


this_request = _current.get
"""Returns the current request. Raises `LookupError` if there is none.

It is called dozens of times in each request, so it is the variable's own method.
"""
