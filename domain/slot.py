"""Slots, and reservations: slots with the buffers that are kept free around them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, order=True, slots=True)
class Slot:
    """A half-open interval [start, end) in UTC that can be booked.

    Both ends carry `datetime.UTC` itself: another zone that happens to agree
    with it today would do its arithmetic on the wall clock.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            raise ValueError("A slot starts and ends in UTC.")
        if self.end <= self.start:
            raise ValueError("A slot ends after it starts.")

    @property
    def minutes(self) -> int:
        """The duration in whole minutes."""
        return (self.end - self.start) // MINUTE

    def overlaps(self, other: "Slot") -> bool:
        """Returns True if some instant lies in both. Slots that merely touch don't overlap."""
        return self.start < other.end and other.start < self.end

    def widened(self, before: timedelta, after: timedelta) -> "Slot":
        """Returns this slot, starting `before` earlier and ending `after` later."""
        return Slot(self.start - before, self.end + after)

    def days(self) -> tuple[date, ...]:
        """Returns the UTC days touched, in order. An end at midnight doesn't touch the new day."""
        first = self.start.toordinal()
        last = (self.end - timedelta.resolution).toordinal()
        return tuple(map(date.fromordinal, range(first, last + 1)))


@dataclass(frozen=True, slots=True)
class Reservation:
    """A slot with the buffers that its calendar keeps free before and after it."""

    slot: Slot
    buffer_before: timedelta
    buffer_after: timedelta

    @property
    def widened(self) -> Slot:
        """The slot and its buffers together."""
        return self.slot.widened(self.buffer_before, self.buffer_after)

    def clashes_with(self, other: "Reservation") -> bool:
        """Returns True if the buffers of one meet the slot of the other.

        Two buffers may share the same gap, so the larger one of those that face each other counts.
        """
        first, second = (self, other) if self.slot.start < other.slot.start else (other, self)
        gap = second.slot.start - first.slot.end
        return gap < max(first.buffer_after, second.buffer_before)
