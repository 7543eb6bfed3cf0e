"""The command that redeems a link: loads what the domain decides from, and saves."""

# Annotations of the functions inside of a command would be evaluated each time it is called.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from application.commands.repeated_issuing import hash_of
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import Wanted
from application.eventstore.recorder import VersionConflict
from application.eventstore.streams import OwnersTime
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


class _Basis(NamedTuple):
    """The aggregates that a redemption is decided from, read at one moment.

    `reservation` is the requested slot with its buffers, or None if it is not offered. `agenda`
    has every day that it touches, new ones included.
    """

    link: SingleUseLink
    calendar: Calendar
    reservation: Reservation | None
    agenda: list[AgendaDay]
    is_busy_elsewhere: bool


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
            idempotency_key=idempotency_key and hash_of(idempotency_key),
            actor=INVITEE,
            now=now,
        )

        def decide() -> Written[Redemption]:
            # All of this is seen at one moment, so whoever lost the slot because the link was
            # used for it sees that, and hears of the link.
            link, calendar, reservation, agenda, is_busy_elsewhere = self._load(link_id, request)
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
            position = self.event_store.record(
                link, booking, *agenda, personal_data=rows, unchanged=[calendar]
            )
            return Written(Redemption(booking, calendar, invitee), position)

        return self.event_store.retry_on_conflict(decide)

    def _load(self, link_id: UUID, request: RedemptionRequest) -> _Basis:
        """Loads what the decision needs.

        Which days to read depends on link and calendar. So this guesses from what the process
        remembers, and reads again if the calendar was not known or turns out to have other terms.
        """
        store = self.event_store
        known = store.last_known(SingleUseLink, link_id)
        guess = store.remembered(Calendar, known.calendar_id)
        while True:
            reservation = offered_reservation(guess, known.offer, request) if guess else None
            span = reservation.widened if reservation else None
            days = {
                day: Wanted(AgendaDay, AgendaDay.id_for(known.owner_id, day))
                for day in (span.days() if span else ())
            }
            loaded = store.load(
                Wanted(SingleUseLink, link_id),
                Wanted(Calendar, known.calendar_id),
                *days.values(),
                busy_at=OwnersTime(known.owner_id, span) if span else None,
            )
            link = loaded.get(SingleUseLink, link_id)  # first: it is what people ask for
            if link.origin != known.origin:
                raise VersionConflict(link_id, 1)  # another one since the database was restored
            calendar = loaded.get(Calendar, known.calendar_id)
            if guess is not None and guess.terms == calendar.terms:
                agenda = [
                    loaded.find(AgendaDay, wanted.id)
                    or AgendaDay.open(known.owner_id, day, actor=request.actor, now=request.now)
                    for day, wanted in days.items()
                ]
                return _Basis(link, calendar, reservation, agenda, loaded.is_busy_elsewhere)
            guess = calendar

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
