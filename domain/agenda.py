"""An owner's reserved time, one UTC day at a time."""

from bisect import bisect, insort
from datetime import date, datetime
from functools import lru_cache
from typing import Self
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.aggregate import Aggregate
from domain.booking_rules import LONGEST_BUFFER
from domain.errors import SlotTaken
from domain.slot import MINUTE, Reservation, Slot


def days_around(slot: Slot) -> tuple[date, ...]:
    """Returns all UTC days on which time can be reserved for a booking of this slot.

    A reservation is recorded on every day that its slot touches with its buffers. Those that
    were kept free when it was made are not known here, so these are the longest.
    """
    return slot.widened(LONGEST_BUFFER, LONGEST_BUFFER).days()


class AgendaDay(Aggregate):
    """The time that an owner has reserved on one UTC day, across all calendars and links.

    Two bookings that would clash always meet in the agenda of some day, because a
    reservation is written to every day that its slot with its buffers touches; the
    version check of that day's stream lets only one of them in.
    """

    TOPIC = "agenda"

    class Created(Aggregate.Created):
        """Never triggered: only there because the library asks this class for a topic too."""

        TOPIC = "agenda.created"

    class Opened(Created):
        """The agenda exists: somebody books on this day for the first time."""

        TOPIC = "agenda.opened"
        owner_id: UUID
        day: date
        actor: str

    class SlotReserved(Aggregate.Event):
        """Time was reserved for a booking. Buffers are in minutes."""

        TOPIC = "agenda.slot_reserved"
        booking_id: UUID
        slot_start: datetime
        slot_end: datetime
        buffer_before_minutes: int
        buffer_after_minutes: int
        actor: str

    class SlotReleased(Aggregate.Event):
        """The booking no longer needs its time on this day."""

        TOPIC = "agenda.slot_released"
        booking_id: UUID
        actor: str

    @event(Opened)
    def __init__(self, owner_id: UUID, day: date) -> None:
        self.owner_id = owner_id
        self.day = day
        self.reservations: dict[UUID, Reservation] = {}
        self._by_start: list[tuple[datetime, UUID]] = []

    @staticmethod
    @lru_cache(maxsize=1024)
    def id_for(owner_id: UUID, day: date) -> UUID:
        """Returns the id of the agenda of this owner and UTC day, without looking it up."""
        return uuid5(owner_id, day.isoformat())

    @classmethod
    def open(cls, owner_id: UUID, day: date, *, actor: str, now: datetime) -> Self:
        """Opens an empty agenda."""
        return cls._create(
            cls.Opened,
            id=cls.id_for(owner_id, day),
            owner_id=owner_id,
            day=day,
            actor=actor,
            timestamp=now,
        )

    def copy(self) -> Self:
        """Returns a copy that can change and leaves this one as it is."""
        copy = super().copy()
        copy.reservations = self.reservations.copy()
        copy._by_start = self._by_start.copy()
        return copy

    def reserve(
        self, booking_id: UUID, reservation: Reservation, *, actor: str, now: datetime
    ) -> None:
        """Reserves the slot for the booking, in place of any time that it had before.

        Does nothing if it has this one. Raises `SlotTaken` if another booking clashes with it.
        """
        if any(map(reservation.clashes_with, self._nearest(booking_id, reservation))):
            raise SlotTaken
        if self.reservations.get(booking_id) == reservation:
            return
        self.trigger_event(
            self.SlotReserved,
            booking_id=booking_id,
            slot_start=reservation.slot.start,
            slot_end=reservation.slot.end,
            buffer_before_minutes=reservation.buffer_before // MINUTE,
            buffer_after_minutes=reservation.buffer_after // MINUTE,
            actor=actor,
            timestamp=now,
        )

    def release(self, booking_id: UUID, *, actor: str, now: datetime) -> None:
        """Releases the booking's time. Does nothing if it has none on this day."""
        if booking_id in self.reservations:
            self.trigger_event(self.SlotReleased, booking_id=booking_id, actor=actor, timestamp=now)

    @event(SlotReserved)
    def _slot_reserved(
        self,
        booking_id: UUID,
        slot_start: datetime,
        slot_end: datetime,
        buffer_before_minutes: int,
        buffer_after_minutes: int,
    ) -> None:
        if booking_id in self.reservations:
            self._remove(booking_id)
        self.reservations[booking_id] = Reservation(
            Slot(slot_start, slot_end),
            buffer_before_minutes * MINUTE,
            buffer_after_minutes * MINUTE,
        )
        insort(self._by_start, (slot_start, booking_id))

    @event(SlotReleased)
    def _slot_released(self, booking_id: UUID) -> None:
        self._remove(booking_id)

    def _remove(self, booking_id: UUID) -> None:
        start = self.reservations.pop(booking_id).slot.start
        del self._by_start[bisect(self._by_start, (start, booking_id)) - 1]

    def _nearest(self, booking_id: UUID, reservation: Reservation) -> list[Reservation]:
        """Returns the reservations of other bookings that start right before and after this one.

        If it clashes with any, it clashes with the nearest on one of its sides. The others are
        further away, and their buffers reach no further, because they already end before that one.
        """
        after = bisect(self._by_start, (reservation.slot.start, booking_id))
        near = self._by_start[max(after - 2, 0) : after + 2]  # the booking's own may be among them
        return [self.reservations[other] for _, other in near if other != booking_id]
