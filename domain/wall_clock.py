"""Turns moments into the dates and times of a zone's wall clock, across clock changes.

Minutes are counted since 1970 in UTC, where every hour has sixty of them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.slot import MINUTE, Slot

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
DAY = 1440


@dataclass(frozen=True, slots=True)
class WallClockSpan:
    """A stretch of one local date, in minutes of the wall clock: [begins, ends), 0 to 1440."""

    day: date
    begins: int
    ends: int


def wall_clock_spans(slot: Slot, time_zone: str) -> Iterator[WallClockSpan]:
    """Yields what a clock in the zone shows during the slot, cut at midnight and clock changes.

    So a slot in an hour that occurs twice yields that hour for each time, and a slot around one
    that is skipped yields nothing of it. Begun minutes count whole.
    """
    start = (slot.start - EPOCH) // MINUTE
    for begin, end, offset in segments(ZoneInfo(time_zone), start, minute_from(slot.end)):
        for day_number in range((begin + offset) // DAY, (end - 1 + offset) // DAY + 1):
            midnight = day_number * DAY - offset
            yield WallClockSpan(
                date.fromordinal(EPOCH_DAY + day_number),
                max(begin - midnight, 0),
                min(end - midnight, DAY),
            )


def segments(zone: ZoneInfo, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Cuts [start, stop) where the zone's offset changes; yields (start, stop, offset in minutes).

    Looks at whole days in UTC, because no zone has ever changed its offset twice within three days.
    """
    begin, offset = start, None
    for day in range(start // DAY, (stop - 1) // DAY + 1):
        change, before, after = _offsets_on(zone, day)
        if offset is None:
            offset = before if start < change else after
        if before != after and begin < change < stop:
            yield begin, change, offset
            begin, offset = change, after
    if offset is not None:
        yield begin, stop, offset


@lru_cache(maxsize=8192)
def _offsets_on(zone: ZoneInfo, day: int) -> tuple[int, int, int]:
    """Returns the minute of a change on a UTC day, numbered since 1970, and the offsets around it.

    Without a change, the minute is that at which the day ends, and both offsets are the same.
    """
    start, stop = day * DAY, (day + 1) * DAY
    before, after = _offset(zone, start), _offset(zone, stop)
    change = stop if before == after else _first_change(zone, start, stop)
    return change, before, after


def _first_change(zone: ZoneInfo, start: int, stop: int) -> int:
    """Returns the first minute in (start, stop] whose offset differs from that of `start`."""
    before = _offset(zone, start)
    minutes = range(start, stop)
    return start + bisect_left(minutes, True, key=lambda minute: _offset(zone, minute) != before)


def _offset(zone: ZoneInfo, minute: int) -> int:
    """Returns the minutes from UTC to the wall clock, rounded down: old offsets have seconds."""
    offset = (EPOCH + minute * MINUTE).astimezone(zone).utcoffset()
    return (offset or timedelta()) // MINUTE


def minute_from(moment: datetime) -> int:
    """Returns the first whole minute since 1970 that isn't before `moment`."""
    return -((EPOCH - moment) // MINUTE)


def minute_of_day(text: str) -> int:
    """Returns the minutes since midnight of a time such as 09:30, from 00:00 to 24:00."""
    return int(text[:2]) * 60 + int(text[3:])


def time_of_day(minute: int) -> str:
    """Returns the time that is this many minutes after midnight, such as 09:30."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
