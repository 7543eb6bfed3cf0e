"""The slots of the coming week as a calendar would offer them, saved or not."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.availability import offered_slots
from domain.booking_rules import BookingRules
from domain.slot import Slot
from interface.current import services
from projections import booking_calendar

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
    """What these rules would offer now, with the owner's bookings taken into account."""
    zone = ZoneInfo(rules.time_zone)
    today = services().now().astimezone(zone).date()
    days: dict[date, list[Slot]] = {today + timedelta(days=n): [] for n in range(_DAYS)}
    for slot in _offered(rules, owner_id, zone, today, _DAYS):
        days[slot.start.astimezone(zone).date()].append(slot)
    later = None
    if not any(days.values()):
        rest = rules.booking_window_days
        slots = _offered(rules, owner_id, zone, today + timedelta(days=_DAYS), rest)
        later = slots[0].start.astimezone(zone).date() if slots else None
    return Preview(rules.time_zone, days, later)


def _offered(
    rules: BookingRules, owner_id: UUID, zone: ZoneInfo, first: date, days: int
) -> list[Slot]:
    current = services()
    since = datetime.combine(first, time(), zone)
    until = datetime.combine(first + timedelta(days=days), time(), zone)
    busy = booking_calendar.reservations(current.database, owner_id, since=since, until=until)
    return offered_slots(rules, now=current.now(), since=since, until=until, busy=busy)
