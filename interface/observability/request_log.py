"""Logs every request, and unexpected errors in requests.

A line names a request by its id and the rule of its route. What the request holds stays out of
the log: path, query, headers and body.
"""

import logging
from datetime import datetime
from types import TracebackType

from interface.observability.logs import info
from interface.observability.request_facts import endpoint, method, route, seconds_taken

NOT_LOGGED = {"health.alive", "health.ready", "metrics", "static"}
"""Endpoints that are called all day long."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

log = logging.getLogger(__name__)


def unexpected(exc_info: ExcInfo) -> None:
    """Logs an unexpected error in the current request."""
    where = {"method": method(), "route": route()}
    log.error("unexpected error in %(method)s %(route)s", where, exc_info=exc_info, extra=where)


def answered(status: int, *, now: datetime) -> None:
    """Logs that the current request is answered with this status."""
    if endpoint() not in NOT_LOGGED:
        facts = {
            "method": method(),
            "route": route(),
            "status": status,
            "milliseconds": round(seconds_taken() * 1000, 1),
        }
        info(log, "%(method)s %(route)s %(status)d in %(milliseconds).1f ms", facts, now=now)
