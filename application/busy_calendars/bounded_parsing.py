"""Reads iCalendar files in a process of their own, which is ended if it takes too long."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from threading import Event
from time import monotonic

from application.busy_calendars import ics_parsing
from application.busy_calendars.ics_parsing import TooComplex
from domain.slot import Slot

SECONDS = 30
_POLL_SECONDS = 0.2


class NotACalendar(ValueError):
    """The file is no calendar, or not a well-formed one."""


class Stopped(Exception):
    """The process that waits for the result has to end."""


def busy_times(
    file: bytes, *, time_zone: str, since: datetime, until: datetime, stop: Event
) -> list[Slot]:
    """Returns what `ics_parsing.busy_times` finds.

    Raises `NotACalendar`, `TooComplex` or, once `stop` is set, `Stopped`.
    """
    window = [str(int(moment.timestamp())) for moment in (since, until)]
    with subprocess.Popen(  # noqa: S603 - our own module
        # -I: nothing from the current folder, and nothing from the environment.
        [sys.executable, "-I", "-m", ics_parsing.__name__, time_zone, *window],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # an error would quote the file
        env={},
    ) as process:
        try:
            output = _output(process, file, stop)
        finally:
            process.kill()
    if process.returncode < 0 or process.returncode == ics_parsing.TOO_COMPLEX:
        raise TooComplex
    if process.returncode != 0:
        raise NotACalendar
    return [
        Slot(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        for start, end in json.loads(output)
    ]


def _output(process: subprocess.Popen[bytes], file: bytes, stop: Event) -> bytes:
    """Returns what the process prints until it ends."""
    ends_at = monotonic() + SECONDS
    given: bytes | None = file
    while not stop.is_set():
        try:
            return process.communicate(given, _POLL_SECONDS)[0]
        except subprocess.TimeoutExpired:
            given = None  # the rest of the file is sent all the same
            if monotonic() > ends_at:
                raise TooComplex from None
    raise Stopped
