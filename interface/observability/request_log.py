"""Logs every request, and unexpected errors in requests.

A line names a request by its id and the rule of its route. What the request holds stays out of
the log: path, query, headers and body.
"""

import logging
from datetime import datetime
from types import TracebackType

from interface.current_request import CurrentRequest, this_request
from interface.observability.logs import info

NOT_LOGGED = {"health.alive", "health.ready", "metrics", "static"}
"""Endpoints that are called all day long."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

log = logging.getLogger(__name__)


def unexpected(exc_info: ExcInfo) -> None:
    """Logs an unexpected error in the current request."""
    request = this_request()
    where = {"method": request.method, "route": request.route}
    log.error("unexpected error in %(method)s %(route)s", where, exc_info=exc_info, extra=where)


def answered(request: CurrentRequest, status: int, seconds: float, *, now: datetime) -> None:
    """Logs that a request is answered with this status after so many seconds."""
    if request.endpoint not in NOT_LOGGED:
        facts = {
            "method": request.method,
            "route": request.route,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        }
        info(log, "%(method)s %(route)s %(status)d in %(milliseconds).1f ms", facts, now=now)
