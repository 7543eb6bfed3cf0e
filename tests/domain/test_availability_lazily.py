"""Nothing is computed beyond the day of the last slot that is asked for."""

from dataclasses import replace
from datetime import date, timedelta

from domain.availability import offered_slots
from domain.booking_rules import Availability, Hours
from tests.domain.schedules import ALL_DAY, at, rules


class CountingAvailability(Availability):
    """Counts the days whose hours were looked up."""

    looked_up = 0

    def hours_on(self, day: date) -> Hours:
        """Looks the hours up."""
        CountingAvailability.looked_up += 1
        return super().hours_on(day)


def test_days_after_the_last_slot_asked_for_are_not_looked_up() -> None:
    calendar = rules(*ALL_DAY, duration_minutes=1, start_increment_minutes=1)
    availability = calendar.availability
    calendar = replace(
        calendar, availability=CountingAvailability(availability.weekly, availability.overrides)
    )
    since = at("2026-05-04")
    slots = offered_slots(
        calendar, now=since, since=since, until=since + timedelta(days=60), most=2000
    )
    assert len(slots) == 2000
    assert CountingAvailability.looked_up <= 4
