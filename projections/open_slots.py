"""The free slots of a calendar: what its rules offer, less the times at which its owner is busy.

These are the bookings, read from views, and what the owner's calendars elsewhere said when they
were read last. So a slot may be taken by the time somebody asks for it: the save that redeems a
link decides.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from application.eventstore.database import Database
from domain.availability import SlotsOfSpan, offered_by_span, offered_slots
from domain.booking_rules import BookingRules
from domain.offer import EVERYTHING, Offer
from domain.slot import Reservation, Slot
from projections.views import booking_calendar

_DAY = timedelta(days=1)
_DAYS_AT_ONCE = 62


@dataclass(frozen=True)
class OpenSlots:
    """The free slots that an owner's calendar with these rules has at `now` (UTC).

    Only those that `offer`, the offer of one link, includes. With `moving`, the id of a booking,
    they are those to which this booking can be moved.
    """

    database: Database
    owner_id: UUID
    rules: BookingRules
    now: datetime
    offer: Offer = EVERYTHING
    moving: UUID | None = None

    def on_days(
        self, first: date, last: date, time_zone: str, *, most: int | None = None
    ) -> list[Slot]:
        """Returns the slots that start on the days `first` to `last`, both included, in order.

        Days are those of `time_zone`. With `most`, stops after that many slots.
        """
        zone = ZoneInfo(time_zone)
        since, until = midnight(first, zone), midnight(last + _DAY, zone)
        busy = self._busy(since, until)
        return offered_slots(
            self.rules,
            now=self.now,
            since=since,
            until=until,
            busy=busy,
            most=most,
            offer=self.offer,
        )

    def by_day(self, first: date, days: int, time_zone: str) -> dict[date, SlotsOfSpan]:
        """Returns that many days from `first` on, in `time_zone`, each with its slots."""
        zone = ZoneInfo(time_zone)
        dates = [first + n * _DAY for n in range(days + 1)]
        bounds = [midnight(day, zone) for day in dates]
        busy = self._busy(bounds[0], bounds[-1])
        spans = offered_by_span(
            self.rules, now=self.now, bounds=bounds, busy=busy, offer=self.offer
        )
        return dict(zip(dates, spans, strict=False))

    def whole_days(self, first: date, last: date, time_zone: str, *, most: int) -> "WholeDays":
        """Returns about the first `most` slots of these days, never a part of a day.

        Only a day that alone has more than `most` slots is cut after them.
        """
        slots = self.on_days(first, last, time_zone, most=most + 1)
        if len(slots) <= most:
            return WholeDays(slots, next_from=None)
        zone = ZoneInfo(time_zone)
        next_from = slots[-1].start.astimezone(zone).date()
        end = midnight(next_from, zone)
        whole = [slot for slot in slots if slot.start < end]
        if not whole:
            whole, next_from = slots[:most], next_from + _DAY
        return WholeDays(whole, next_from if next_from <= last else None)

    def first_from(self, day: date, time_zone: str) -> Slot | None:
        """Returns the first slot from `day` in `time_zone` on, within the booking window."""
        today = self.now.astimezone(ZoneInfo(time_zone)).date()
        first = max(day, today)
        # In other zones than the calendar's, its last day ends up to a day later.
        until = today + timedelta(days=self.rules.booking_window_days + 1)
        while first <= until:
            last = min(until, first + timedelta(days=_DAYS_AT_ONCE - 1))
            for slot in self.on_days(first, last, time_zone, most=1):
                return slot
            first = last + _DAY
        return None

    def _busy(self, since: datetime, until: datetime) -> list[Reservation]:
        return booking_calendar.taken_times(
            self.database, self.owner_id, since=since, until=until, moving=self.moving
        )


class WholeDays(NamedTuple):
    """Slots in order, and the first day that they leave out; None if there is no such day."""

    slots: list[Slot]
    next_from: date | None


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Returns the moment, in UTC, at which `day` begins in `zone`."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
