"""Closes a stretch of time in a calendar's hours by date overrides, and opens it again."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from domain.booking_rules import Availability, Hours
from domain.slot import Slot
from domain.wall_clock import WallClockSpan, minute_of_day, time_of_day, wall_clock_spans


def closed_during(availability: Availability, time_zone: str, slot: Slot) -> Availability:
    """Returns the availability without the slot. Dates that weren't open then stay as they are.

    Hours are those of a wall clock: closing one of the two hours when clocks go back closes both.
    """
    overrides = dict(availability.overrides)
    for span in wall_clock_spans(slot, time_zone):
        before = replace(availability, overrides=overrides).hours_on(span.day)
        if any(True for _ in _inside(before, span)):
            overrides[span.day.isoformat()] = _texts(_outside(before, span))
    return replace(availability, overrides=overrides)


def opened_again(availability: Availability, time_zone: str, slot: Slot) -> Availability:
    """Returns the availability with the weekly hours inside the slot open again.

    An override that says the same as the weekly hours of its date is no longer needed.
    """
    overrides = dict(availability.overrides)
    weekly = replace(availability, overrides={})
    for span in wall_clock_spans(slot, time_zone):
        date, usual = span.day.isoformat(), weekly.hours_on(span.day)
        if date not in overrides:
            continue
        open_now = _merged([*_minutes(overrides[date]), *_inside(usual, span)])
        if open_now == _merged(_minutes(usual)):
            del overrides[date]
        else:
            overrides[date] = _texts(open_now)
    return replace(availability, overrides=overrides)


def _minutes(hours: Hours) -> Iterator[tuple[int, int]]:
    for opens, closes in hours:
        yield minute_of_day(opens), minute_of_day(closes)


def _inside(hours: Hours, span: WallClockSpan) -> Iterator[tuple[int, int]]:
    for opens, closes in _minutes(hours):
        begins, ends = max(opens, span.begins), min(closes, span.ends)
        if begins < ends:
            yield begins, ends


def _outside(hours: Hours, span: WallClockSpan) -> Iterator[tuple[int, int]]:
    for opens, closes in _minutes(hours):
        for begins, ends in ((opens, min(closes, span.begins)), (max(opens, span.ends), closes)):
            if begins < ends:
                yield begins, ends


def _merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the intervals in order; those that touch or overlap become one."""
    merged: list[tuple[int, int]] = []
    for begins, ends in sorted(intervals):
        if merged and begins <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(ends, merged[-1][1]))
        else:
            merged.append((begins, ends))
    return merged


def _texts(intervals: Iterable[tuple[int, int]]) -> Hours:
    return tuple((time_of_day(begins), time_of_day(ends)) for begins, ends in intervals)
