"""Computes the slots that a calendar offers: from hours, zone, limits and busy time.

A UTC minute is open when the wall clock of the calendar's zone then shows a date
and a time inside one of that date's intervals. A slot is offered when all its
minutes are open, its start lies on the grid of its interval, and notice, window
and reserved time allow it. So a local time that a clock change skips is never
offered, and one that occurs twice is offered as two instants.

The calculation counts whole minutes since 1970 in UTC. A zone's offset is constant
between clock changes; there, wall-clock intervals are intervals of UTC as well.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, islice, pairwise
from math import inf
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.booking_rules import Availability, BookingRules
from domain.offer import EVERYTHING, Offer
from domain.slot import MINUTE, Reservation, Slot
from domain.wall_clock import DAY, EPOCH, EPOCH_DAY, minute_from, minute_of_day, segments


def offered_slots(
    rules: BookingRules,
    *,
    now: datetime,
    since: datetime,
    until: datetime,
    busy: Iterable[Reservation] = (),
    most: int | None = None,
    offer: Offer = EVERYTHING,
) -> list[Slot]:
    """Returns the slots that start in [since, until) and clash with nothing busy, in order.

    `since` and `until` may be any instants in any zone; `now` is the present. With `most`, stops
    after that many slots. `offer` is that of the link for which they are computed, if any.
    """
    rules = offer.rules(rules)
    starts = _free_starts(rules, offer, now=now, since=since, until=until, busy=busy)
    return _slots(rules, islice(starts, most))


@dataclass(frozen=True)
class SlotsOfSpan:
    """The slots that start in a span of time. Counting them is many times faster than making them.

    `starts` are minutes since 1970, in order.
    """

    rules: BookingRules
    starts: Sequence[int]

    @property
    def count(self) -> int:
        """Returns the number of slots."""
        return len(self.starts)

    def first(self, most: int | None = None) -> list[Slot]:
        """Returns the slots in order: the first `most`, or all."""
        return _slots(self.rules, self.starts[:most])

    @property
    def stretches(self) -> list[Slot]:
        """Returns the time that lies in any of the slots, in order."""
        found: list[list[int]] = []
        for start in self.starts:
            end = start + self.rules.duration_minutes
            if found and start <= found[-1][1]:
                found[-1][1] = end
            else:
                found.append([start, end])
        return [Slot(EPOCH + start * MINUTE, EPOCH + end * MINUTE) for start, end in found]


def offered_by_span(
    rules: BookingRules,
    *,
    now: datetime,
    bounds: Sequence[datetime],
    busy: Iterable[Reservation] = (),
    offer: Offer = EVERYTHING,
) -> list[SlotsOfSpan]:
    """Returns what `offered_slots` finds between each of the ascending `bounds` and the next."""
    rules = offer.rules(rules)
    since, until = bounds[0], bounds[-1]
    free = _free_starts(rules, offer, now=now, since=since, until=until, busy=busy, at_once=True)
    starts = list(free)
    cuts = [bisect_left(starts, minute_from(bound)) for bound in bounds]
    return [SlotsOfSpan(rules, starts[begin:end]) for begin, end in pairwise(cuts)]


def open_times(
    availability: Availability, time_zone: str, *, since: datetime, until: datetime
) -> list[Slot]:
    """Returns the open stretches of [since, until), in order. Stretches that touch are one."""
    openings = _openings(availability, ZoneInfo(time_zone), minute_from(since), minute_from(until))
    return [
        Slot(EPOCH + run[0].start * MINUTE, EPOCH + end * MINUTE) for run, end in _runs(openings)
    ]


def is_offered(
    rules: BookingRules, slot: Slot, *, now: datetime, offer: Offer = EVERYTHING
) -> bool:
    """Returns True if calendar and link offer exactly this slot; ignores reservations."""
    rules = offer.rules(rules)
    zone = ZoneInfo(rules.time_zone)
    limits = _limits(rules, zone, offer, now=now)
    if not limits.earliest <= slot.start < limits.latest:
        return False
    if offer.slots is not None and slot.start not in offer.slots:
        return False
    start, rest = divmod(slot.start - EPOCH, MINUTE)
    if rest or slot.end - slot.start != rules.duration_minutes * MINUTE:
        return False
    return start in _offered_starts(rules, zone, start, start + 1, limits)


class _Limits(NamedTuple):
    """The limits within which slots start: days of the calendar's zone, and [earliest, latest).

    Both days are included.
    """

    first_day: date
    last_day: date
    earliest: datetime
    latest: datetime


def _limits(rules: BookingRules, zone: ZoneInfo, offer: Offer, *, now: datetime) -> _Limits:
    """Returns what notice, window and offer allow, whatever is open and reserved."""
    window_end = now.astimezone(zone).date() + timedelta(days=rules.booking_window_days)
    last_day = min(window_end, offer.last_day or date.max)
    earliest = now.astimezone(UTC) + rules.minimum_notice_minutes * MINUTE
    # In every time zone, a date has ended two days after it began in UTC.
    latest = datetime.combine(last_day, time(), UTC) + timedelta(days=2)
    if offer.slots:  # days behind the last of them take long to work out, and have none
        latest = min(latest, max(offer.slots) + MINUTE)
    latest = max(earliest, latest)
    return _Limits(offer.first_day or date.min, last_day, earliest, latest)


def _slots(rules: BookingRules, starts: Iterable[int]) -> list[Slot]:
    """Returns the slots of the calendar's duration that start at these minutes."""
    length = rules.duration_minutes * MINUTE
    times = (EPOCH + minute * MINUTE for minute in starts)
    return [Slot(start, start + length) for start in times]


def _free_starts(
    rules: BookingRules,
    offer: Offer,
    *,
    now: datetime,
    since: datetime,
    until: datetime,
    busy: Iterable[Reservation],
    at_once: bool = False,
) -> Iterator[int]:
    """Returns the minutes at which the slots of `offered_slots` start, in order.

    Works day by day, so that a caller that stops early doesn't pay for the rest. `at_once` works
    out all days together, which is faster for a caller that needs all.
    """
    zone = ZoneInfo(rules.time_zone)
    limits = _limits(rules, zone, offer, now=now)
    start = minute_from(_clipped(since, limits.earliest, limits.latest))
    stop = minute_from(_clipped(until, limits.earliest, limits.latest))
    step = max(DAY, stop - start) if at_once else DAY
    offered: Iterator[int] = chain.from_iterable(
        _offered_starts(rules, zone, begin, min(begin + step, stop), limits)
        for begin in range(start, stop, step)
    )
    if offer.slots is not None:
        wanted = frozenset(offer.slots)
        offered = (minute for minute in offered if EPOCH + minute * MINUTE in wanted)
    blocked = sorted(_blocked_starts(rules, busy))
    return _outside(blocked, offered) if blocked else offered


def _offered_starts(
    rules: BookingRules, zone: ZoneInfo, start: int, stop: int, limits: _Limits
) -> list[int]:
    """Returns the minutes of [start, stop) at which slots start, on the days within the limits."""
    duration, increment = rules.duration_minutes, rules.start_increment_minutes
    starts: set[int] = set()
    for run, end in _runs(_openings(rules.availability, zone, start, stop + duration)):
        for opening in run:
            if limits.first_day <= opening.day <= limits.last_day:
                first = opening.start + (opening.grid - opening.start) % increment
                starts.update(range(first, min(opening.end, stop, end - duration + 1), increment))
    return sorted(starts)


class _Opening(NamedTuple):
    """A stretch of one interval of one local day, in UTC minutes, under one offset.

    `grid` is the minute at which the interval would begin under that offset.
    """

    start: int
    end: int
    grid: int
    day: date


def _openings(
    availability: Availability, zone: ZoneInfo, start: int, stop: int
) -> Iterator[_Opening]:
    """Yields the open stretches of [start, stop), ordered by start."""
    for begin, end, offset in segments(zone, start, stop):
        for day_number in range((begin + offset) // DAY, (end - 1 + offset) // DAY + 1):
            day = date.fromordinal(EPOCH_DAY + day_number)
            midnight = day_number * DAY - offset
            for opens, closes in sorted(availability.hours_on(day)):
                grid = midnight + minute_of_day(opens)
                opening = _Opening(
                    max(begin, grid), min(end, midnight + minute_of_day(closes)), grid, day
                )
                if opening.start < opening.end:
                    yield opening


def _runs(openings: Iterable[_Opening]) -> Iterator[tuple[list[_Opening], int]]:
    """Yields each run of openings that touch one another, and the minute at which it ends."""
    run: list[_Opening] = []
    end = 0
    for opening in openings:
        if run and opening.start > end:
            yield run, end
            run = []
        end = max(end, opening.end) if run else opening.end
        run.append(opening)
    if run:
        yield run, end


def _blocked_starts(rules: BookingRules, busy: Iterable[Reservation]) -> Iterator[tuple[int, int]]:
    """Yields, for each reservation, the half-open range of starts that would clash with it.

    Of the two buffers that face each other across a gap, the larger one decides.
    """
    before = rules.buffer_before_minutes * MINUTE
    after = rules.buffer_after_minutes * MINUTE
    for reservation in busy:
        # Computed with durations since 1970, because a datetime could overflow.
        start = reservation.slot.start - EPOCH - max(after, reservation.buffer_before)
        end = reservation.slot.end - EPOCH + max(before, reservation.buffer_after)
        yield start // MINUTE - rules.duration_minutes + 1, -(-end // MINUTE)


def _outside(ranges: Sequence[tuple[int, int]], minutes: Iterable[int]) -> Iterator[int]:
    """Yields those of the ascending `minutes` that lie in none of the half-open `ranges`.

    The ranges are sorted by start.
    """
    passed, blocked_until, rest = 0, -inf, iter(minutes)
    for minute in rest:
        while passed < len(ranges) and ranges[passed][0] <= minute:
            blocked_until = max(blocked_until, ranges[passed][1])
            passed += 1
        if minute >= blocked_until:
            yield minute
            if passed == len(ranges):
                yield from rest


def _clipped(moment: datetime, earliest: datetime, latest: datetime) -> datetime:
    """Returns `moment` in UTC, limited to [earliest, latest].

    The limits come first, because converting an extreme moment would overflow.
    """
    if moment <= earliest:
        return earliest
    return latest if moment >= latest else moment.astimezone(UTC)
