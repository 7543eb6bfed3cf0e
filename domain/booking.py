"""The booking that a redeemed link makes."""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Self
from uuid import UUID, uuid5

from eventsourcing.domain import event

from domain.aggregate import Aggregate
from domain.errors import BookingCancelled, InviteeForgotten
from domain.slot import Slot

INVITEE = "invitee"
"""The actor of what an invitee does, who has no account."""


class BookingStatus(StrEnum):
    """The states of a booking."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class Booking(Aggregate):
    """One invitee's appointment. Its id follows from the link's: one link, one booking.

    `moves_by_invitee` counts the invitee's own moves. `place_version`, `request_version` and
    `cancellation_version` are the versions of the events that have the place, the message of the
    owner's open request and the reason of the cancellation as personal data; None without one.
    """

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

    class Changed(Aggregate.Event):
        """The booking takes place elsewhere.

        `personal_data` commits to the new place; None means that no place is named any more.
        """

        TOPIC = "booking.changed"
        personal_data: str | None
        actor: str

    class RescheduleRequested(Aggregate.Event):
        """The owner asks the invitee to pick another time. `personal_data` commits to a message."""

        TOPIC = "booking.reschedule_requested"
        personal_data: str | None
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
        self.moves_by_invitee = 0
        self.place_version: int | None = None
        self.request_version: int | None = None
        self.cancellation_version: int | None = None

    @property
    def is_asked_to_reschedule(self) -> bool:
        """Returns True while the owner waits for the invitee to pick another time."""
        return self.request_version is not None

    @staticmethod
    @lru_cache(maxsize=1024)
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

    def must_be_confirmed(self) -> None:
        """Raises `BookingCancelled` if the booking was cancelled."""
        if self.status is BookingStatus.CANCELLED:
            raise BookingCancelled

    def must_have_somebody_to_tell(self) -> None:
        """Raises `BookingCancelled` or `InviteeForgotten` if nobody is to be told of anything."""
        self.must_be_confirmed()
        if self.is_invitee_forgotten:
            raise InviteeForgotten

    def reschedule(self, slot: Slot, *, actor: str, now: datetime) -> None:
        """Moves the booking to `slot`. Does nothing if it is there already.

        Raises `BookingCancelled`.
        """
        self.must_be_confirmed()
        if slot != self.slot:
            self.trigger_event(
                self.Rescheduled,
                slot_start=slot.start,
                slot_end=slot.end,
                actor=actor,
                timestamp=now,
            )

    def change_place(self, *, personal_data: str | None, actor: str, now: datetime) -> None:
        """Changes where the booking takes place. `personal_data` commits to the new place.

        Raises `BookingCancelled` or `InviteeForgotten`.
        """
        self.must_have_somebody_to_tell()
        self.trigger_event(self.Changed, personal_data=personal_data, actor=actor, timestamp=now)

    def ask_to_reschedule(self, *, personal_data: str | None, actor: str, now: datetime) -> None:
        """Asks the invitee to pick another time. `personal_data` commits to a message to them.

        Raises `BookingCancelled` or `InviteeForgotten`.
        """
        self.must_have_somebody_to_tell()
        self.trigger_event(
            self.RescheduleRequested, personal_data=personal_data, actor=actor, timestamp=now
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
    def _rescheduled(self, slot_start: datetime, slot_end: datetime, actor: str) -> None:
        self.slot = Slot(slot_start, slot_end)
        # A move that answers the owner's request is not the invitee's own wish.
        if actor == INVITEE and not self.is_asked_to_reschedule:
            self.moves_by_invitee += 1
        self.request_version = None

    @event(Changed)
    def _changed(self) -> None:
        self.place_version = self.version + 1

    @event(RescheduleRequested)
    def _reschedule_requested(self) -> None:
        self.request_version = self.version + 1

    @event(Cancelled)
    def _cancelled(self) -> None:
        self.status = BookingStatus.CANCELLED
        self.request_version = None
        self.cancellation_version = self.version + 1

    @event(InviteeForgotten)
    def _invitee_forgotten(self) -> None:
        self.is_invitee_forgotten = True
