"""The days, weeks and months of an owner's bookings."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.availability import open_times
from domain.booking import BookingStatus
from domain.slot import Slot
from interface.i18n import local_day, week_start
from interface.pages.owner.hours_grid import hours_grid
from interface.pages.shared.auth import user_time_zone
from interface.web.fields import FIRST_YEAR, LAST_YEAR
from interface.web.request_context import services
from projections.open_slots import midnight
from projections.views import booking_calendar
from projections.views.booking_calendar import BookingRow
from projections.views.calendar_list import CalendarRow

# More than anybody can tell apart in a week or a month.
_MOST_IN_SPAN = 2000
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """A day, or the days of a week or month in whole weeks.

    Weeks begin as the reader's locale has it.
    """

    first: date
    after: date
    weeks: list[list[date]]
    before: date | None
    """The first day of the previous span; None at the end of the supported years."""

    @property
    def last(self) -> date:
        return self.after - _DAY

    @property
    def following(self) -> date | None:
        """Returns the first day of the next span; None at the end of the supported years."""
        return _supported(self.after)

    @property
    def days(self) -> list[date]:
        """Returns all days that are shown, in order."""
        return [day for week in self.weeks for day in week]


def span_context(
    owner_id: UUID, filters: dict[str, Any], calendars: Collection[CalendarRow]
) -> dict[str, Any]:
    """Returns what the template of a day, a week or a month needs."""
    current = services()
    zone = user_time_zone()
    today = local_day(current.now(), zone)
    span = _SPANS[filters["view"]](filters["on"] or today)
    since = midnight(span.days[0], ZoneInfo(zone))
    until = midnight(span.days[-1] + _DAY, ZoneInfo(zone))
    criteria: dict[str, Any] = {
        "status": BookingStatus.CONFIRMED,
        "calendar_id": filters["calendar_id"],
        "q": filters["q"],
    }
    bookings = booking_calendar.bookings_of(
        current.database, owner_id, limit=_MOST_IN_SPAN, since=since, until=until, **criteria
    )
    context: dict[str, Any] = {"span": span, "today": today, "has_bookings": bool(bookings)}
    if not bookings:
        upcoming = booking_calendar.bookings_of(
            current.database, owner_id, limit=1, since=max(until, current.now()), **criteria
        )
        context["next_day"] = local_day(upcoming[0].start, zone) if upcoming else None
    if filters["view"] == "month":
        return context | {"by_day": _by_day(bookings, span.days[0], zone)}
    grid = hours_grid(
        span.days,
        zone,
        open_times=_open_times(calendars, filters["calendar_id"], since=since, until=until),
        bookings=bookings,
        taken=booking_calendar.taken_times(current.database, owner_id, since=since, until=until),
    )
    return context | {"grid": grid}


def _open_times(
    calendars: Collection[CalendarRow], calendar_id: UUID | None, **period: Any
) -> list[Slot]:
    """Returns the hours of the calendars that can be booked, or of one of them."""
    rules = [
        calendar.terms.rules
        for calendar in calendars
        if not calendar.is_archived and calendar_id in (None, calendar.id)
    ]
    return [
        time for each in rules for time in open_times(each.availability, each.time_zone, **period)
    ]


def _by_day(bookings: list[BookingRow], first: date, zone: str) -> dict[date, list[BookingRow]]:
    by_day: defaultdict[date, list[BookingRow]] = defaultdict(list)
    for booking in bookings:
        by_day[max(first, local_day(booking.start, zone))].append(booking)
    return by_day


def _day(day: date) -> Span:
    return Span(day, day + _DAY, [[day]], _supported(day - _DAY))


def _week(day: date) -> Span:
    first = week_start(day)
    week = [first + n * _DAY for n in range(7)]
    return Span(first, first + 7 * _DAY, [week], _supported(first - 7 * _DAY))


def _month(day: date) -> Span:
    first = day.replace(day=1)
    after = (first + 31 * _DAY).replace(day=1)
    week_begin = week_start(first)
    weeks = []
    while week_begin < after:
        weeks.append([week_begin + n * _DAY for n in range(7)])
        week_begin += 7 * _DAY
    return Span(first, after, weeks, _supported((first - _DAY).replace(day=1)))


def _supported(day: date) -> date | None:
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


_SPANS = {"day": _day, "week": _week, "month": _month}
SPANS = tuple(_SPANS)
