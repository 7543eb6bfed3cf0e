"""The slots of the coming week as a calendar would offer them, saved or not."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.booking_rules import BookingRules
from domain.slot import Slot
from interface.web.request_context import services
from projections.open_slots import OpenSlots

_DAYS = 7


@dataclass(frozen=True)
class Preview:
    """Free slots by local day, seven days of them; `next_day` only where there are none."""

    time_zone: str
    days: dict[date, list[Slot]]
    next_day: date | None

    @property
    def count(self) -> int:
        """How many slots there are in all."""
        return sum(map(len, self.days.values()))


def preview(rules: BookingRules, owner_id: UUID) -> Preview:
    """Returns what these rules would offer now, less what the owner has booked."""
    current = services()
    open_slots = OpenSlots(current.database, owner_id, rules, current.now())
    zone = ZoneInfo(rules.time_zone)
    today = open_slots.now.astimezone(zone).date()
    days: dict[date, list[Slot]] = {today + timedelta(days=n): [] for n in range(_DAYS)}
    for slot in open_slots.on_days(today, today + timedelta(days=_DAYS - 1), rules.time_zone):
        days[slot.start.astimezone(zone).date()].append(slot)
    later = None
    if not any(days.values()):
        later = open_slots.first_from(today + timedelta(days=_DAYS), rules.time_zone)
    next_day = later.start.astimezone(zone).date() if later else None
    return Preview(rules.time_zone, days, next_day)
