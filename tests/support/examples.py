"""The people, times and terms of the tests. All times are UTC."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from application.people.personal_data import Invitee
from domain.booking import INVITEE, Booking
from domain.booking_rules import WEEKDAYS, Availability, BookingRules
from domain.calendar import CalendarTerms
from domain.schedule import ScheduleTerms
from domain.slot import Slot

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)  # a Monday
TOMORROW_AT_NINE = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TOMORROW_AT_TEN = TOMORROW_AT_NINE + timedelta(hours=1)
TOMORROW = Slot(TOMORROW_AT_NINE, TOMORROW_AT_NINE + timedelta(minutes=30))
IN_90_DAYS = NOW + timedelta(days=90)

A_DAY = "2026-11-24"  # tomorrow, and times on it, as JSON has them
NINE, HALF_PAST_NINE, TEN = (f"{A_DAY}T{time}:00Z" for time in ("09:00", "09:30", "10:00"))

SECRET = "a-secret-for-tests-that-is-long-enough"  # noqa: S105
OWNER = UUID("0a11ce00-0000-4000-8000-000000000001")
OTHER_OWNER = UUID("0b0b0000-0000-4000-8000-000000000002")
CALENDAR = UUID("ca1e0da2-0000-4000-8000-000000000003")
LINK = UUID("11110000-0000-4000-8000-000000000004")
ACTOR = "key:0123abcd"

ADA = Invitee("Ada Lovelace", "ada@example.org", "Europe/London")
GRACE = Invitee("Grace Hopper", "grace@example.org", "America/New_York")

OFFICE_HOURS = Availability(
    weekly=dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),)), overrides={"2026-12-24": ()}
)
RULES = BookingRules(
    time_zone="UTC",
    duration_minutes=30,
    availability=OFFICE_HOURS,
    start_increment_minutes=30,
)
TERMS = CalendarTerms(name="Intro call", rules=RULES, location="Room 1", description="Hello.")
MORNINGS = Availability(
    weekly=dict.fromkeys(WEEKDAYS, (("08:00", "12:00"),)), overrides={"2026-12-24": ()}
)
SCHEDULE_TERMS = ScheduleTerms(name="Mornings", time_zone="Europe/Paris", availability=MORNINGS)
SCHEDULE_JSON: dict[str, Any] = {
    "name": "Mornings",
    "time_zone": "Europe/Paris",
    "availability": {
        "weekly": {day: [["08:00", "12:00"]] for day in WEEKDAYS},
        "overrides": {"2026-12-24": []},
    },
}
"""The same schedule as an owner posts it."""


def booked(**changes: Any) -> Booking:
    """Returns a booking of tomorrow, as its link makes it."""
    values: dict[str, Any] = {
        "link_id": LINK,
        "owner_id": OWNER,
        "calendar_id": CALENDAR,
        "calendar_version": 1,
        "slot": TOMORROW,
        "personal_data": "c0" * 32,
        "actor": INVITEE,
        "now": NOW,
    }
    return Booking.make(**(values | changes))


def calendar_json(**changes: Any) -> dict[str, Any]:
    """Returns a calendar as an owner posts it: every day from 9 to 5 UTC, half an hour each."""
    return {
        "name": "Intro call",
        "time_zone": "UTC",
        "duration_minutes": 30,
        "availability": {"weekly": {day: [["09:00", "17:00"]] for day in WEEKDAYS}},
        "minimum_notice_minutes": 0,
    } | changes


def redeem_json(start: str, **changes: Any) -> dict[str, Any]:
    """Returns a booking as an invitee posts it."""
    return {
        "start": start,
        "invitee": {"name": "Ada Lovelace", "email": "ada@example.org"},
    } | changes
