"""Finds the busy times in an iCalendar file of somebody else's.

Such a file can be made so that reading it takes for ever. `python -m` runs this module as a
program of its own with little time and memory: see `application.busy_calendars.bounded_parsing`.
"""

import json
import os
import resource
import sys
import zoneinfo
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

MOST_BUSY_TIMES = 5000
TOO_COMPLEX = 3  # the exit status

CPU_SECONDS = 15
MEMORY_BYTES = 512 * 1024 * 1024

_DAY = timedelta(days=1)

Span = tuple[datetime, datetime]


class TooComplex(ValueError):
    """The file takes too much time or memory, or has more busy times than are stored."""


def busy_times(file: bytes, *, time_zone: str, since: datetime, until: datetime) -> list[Span]:
    """Returns the parts of [since, until) at which events of the file are busy, merged, in UTC.

    Times without a zone, and whole days, are those of `time_zone`. Cancelled events and those
    that leave their time free do not count. Raises `TooComplex`, or other errors for a file that
    is not well formed.
    """
    # Slow to load, and needed in the program alone.
    import recurring_ical_events
    from icalendar import Calendar

    zone = ZoneInfo(time_zone)
    spans: list[Span] = []
    for calendar in Calendar.from_ical(file, multiple=True):
        if not isinstance(calendar, Calendar):
            raise ValueError("not a calendar")
        # Times without a zone lie up to a day off those that the library takes them for.
        events = recurring_ical_events.of(calendar).between(since - _DAY, until + _DAY)
        spans += _busy_spans(events, zone)
    if not spans and b"BEGIN:VCALENDAR" not in file.upper():
        raise ValueError("not a calendar")
    clipped = ((max(start, since), min(end, until)) for start, end in spans)
    found = merged((start, end) for start, end in clipped if start < end)
    if len(found) > MOST_BUSY_TIMES:
        raise TooComplex
    return found


def merged(spans: Iterable[Span]) -> list[Span]:
    """Returns the half-open spans in order, those that overlap or touch as one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result


def _busy_spans(events: Iterable[object], zone: ZoneInfo) -> Iterator[Span]:
    from icalendar import Event

    for event in events:
        assert isinstance(event, Event)  # noqa: S101 - nothing else was asked for
        is_free = str(event.get("TRANSP", "")).upper() == "TRANSPARENT"
        is_cancelled = str(event.get("STATUS", "")).upper() == "CANCELLED"
        if not is_free and not is_cancelled:
            yield _moment(event.start, zone), _moment(event.end, zone)


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    """Returns a time or the beginning of a day in UTC."""
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def main(time_zone: str, since: str, until: str) -> None:
    """Reads a file from standard input and prints its busy times, as seconds since 1970.

    Ends with the status `TOO_COMPLEX`, or by a signal, if that takes too much.
    """
    os.nice(10)  # bookings come first
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    zoneinfo.reset_tzpath(to=())  # the pinned tzdata, as everywhere in the service
    try:
        found = busy_times(
            sys.stdin.buffer.read(),
            time_zone=time_zone,
            since=datetime.fromtimestamp(int(since), UTC),
            until=datetime.fromtimestamp(int(until), UTC),
        )
    except (TooComplex, MemoryError):
        sys.exit(TOO_COMPLEX)
    json.dump([[start.timestamp(), end.timestamp()] for start, end in found], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
