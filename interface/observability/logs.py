"""Writes the log for operators to standard error, one line for each thing that happens.

The message of an error stays out of it, because it may quote what people typed. Background
processes log as well: they need no Flask, which takes 7 MB of memory, so nothing here loads it.
"""

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from traceback import StackSummary, walk_tb
from typing import Any, TextIO

import msgspec

from application.eventstore.database import safe_description
from interface import current_request

OUR_FOLDERS = ("application", "domain", "interface", "projections")
_FIELDS = ("method", "route", "status", "milliseconds")


_encode = msgspec.json.Encoder().encode


def configure(form: str | None) -> None:
    """Sends the log to standard error as `json` or `text`. None: text on a terminal, else JSON.

    Logs our own modules from INFO on and others from WARNING on. Does nothing if logging has been
    configured already.
    """
    is_text = form == "text" or (form is None and sys.stderr.isatty())
    handler = logging.StreamHandler() if is_text else JSONHandler()
    handler.setFormatter(TextLines() if is_text else JSONLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    _collect_only_what_is_written()
    for name in OUR_FOLDERS:
        logging.getLogger(name).setLevel(logging.INFO)


def _collect_only_what_is_written() -> None:
    """Leaves out what costs most about a record, and what neither of our forms shows.

    As the `logging` manual says under Optimization: the caller's place in the source, the thread
    and the process.
    """
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


class JSONLines(logging.Formatter):
    """A formatter that writes one JSON object per line. Times are in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as a line of JSON."""
        known_facts = vars(record)
        facts = {name: known_facts[name] for name in _FIELDS if name in known_facts}
        if trace := _trace(record):
            facts["exception"] = trace
        level = record.levelname.lower()
        now = datetime.fromtimestamp(record.created, UTC)
        return _json_line(now, level, record.name, _message(record), facts)


class JSONHandler(logging.StreamHandler[TextIO]):
    """Writes lines of JSON; `write` does so without a `LogRecord`."""

    def write(self, logger: str, message: str, facts: Mapping[str, Any], now: datetime) -> None:
        """Writes the line that a record of the level INFO would become."""
        line = _json_line(now, "info", logger, message, facts)
        try:
            with self.lock or nullcontext():
                self.stream.write(f"{line}{self.terminator}")
                self.stream.flush()
        except (OSError, ValueError):
            pass  # the stream was closed


def info(logger: logging.Logger, message: str, facts: Mapping[str, Any], *, now: datetime) -> None:
    """Logs a message with facts that are also members of its line, at the level INFO.

    Each request logs one line, and a `LogRecord` costs more than the rest of it. Where our handler
    is the only one, none is made; otherwise logging sets the time, not `now`.
    """
    handlers = logging.root.handlers
    if len(handlers) == 1 and isinstance(handlers[0], JSONHandler):
        if logger.isEnabledFor(logging.INFO):
            handlers[0].write(logger.name, message % facts, facts, now)
    else:
        logger.info(message, facts, extra=facts)


def _json_line(
    now: datetime, level: str, logger: str, message: str, facts: Mapping[str, Any]
) -> str:
    """Returns a line of JSON for a moment in UTC, with the id of the current request."""
    members = {
        "time": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "logger": logger,
        "message": message,
    }
    if (request := current_request.find()) is not None:
        members["request_id"] = request.id
    members |= facts
    try:
        return _encode(members).decode()
    except UnicodeEncodeError:  # half a character, as in the name of a file
        return json.dumps(members)


class TextLines(logging.Formatter):
    """A formatter that writes short lines for people. Times are local."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as a line of text, followed by its traceback."""
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname} {record.name}"
        if (request := current_request.find()) is not None:
            line += f" [{request.id}]"
        return "\n".join([f"{line}: {_message(record)}", *_trace(record).splitlines()])


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
