"""The booking that a redeemed link makes."""

from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate, event

from domain.errors import BookingCancelled
from domain.slot import Slot


class BookingStatus(StrEnum):
    """The states of a booking."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Booking(Aggregate):
    """One invitee's appointment. Its id follows from the link's: one link, one booking."""

    TOPIC = "booking"

    class Created(Aggregate.Created):
        """Never triggered: only there because the library asks this class for a topic too."""

        TOPIC = "booking.created"

    class Made(Created):
        """`personal_data` commits to the invitee and the notes, which stay outside the log.

        `calendar_version` says which wording of the calendar the invitee agreed to, so
        that a repeated request gets the same answer.
        """

        TOPIC = "booking.made"
        link_id: UUID
        owner_id: UUID
        calendar_id: UUID
        calendar_version: int
        slot_start: datetime
        slot_end: datetime
        personal_data: str
        actor: str

    class Rescheduled(Aggregate.Event):
        """The same booking at another time."""

        TOPIC = "booking.rescheduled"
        slot_start: datetime
        slot_end: datetime
        actor: str

    class Cancelled(Aggregate.Event):
        """`personal_data` commits to the reason."""

        TOPIC = "booking.cancelled"
        personal_data: str | None
        actor: str

    class InviteeForgotten(Aggregate.Event):
        """All text about the invitee is erased, and with it the link's recipient and note."""

        TOPIC = "booking.invitee_forgotten"
        actor: str

    @event(Made)
    def __init__(
        self,
        link_id: UUID,
        owner_id: UUID,
        calendar_id: UUID,
        calendar_version: int,
        slot_start: datetime,
        slot_end: datetime,
        personal_data: str,
    ) -> None:
        self.link_id = link_id
        self.owner_id = owner_id
        self.calendar_id = calendar_id
        self.calendar_version = calendar_version
        self.slot = Slot(slot_start, slot_end)
        self.personal_data = personal_data
        self.status = BookingStatus.CONFIRMED
        self.is_invitee_forgotten = False

    @staticmethod
    def id_for(link_id: UUID) -> UUID:
        """Returns the id of the only booking that this link can make, without looking it up."""
        return uuid5(link_id, "booking")

    @classmethod
    def make(
        cls,
        *,
        link_id: UUID,
        owner_id: UUID,
        calendar_id: UUID,
        calendar_version: int,
        slot: Slot,
        personal_data: str,
        actor: str,
        now: datetime,
    ) -> Self:
        """Makes a confirmed booking of `slot`."""
        return cls._create(
            cls.Made,
            id=cls.id_for(link_id),
            link_id=link_id,
            owner_id=owner_id,
            calendar_id=calendar_id,
            calendar_version=calendar_version,
            slot_start=slot.start,
            slot_end=slot.end,
            personal_data=personal_data,
            actor=actor,
            timestamp=now,
        )

    def reschedule(self, slot: Slot, *, actor: str, now: datetime) -> None:
        """Moves the booking to `slot`. Does nothing if it is there already.

        Raises `BookingCancelled`.
        """
        if self.status is BookingStatus.CANCELLED:
            raise BookingCancelled
        if slot != self.slot:
            self.trigger_event(
                self.Rescheduled,
                slot_start=slot.start,
                slot_end=slot.end,
                actor=actor,
                timestamp=now,
            )

    def cancel(self, *, personal_data: str | None, actor: str, now: datetime) -> None:
        """Cancels the booking; the link stays used. Does nothing the second time."""
        if self.status is BookingStatus.CONFIRMED:
            self.trigger_event(
                self.Cancelled, personal_data=personal_data, actor=actor, timestamp=now
            )

    def forget_invitee(self, *, actor: str, now: datetime) -> None:
        """Records that the invitee is forgotten. Does nothing the second time."""
        if not self.is_invitee_forgotten:
            self.trigger_event(self.InviteeForgotten, actor=actor, timestamp=now)

    @event(Rescheduled)
    def _rescheduled(self, slot_start: datetime, slot_end: datetime) -> None:
        self.slot = Slot(slot_start, slot_end)

    @event(Cancelled)
    def _cancelled(self) -> None:
        self.status = BookingStatus.CANCELLED

    @event(InviteeForgotten)
    def _invitee_forgotten(self) -> None:
        self.is_invitee_forgotten = True
