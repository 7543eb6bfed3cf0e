"""Facts about the current request that are safe to log and to measure.

A path or a query may hold a token, so neither is among them.
"""

import re
from time import monotonic
from uuid import uuid4

from flask import g, request

BEGAN = "admitone.began"
"""Key in a request's environment: when it began, by the monotonic clock."""

_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def method() -> str:
    """Returns the request's method, or `other` for one that somebody invented."""
    return request.method if request.method in _METHODS else "other"


def route() -> str:
    """Returns the rule that the request's path matches, or `none`."""
    return request.url_rule.rule if request.url_rule else "none"


def seconds_taken() -> float:
    """Returns how long the request has been worked on."""
    began: float = request.environ[BEGAN]
    return monotonic() - began


def request_id() -> str:
    """Returns the id that the request came with, if it is a plain one, else one made for it."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
    made: str = g.request_id
    return made
