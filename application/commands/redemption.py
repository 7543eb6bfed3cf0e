"""The command that redeems a link: loads what the domain decides from, and saves."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from application.busy_calendars.busy_calendars import is_busy
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.people import personal_data
from application.people.personal_data import Invitee
from domain.agenda import AgendaDay
from domain.booking import INVITEE, Booking
from domain.calendar import Calendar, CalendarTerms
from domain.errors import Invalid
from domain.link import SingleUseLink
from domain.redemption import (
    RedemptionRequest,
    confirm_repeat,
    is_repeat,
    offered_reservation,
    redeem,
)
from domain.slot import Reservation


@dataclass(frozen=True)
class Redemption:
    """The answer to an invitee: the same for a repeated request as for the first one."""

    booking: Booking
    calendar: Calendar
    invitee: Invitee
    is_repeat: bool = field(default=False, compare=False)

    @property
    def terms(self) -> CalendarTerms:
        """The terms of the calendar, with the duration that was booked."""
        return self.calendar.terms.with_duration(self.booking.slot.minutes)


@dataclass(frozen=True)
class RedemptionCommands:
    """Turns links into bookings."""

    event_store: EventSourcedApplication

    def redeem(
        self,
        *,
        link_id: UUID,
        start: datetime,
        invitee: Invitee,
        notes: str | None,
        idempotency_key: str | None,
        now: datetime,
        language: str | None = None,
    ) -> Written[Redemption]:
        """Turns a link into a booking of the slot that begins at `start` (UTC).

        Saves link, booking and agenda days together, or nothing. The same `idempotency_key`
        with the same slot and invitee gets the first answer again. `language` is the one in which
        the invitee reads mail.

        Raises `LinkNotFound`, `LinkEnded`, `SlotTaken`, `SlotNotOffered`,
        `IdempotencyMismatch`, or `Unavailable` if nothing could be decided in time.
        """
        typed = personal_data.booking_data(invitee, notes)
        rows, commitment = personal_data.row_for(
            Booking.id_for(link_id), 1, typed, language=language
        )
        if commitment is None:
            raise Invalid({"invitee": ["Must not be empty."]})
        request = RedemptionRequest(
            start=start,
            personal_data=commitment,
            idempotency_key=idempotency_key
            and hashlib.sha256(idempotency_key.encode()).hexdigest(),
            actor=INVITEE,
            now=now,
        )

        def decide() -> Written[Redemption]:
            issued = self.event_store.get(SingleUseLink, link_id, version=1)
            calendar = self.event_store.get(Calendar, issued.calendar_id)
            reservation = offered_reservation(calendar, issued.offer, request)
            agenda = self._agenda(calendar.owner_id, reservation, now=now) if reservation else []
            is_busy_elsewhere = reservation is not None and is_busy(
                self.event_store.database, calendar.owner_id, reservation.widened
            )
            # Last, so that whoever lost the link hears of that and not of the slot.
            link = self.event_store.get(SingleUseLink, link_id)
            if is_repeat(link, request):
                return self._first_answer(request, link_id, invitee, typed)
            booking = redeem(
                request,
                link=link,
                calendar=calendar,
                reservation=reservation,
                agenda=agenda,
                is_busy_elsewhere=is_busy_elsewhere,
            )
            position = self.event_store.record(link, booking, *agenda, personal_data=rows)
            return Written(Redemption(booking, calendar, invitee), position)

        return self.event_store.retry_on_conflict(decide)

    def _first_answer(
        self,
        request: RedemptionRequest,
        link_id: UUID,
        invitee: Invitee,
        typed: dict[str, str | None],
    ) -> Written[Redemption]:
        """Returns the first answer again, for the same slot and the same person."""
        made = self.event_store.get(Booking, Booking.id_for(link_id), version=1)
        row = personal_data.find(self.event_store.database, made.id)
        confirm_repeat(
            made,
            start=request.start,
            personal_data=row
            and personal_data.commitment(row.salt, personal_data.without_empty(typed)),
        )
        calendar = self.event_store.get(Calendar, made.calendar_id, version=made.calendar_version)
        redemption = Redemption(made, calendar, invitee, is_repeat=True)
        return Written(redemption, self.event_store.head())

    def _agenda(
        self, owner_id: UUID, reservation: Reservation, *, now: datetime
    ) -> list[AgendaDay]:
        """Returns the agenda of every day that a reservation touches; opens those that are new."""
        days = {AgendaDay.id_for(owner_id, day): day for day in reservation.widened.days()}
        found = self.event_store.find_many(AgendaDay, days)
        return [
            found.get(agenda_id) or AgendaDay.open(owner_id, day, actor=INVITEE, now=now)
            for agenda_id, day in days.items()
        ]
