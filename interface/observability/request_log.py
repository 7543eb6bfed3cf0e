"""Logs every request, and unexpected errors in requests.

A line names a request by its id and the rule of its route. What the request holds stays out of
the log: path, query, headers and body.
"""

import logging
from types import TracebackType

from flask import Flask, Response, request

from interface.observability.request_facts import method, request_id, route, seconds_taken

NOT_LOGGED = {"health.alive", "health.ready", "metrics", "static"}
"""Endpoints that are called all day long."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Logs every request when its response is ready, and adds its id to the response."""
    app.after_request(_log_request)


def unexpected(exc_info: ExcInfo) -> None:
    """Logs an unexpected error in the current request."""
    where = {"method": method(), "route": route()}
    log.error("unexpected error in %(method)s %(route)s", where, exc_info=exc_info, extra=where)


def _log_request(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    if request.endpoint not in NOT_LOGGED:
        facts = {
            "method": method(),
            "route": route(),
            "status": response.status_code,
            "milliseconds": round(seconds_taken() * 1000, 1),
        }
        log.info("%(method)s %(route)s %(status)d in %(milliseconds).1f ms", facts, extra=facts)
    return response
