"""Calendars and times for the tests of availability."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from domain.availability import offered_slots
from domain.booking_rules import (
    WEEKDAYS,
    Availability,
    BookingRules,
    Hours,
)
from domain.slot import Reservation, Slot

LONG_AGO = datetime.min.replace(tzinfo=UTC)
FAR_AHEAD = datetime.max.replace(tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALL_DAY: Hours = (("00:00", "24:00"),)


def rules(
    *hours: tuple[str, str],
    zone: str = "UTC",
    overrides: dict[str, Hours] | None = None,
    **more: Any,
) -> BookingRules:
    """Returns rules with the same hours every day, on an hourly grid, without notice."""
    availability = Availability(dict.fromkeys(WEEKDAYS, hours), overrides or {})
    terms = {"duration_minutes": 60, "start_increment_minutes": 60, "minimum_notice_minutes": 0}
    return BookingRules(zone, availability=availability, **(terms | more))


def starts(
    calendar: BookingRules, day: str, days: int = 1, busy: Sequence[Reservation] = ()
) -> list[str]:
    """Returns the local start times of the slots offered from `day` on, as of the day before."""
    zone = ZoneInfo(calendar.time_zone)
    first = datetime.fromisoformat(day).replace(tzinfo=zone)
    since, until = first.astimezone(UTC), (first + timedelta(days=days)).astimezone(UTC)
    now = since - timedelta(days=1)
    slots = offered_slots(calendar, now=now, since=since, until=until, busy=busy)
    return [f"{slot.start.astimezone(zone):%H:%M}" for slot in slots]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def reserved(start: str, end: str, before: int = 0, after: int = 0) -> Reservation:
    return Reservation(Slot(at(start), at(end)), before * MINUTE, after * MINUTE)
