"""Writes the log for operators to standard error, one line for each thing that happens.

A line names a request by its id and the rule of its route. What the request holds stays out of
the log: path, query, headers, body, and the message of an unexpected error, which may quote them.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from traceback import StackSummary, walk_tb
from types import TracebackType
from typing import Any

from flask import Flask, Response, has_request_context, request

from application.eventstore.database import safe_description
from interface.observability.request_facts import method, request_id, route, seconds_taken

OUR_FOLDERS = ("application", "domain", "interface", "projections")
NOT_LOGGED = {"health.alive", "health.ready", "metrics", "static"}
"""Endpoints that are called all day long."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

_FIELDS = ("method", "route", "status", "milliseconds")

log = logging.getLogger(__name__)


def configure(form: str | None) -> None:
    """Sends the log to standard error as `json` or `text`. None: text on a terminal, else JSON.

    Logs our own modules from INFO on and others from WARNING on. Does nothing if logging has been
    configured already.
    """
    is_text = form == "text" or (form is None and sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(TextLines() if is_text else JSONLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    for name in OUR_FOLDERS:
        logging.getLogger(name).setLevel(logging.INFO)


def init_app(app: Flask) -> None:
    """Logs every request when its response is ready, and adds its id to the response."""
    app.after_request(_log_request)


def unexpected(exc_info: ExcInfo) -> None:
    """Logs an unexpected error in the current request."""
    where = {"method": method(), "route": route()}
    log.error("unexpected error in %(method)s %(route)s", where, exc_info=exc_info, extra=where)


class JSONLines(logging.Formatter):
    """A formatter that writes one JSON object per line. Times are in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as a line of JSON."""
        when = datetime.fromtimestamp(record.created, UTC)
        facts: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if has_request_context():
            facts["request_id"] = request_id()
        facts |= {name: vars(record)[name] for name in _FIELDS if name in vars(record)}
        if trace := _trace(record):
            facts["exception"] = trace
        return json.dumps(facts)


class TextLines(logging.Formatter):
    """A formatter that writes short lines for people. Times are local."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as a line of text, followed by its traceback."""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname} {record.name}"
        if has_request_context():
            line += f" [{request_id()}]"
        return "\n".join([f"{line}: {_message(record)}", *_trace(record).splitlines()])


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


def _message(record: logging.LogRecord) -> str:
    if not isinstance(record.args, tuple):
        return record.getMessage()
    safe = (safe_description(arg) if isinstance(arg, BaseException) else arg for arg in record.args)
    return str(record.msg) % tuple(safe) if record.args else str(record.msg)


def _trace(record: logging.LogRecord) -> str:
    """Returns where an exception happened and its type, causes first. Empty without one."""
    error = record.exc_info[1] if record.exc_info else None
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = StackSummary.extract(walk_tb(error.__traceback__)).format()
        parts.insert(
            0, "".join(["Traceback (most recent call last):\n", *frames, safe_description(error)])
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(parts)
