"""Commands on bookings, by their owner or by the invitee who has the manage link."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import Loaded, Wanted
from application.eventstore.recorder import VersionConflict
from application.eventstore.streams import OwnersTime
from application.people import personal_data
from domain import booking_changes
from domain.agenda import AgendaDay, days_around
from domain.booking import Booking
from domain.booking_changes import is_bound_by_offer, offered_move, rules_of_move
from domain.booking_rules import BookingRules
from domain.calendar import Calendar, CalendarTerms
from domain.link import SingleUseLink
from domain.offer import EVERYTHING, Offer
from domain.slot import Reservation


@dataclass(frozen=True)
class BookingCommands:
    """Moves, changes and cancels bookings.

    With `owner_id`, each command accepts only bookings of this owner. Without, the caller has
    checked the manage link. An `actor` who is the invitee is bound by the agreed terms.
    """

    event_store: EventSourcedApplication

    def reschedule(
        self,
        *,
        booking_id: UUID,
        start: datetime,
        owner_id: UUID | None = None,
        actor: str,
        now: datetime,
    ) -> Written[Booking]:
        """Moves a booking and its reserved time to the slot that begins at `start` (UTC).

        Does nothing if the booking begins there already. Raises `BookingNotFound`,
        `BookingCancelled`, `TooLate`, `RescheduleLimitReached`, `SlotNotOffered` or `SlotTaken`.
        """

        def decide() -> Written[Booking]:
            booking = self._booking(booking_id, owner_id)
            loaded, calendar, reservation = self._load_move(booking, start, actor=actor, now=now)
            if loaded.get(Booking, booking_id).version != booking.version:
                # Whoever lost the booking meanwhile hears of that and not of the slot.
                raise VersionConflict(booking_id, booking.version + 1)
            changed = booking_changes.reschedule(
                booking,
                start,
                agreed=_agreed(loaded, booking),
                reservation=reservation,
                agenda=_by_date(loaded),
                is_busy_elsewhere=loaded.is_busy_elsewhere,
                actor=actor,
                now=now,
            )
            position = self.event_store.record(booking, *changed, unchanged=[calendar])
            return Written(booking, position)

        return self.event_store.retry_on_conflict(decide)

    def cancel(
        self,
        *,
        booking_id: UUID,
        reason: str | None,
        owner_id: UUID | None = None,
        actor: str,
        now: datetime,
    ) -> Written[Booking]:
        """Cancels a booking and releases its time. Does nothing the second time.

        Once the invitee is forgotten, the reason is not stored. Raises `BookingNotFound` or
        `TooLate`.
        """

        def decide() -> Written[Booking]:
            booking = self._booking(booking_id, owner_id)
            loaded = self.event_store.load(
                _agreed_calendar(booking), *_days(booking.owner_id, days_around(booking.slot))
            )
            rows, commitment = personal_data.row_for(
                booking_id,
                booking.version + 1,
                {"reason": None if booking.is_invitee_forgotten else reason},
            )
            changed = booking_changes.cancel(
                booking,
                agreed=_agreed(loaded, booking),
                agenda=_by_date(loaded),
                personal_data=commitment,
                actor=actor,
                now=now,
            )
            position = self.event_store.record(booking, *changed, personal_data=rows)
            return Written(booking, position)

        return self.event_store.retry_on_conflict(decide)

    def change_place(
        self, *, booking_id: UUID, place: str, owner_id: UUID, actor: str, now: datetime
    ) -> Written[Booking]:
        """Changes where a booking takes place; an empty place means that none is named.

        Does nothing if it takes place there already. Raises `BookingNotFound`,
        `BookingCancelled` or `InviteeForgotten`.
        """

        def decide() -> Written[Booking]:
            booking = self._booking(booking_id, owner_id)
            booking.must_have_somebody_to_tell()
            if self._place(booking) == place:
                return Written(booking, self.event_store.head())
            rows, commitment = personal_data.row_for(
                booking_id, booking.version + 1, {"place": place}
            )
            booking.change_place(personal_data=commitment, actor=actor, now=now)
            return self.event_store.write(booking, personal_data=rows)

        return self.event_store.retry_on_conflict(decide)

    def ask_to_reschedule(
        self,
        *,
        booking_id: UUID,
        message: str | None,
        owner_id: UUID,
        actor: str,
        now: datetime,
    ) -> Written[Booking]:
        """Asks the invitee to pick another time.

        Does nothing if the same was asked and they have not done so yet. Raises
        `BookingNotFound`, `BookingCancelled` or `InviteeForgotten`.
        """

        def decide() -> Written[Booking]:
            booking = self._booking(booking_id, owner_id)
            booking.must_have_somebody_to_tell()
            asked = booking.request_version
            if asked and self._typed(booking, asked).get("message", "") == (message or ""):
                return Written(booking, self.event_store.head())
            rows, commitment = personal_data.row_for(
                booking_id, booking.version + 1, {"message": message}
            )
            booking.ask_to_reschedule(personal_data=commitment, actor=actor, now=now)
            return self.event_store.write(booking, personal_data=rows)

        return self.event_store.retry_on_conflict(decide)

    def agreed_terms(self, booking: Booking) -> CalendarTerms:
        """Returns the terms under which the booking was made."""
        return _agreed(self.event_store.load(_agreed_calendar(booking)), booking)

    def limits_of_move(self, booking: Booking, *, actor: str) -> tuple[BookingRules, Offer]:
        """Returns the rules and the offer within which this actor can move the booking now."""
        newest = self.event_store.get(Calendar, booking.calendar_id).terms.rules
        rules = rules_of_move(booking, newest, actor=actor)
        return rules, self._offer_of_move(booking, actor=actor)

    def _offer_of_move(self, booking: Booking, *, actor: str) -> Offer:
        """Returns the offer of the booking's link as far as it binds this actor.

        Without the duration of the offer, because the booking has its own.
        """
        if not is_bound_by_offer(booking, actor=actor):
            return EVERYTHING
        link = self.event_store.get(SingleUseLink, booking.link_id)
        return replace(link.offer or EVERYTHING, duration_minutes=None)

    def _booking(self, booking_id: UUID, owner_id: UUID | None) -> Booking:
        if owner_id is None:
            return self.event_store.get(Booking, booking_id)
        return self.event_store.get_own(Booking, booking_id, owner_id)

    def _load_move(
        self, booking: Booking, start: datetime, *, actor: str, now: datetime
    ) -> tuple[Loaded, Calendar, Reservation | None]:
        """Loads what moving the booking needs; returns the calendar and what it offers then.

        Guesses like `RedemptionCommands` by the calendar that the process remembers.
        """
        store, calendar_id = self.event_store, booking.calendar_id
        offer = self._offer_of_move(booking, actor=actor)
        calendar = store.last_known(Calendar, calendar_id)
        while True:
            rules = rules_of_move(booking, calendar.terms.rules, actor=actor)
            reservation = offered_move(rules, start, now=now, offer=offer)
            widened = reservation.widened if reservation else None
            days = {*days_around(booking.slot), *(widened.days() if widened else ())}
            loaded = store.load(
                Wanted(Booking, booking.id),
                Wanted(Calendar, calendar_id),
                _agreed_calendar(booking),
                *_days(booking.owner_id, days),
                busy_at=OwnersTime(booking.owner_id, widened) if widened else None,
            )
            guess, calendar = calendar, loaded.get(Calendar, calendar_id)
            if calendar.terms == guess.terms:
                return loaded, calendar, reservation

    def _place(self, booking: Booking) -> str:
        """Returns where the booking takes place, as it was agreed or as it was changed since."""
        if booking.place_version is None:
            return self.agreed_terms(booking).location
        return self._typed(booking, booking.place_version).get("place", "")

    def _typed(self, booking: Booking, version: int) -> dict[str, str]:
        """Returns what was typed for this version of the booking."""
        row = personal_data.find(self.event_store.database, booking.id, version)
        return row.data if row else {}


def _agreed_calendar(booking: Booking) -> Wanted[Calendar]:
    return Wanted(Calendar, booking.calendar_id, booking.calendar_version)


def _agreed(loaded: Loaded, booking: Booking) -> CalendarTerms:
    return loaded.get(Calendar, booking.calendar_id, booking.calendar_version).terms


def _days(owner_id: UUID, days: Iterable[date]) -> list[Wanted[AgendaDay]]:
    return [Wanted(AgendaDay, AgendaDay.id_for(owner_id, day)) for day in days]


def _by_date(loaded: Loaded) -> dict[date, AgendaDay]:
    """Returns the agenda of those days that have one."""
    return {day.day: day for day in loaded.all(AgendaDay)}
