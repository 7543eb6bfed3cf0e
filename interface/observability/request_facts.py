"""Facts about the current request that are safe to log and to measure.

The path and the query are not among them, because they may hold a token.
"""

import re
from secrets import token_hex
from time import monotonic

from interface.current_request import this_request

_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def method() -> str:
    """Returns the request's method, or `other` for one that does not exist."""
    sent: str = this_request().environ["REQUEST_METHOD"]
    return sent if sent in _METHODS else "other"


def route() -> str:
    """Returns the rule of the route that the request's path matches, or `none`."""
    rule = this_request().rule
    return rule.rule if rule else "none"


def endpoint() -> str:
    """Returns the endpoint of that route, or nothing."""
    rule = this_request().rule
    return rule.endpoint if rule else ""


def seconds_taken() -> float:
    """Returns the seconds since the request began."""
    return monotonic() - this_request().began


def request_id() -> str:
    """Returns the id that the request came with, if it is a plain one, else a new one."""
    request = this_request()
    if request.id is None:
        received = request.environ.get("HTTP_X_REQUEST_ID", "")
        request.id = received if _REQUEST_ID.fullmatch(received) else token_hex(16)
    return request.id
