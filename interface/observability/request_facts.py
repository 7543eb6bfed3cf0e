"""Facts about the current request that are safe to log and to measure.

The path and the query are not among them, because they may hold a token.
"""

import re
from secrets import token_hex
from time import monotonic

from flask import request

BEGAN = "admitone.began"
"""The key in a request's WSGI environment for when it began, by the monotonic clock."""

_ID = "admitone.request_id"  # the key for the request's id

_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def method() -> str:
    """Returns the request's method, or `other` for one that does not exist."""
    return request.method if request.method in _METHODS else "other"


def route() -> str:
    """Returns the rule of the route that the request's path matches, or `none`."""
    return request.url_rule.rule if request.url_rule else "none"


def seconds_taken() -> float:
    """Returns the seconds since the request began."""
    began: float = request.environ[BEGAN]
    return monotonic() - began


def request_id() -> str:
    """Returns the id that the request came with, if it is a plain one, else a new one."""
    environ = request.environ
    known: str | None = environ.get(_ID)
    if known is None:
        received = environ.get("HTTP_X_REQUEST_ID", "")
        known = received if _REQUEST_ID.fullmatch(received) else token_hex(16)
        environ[_ID] = known
    return known
