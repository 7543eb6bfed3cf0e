"""The slots that a calendar would offer in the next seven days, saved or not."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from domain.availability import SlotsOfSpan
from domain.booking_rules import BookingRules
from interface.i18n import local_day
from interface.web.request_context import services
from projections.open_slots import OpenSlots

_DAYS = 7


@dataclass(frozen=True)
class Preview:
    """Free slots by day in `time_zone`, and, if there are none, the next day that has some."""

    time_zone: str
    days: dict[date, SlotsOfSpan]
    next_day: date | None

    @property
    def count(self) -> int:
        """Returns the number of slots on all days together."""
        return sum(day.count for day in self.days.values())


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
    return Preview(zone, days, next_day)
