"""The free slots of a calendar: what its rules offer, less what its owner has booked.

They are read from views, so a slot may be taken by the time somebody asks for it. The save that
redeems a link decides.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from application.eventstore.database import Database
from domain.availability import offered_slots
from domain.booking_rules import BookingRules
from domain.slot import Slot
from projections.views import booking_calendar

_DAYS_AT_ONCE = 62


@dataclass(frozen=True)
class OpenSlots:
    """The free slots that an owner's calendar with these rules has at `now` (UTC)."""

    database: Database
    owner_id: UUID
    rules: BookingRules
    now: datetime

    def on_days(self, first: date, last: date, time_zone: str) -> list[Slot]:
        """Returns the slots that start on the days `first` to `last`, both included, in order.

        Days are those of `time_zone`.
        """
        zone = ZoneInfo(time_zone)
        since, until = midnight(first, zone), midnight(last + timedelta(days=1), zone)
        busy = booking_calendar.reservations(self.database, self.owner_id, since=since, until=until)
        return offered_slots(self.rules, now=self.now, since=since, until=until, busy=busy)

    def first_from(self, day: date, time_zone: str) -> Slot | None:
        """Returns the first slot from `day` in `time_zone` on, within the booking window."""
        today = self.now.astimezone(ZoneInfo(time_zone)).date()
        first = max(day, today)
        # In other zones than the calendar's, its last day ends up to a day later.
        until = today + timedelta(days=self.rules.booking_window_days + 1)
        while first <= until:
            last = min(until, first + timedelta(days=_DAYS_AT_ONCE - 1))
            for slot in self.on_days(first, last, time_zone):
                return slot
            first = last + timedelta(days=1)
        return None


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Returns the moment, in UTC, at which `day` begins in `zone`."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
