"""Reads iCalendar files in a process of their own, which is ended if it takes too long."""

import json
import subprocess
import sys
from datetime import UTC, datetime

from application.busy_calendars import ics_parsing
from application.busy_calendars.ics_parsing import TooComplex
from domain.slot import Slot

SECONDS = 30


class NotACalendar(ValueError):
    """The file is no calendar, or not a well-formed one."""


def busy_times(file: bytes, *, time_zone: str, since: datetime, until: datetime) -> list[Slot]:
    """Returns what `ics_parsing.busy_times` finds. Raises `NotACalendar` or `TooComplex`."""
    window = [str(int(moment.timestamp())) for moment in (since, until)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            # -I: nothing from the current folder, and nothing from the environment.
            [sys.executable, "-I", "-m", ics_parsing.__name__, time_zone, *window],
            input=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # an error would quote the file
            env={},
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TooComplex from None
    if done.returncode < 0 or done.returncode == ics_parsing.TOO_COMPLEX:
        raise TooComplex
    if done.returncode != 0:
        raise NotACalendar
    return [
        Slot(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))
        for start, end in json.loads(done.stdout)
    ]
