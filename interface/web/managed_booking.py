"""A booking as its invitee or its owner manages it, read from the log, which is never behind."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from application.people import personal_data
from application.people.rate_limits import FORGED_TOKENS
from application.people.tokens import InvalidToken
from domain import booking_changes
from domain.booking import INVITEE, Booking
from domain.booking_rules import BookingRules
from domain.calendar import CalendarTerms
from domain.errors import AdmitOneError, BookingNotFound
from domain.offer import Offer
from interface.web.rate_limits import count_failure
from interface.web.request_context import services
from projections.open_slots import OpenSlots
from projections.views.booking_calendar import BookingRow, row_of


@dataclass(frozen=True)
class ManagedBooking:
    """A booking, the terms under which it was made, and what was typed for it, by version."""

    booking: Booking
    agreed: CalendarTerms
    host_name: str
    typed: Mapping[int, dict[str, str]]

    @property
    def terms(self) -> CalendarTerms:
        """Returns the agreed terms, with the duration that was booked."""
        return self.agreed.with_duration(self.booking.slot.minutes)

    @cached_property
    def row(self) -> BookingRow:
        """Returns the row that the owner's calendar of bookings has, or will have, for it."""
        return row_of(self.booking, self.agreed, self.typed)

    @property
    def can_cancel(self) -> bool:
        """Returns True if the invitee may cancel now."""
        return booking_changes.reason_against(self.must_be_cancellable) is None

    @property
    def can_reschedule(self) -> bool:
        """Returns True if the invitee may move the booking now."""
        return self.reason_against_moving is None

    @cached_property
    def reason_against_moving(self) -> AdmitOneError | None:
        """The reason why the invitee can't move the booking now, or None."""
        return booking_changes.reason_against(self.must_be_movable)

    def must_be_cancellable(self) -> None:
        """Raises the reason why the invitee can't cancel now, if there is one."""
        booking_changes.must_be_cancellable(self.booking, self.agreed, now=services().now())

    def must_be_movable(self) -> None:
        """Raises the reason why the invitee can't move the booking now, if there is one."""
        now = services().now()
        booking_changes.must_be_movable(self.booking, self.agreed, now=now)
        rules, offer = self._limits_of_invitee
        booking_changes.must_have_other_times(
            self.booking, self.agreed, rules, offer=offer, now=now
        )

    def open_slots(self, *, actor: str = INVITEE) -> OpenSlots:
        """Returns the free slots to which this actor can move the booking."""
        current = services()
        rules, offer = (
            self._limits_of_invitee
            if actor == INVITEE
            else current.bookings.limits_of_move(self.booking, actor=actor)
        )
        return OpenSlots(
            current.database,
            self.booking.owner_id,
            rules,
            current.now(),
            offer=offer,
            moving=self.booking.id,
        )

    @cached_property
    def _limits_of_invitee(self) -> tuple[BookingRules, Offer]:
        """The rules and the offer within which the invitee can move the booking."""
        return services().bookings.limits_of_move(self.booking, actor=INVITEE)


def managed(booking: Booking) -> ManagedBooking:
    """Returns a booking together with everything that is shown of it."""
    current = services()
    return ManagedBooking(
        booking=booking,
        agreed=current.bookings.agreed_terms(booking),
        host_name=current.accounts.by_id(booking.owner_id).name,
        typed=personal_data.texts_of(current.database, booking.id),
    )


def managed_by(token: str) -> ManagedBooking:
    """Returns the booking that the token manages. Raises like `booking_id_of`."""
    return managed(services().event_store.get(Booking, booking_id_of(token)))


def booking_id_of(token: str) -> UUID:
    """Returns the id of the booking that the token manages.

    Raises `BookingNotFound` for a forged token, or `TooManyAttempts` after too many of them.
    """
    try:
        return services().tokens.booking_id(token)
    except InvalidToken:
        count_failure(FORGED_TOKENS)
        raise BookingNotFound from None


def manage_urls(token: str) -> dict[str, Any]:
    """Returns the addresses of the invitee's page and of their calendar file."""
    manage_url = f"{services().settings.public_url}/m/{token}"
    return {"manage_url": manage_url, "ics_url": f"{manage_url}/booking.ics"}
