"""The command that redeems a link: loads what the domain decides from, and saves."""

# Annotations of the functions inside of a command would be evaluated each time it is called.
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from application.commands.repeated_issuing import hash_of
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import LinkOrigin, Loaded, Wanted
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
            loaded, calendar, reservation = self._load(link_id, request)
            # All of this is seen at one moment, so whoever lost the slot because the link was
            # used for it sees that, and hears of the link.
            link = loaded.get(SingleUseLink, link_id)
            if is_repeat(link, request):
                return self._first_answer(request, link_id, invitee, typed)
            agenda = _opened(loaded, calendar.owner_id, reservation, now=now)
            booking = redeem(
                request,
                link=link,
                calendar=calendar,
                reservation=reservation,
                agenda=agenda,
                is_busy_elsewhere=loaded.is_busy_elsewhere,
            )
            position = self.event_store.record(
                link, booking, *agenda, personal_data=rows, unchanged=[calendar]
            )
            return Written(Redemption(booking, calendar, invitee), position)

        return self.event_store.retry_on_conflict(decide)

    def _load(
        self, link_id: UUID, request: RedemptionRequest
    ) -> tuple[Loaded, Calendar, Reservation | None]:
        """Loads what the decision needs, and returns the calendar and what it offers at the time.

        Which days to read depends on the calendar. So this guesses by the calendar that the
        process remembers, and reads again if that turns out to have other terms.
        """
        store = self.event_store
        origin = store.origin_of(link_id)
        calendar_id, owner_id = origin.calendar_id, origin.owner_id
        both = Wanted(SingleUseLink, link_id), Wanted(Calendar, calendar_id)

        def calendar_of(loaded: Loaded) -> Calendar:
            link = loaded.get(SingleUseLink, link_id)  # first: it is what people ask for
            if LinkOrigin.of(link) != origin:
                raise VersionConflict(link_id, 1)  # another one since the database was restored
            return loaded.get(Calendar, calendar_id)

        calendar = store.remembered_calendar(calendar_id) or calendar_of(store.load(*both))
        while True:
            reservation = offered_reservation(calendar, origin.offer, request)
            span = reservation.widened if reservation else None
            loaded = store.load(
                *both,
                *[
                    Wanted(AgendaDay, AgendaDay.id_for(owner_id, day))
                    for day in (span.days() if span else ())
                ],
                busy_at=OwnersTime(owner_id, span) if span else None,
            )
            guess, calendar = calendar, calendar_of(loaded)
            if calendar.terms == guess.terms:
                return loaded, calendar, reservation

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


def _opened(
    loaded: Loaded, owner_id: UUID, reservation: Reservation | None, *, now: datetime
) -> list[AgendaDay]:
    """Returns the agenda of every day that a reservation touches; opens those that are new."""
    return [
        loaded.find(AgendaDay, AgendaDay.id_for(owner_id, day))
        or AgendaDay.open(owner_id, day, actor=INVITEE, now=now)
        for day in (reservation.widened.days() if reservation else ())
    ]
