"""The slots that a calendar would offer in the next two weeks, saved or not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain, islice
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.availability import SlotsOfSpan, open_times
from domain.booking_rules import Availability, BookingRules
from domain.slot import Slot
from interface.i18n import local_day
from interface.pages.owner.hours_grid import HoursGrid, hours_grid
from interface.web.request_context import services
from projections.open_slots import OpenSlots, midnight
from projections.views import booking_calendar

_DAYS = 14
_DAYS_IN_WORDS = 7


@dataclass(frozen=True)
class Preview:
    """Free slots by day in `time_zone`, and, if there are none, the next day that has some.

    The two grids show when slots can be booked and what is taken, a week each.
    """

    time_zone: str
    days: dict[date, SlotsOfSpan]
    next_day: date | None
    grids: list[HoursGrid]

    @property
    def count(self) -> int:
        """Returns the number of slots on all days together."""
        return sum(day.count for day in self.days.values())

    @property
    def in_words(self) -> dict[date, SlotsOfSpan]:
        """Returns the first week."""
        return dict(islice(self.days.items(), _DAYS_IN_WORDS))


def preview(rules: BookingRules, owner_id: UUID) -> Preview:
    """Returns the slots that these rules would offer now, without times that are already booked."""
    current = services()
    open_slots = OpenSlots(current.database, owner_id, rules, current.now())
    zone = rules.time_zone
    today = local_day(open_slots.now, zone)
    days = open_slots.by_day(today, _DAYS, zone)
    later = None
    if not any(day.count for day in days.values()):
        later = open_slots.first_from(today + timedelta(days=_DAYS), zone)
    next_day = local_day(later.start, zone) if later else None
    stretches = chain.from_iterable(day.stretches for day in days.values())
    return Preview(zone, days, next_day, _grids(list(days), zone, owner_id, stretches))


def open_hours(availability: Availability, zone: str, owner_id: UUID) -> list[HoursGrid]:
    """Returns the open hours of the same days as two grids, with what is taken."""
    today = local_day(services().now(), zone)
    dates = [today + timedelta(days=number) for number in range(_DAYS)]
    since, until = _bounds(dates, zone)
    stretches = open_times(availability, zone, since=since, until=until)
    return _grids(dates, zone, owner_id, stretches)


def _bounds(dates: Sequence[date], zone: str) -> tuple[datetime, datetime]:
    first, last = dates[0], dates[-1] + timedelta(days=1)
    return midnight(first, ZoneInfo(zone)), midnight(last, ZoneInfo(zone))


def _grids(
    dates: Sequence[date], zone: str, owner_id: UUID, open_stretches: Iterable[Slot]
) -> list[HoursGrid]:
    """Returns the days as two grids with the same hours."""
    since, until = _bounds(dates, zone)
    grid = hours_grid(
        dates,
        zone,
        open_times=open_stretches,
        taken=booking_calendar.taken_times(services().database, owner_id, since=since, until=until),
    )
    return [
        replace(grid, days={day: grid.days[day] for day in dates[first : first + 7]})
        for first in range(0, len(dates), 7)
    ]
