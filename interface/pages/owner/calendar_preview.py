"""The slots that a calendar would offer in the next seven days, saved or not."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from domain.booking_rules import BookingRules
from domain.slot import Slot
from interface.pages.shared.i18n import local_day
from interface.web.request_context import services
from projections.open_slots import OpenSlots

_DAYS = 7


@dataclass(frozen=True)
class Preview:
    """Free slots by day in `time_zone`, and, if there are none, the next day that has some."""

    time_zone: str
    days: dict[date, list[Slot]]
    next_day: date | None

    @property
    def count(self) -> int:
        """Returns the number of slots on all days together."""
        return sum(map(len, self.days.values()))


def preview(rules: BookingRules, owner_id: UUID) -> Preview:
    """Returns the slots that these rules would offer now, without times that are already booked."""
    current = services()
    open_slots = OpenSlots(current.database, owner_id, rules, current.now())
    zone = rules.time_zone
    today = local_day(open_slots.now, zone)
    days: dict[date, list[Slot]] = {today + timedelta(days=n): [] for n in range(_DAYS)}
    for slot in open_slots.on_days(today, today + timedelta(days=_DAYS - 1), zone):
        days[local_day(slot.start, zone)].append(slot)
    later = None
    if not any(days.values()):
        later = open_slots.first_from(today + timedelta(days=_DAYS), zone)
    next_day = local_day(later.start, zone) if later else None
    return Preview(zone, days, next_day)
