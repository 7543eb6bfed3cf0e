"""Endpoints with which invitees manage their bookings; the token is the only credential."""

from typing import Any

from application.eventstore.event_sourced_application import Written
from application.people.rate_limits import TooManyAttempts
from domain import booking_changes
from domain.booking import INVITEE, Booking
from domain.errors import (
    BookingCancelled,
    BookingNotFound,
    Busy,
    NoOtherTimes,
    RescheduleLimitReached,
    SlotNotOffered,
    SlotTaken,
    TooLate,
)
from interface.api.decorators import Blueprint, with_log_position
from interface.api.free_slots import free_slots
from interface.api.openapi import LOG_POSITION, has_etag, refuses
from interface.web.invitee_response_schemas import ManagedBookingOutput, SlotsOutput
from interface.web.managed_booking import (
    ManagedBooking,
    booking_id_of,
    manage_urls,
    managed,
    managed_by,
)
from interface.web.request_context import services
from interface.web.request_schemas import CancelInput, NoFields, RescheduleInput, SlotsQuery

blueprint = Blueprint(
    "manage",
    __name__,
    url_prefix="/api/v1/manage",
    description=(
        "What an invitee can do with their booking. The token, which stands in the `manage_url`"
        " of the booking, is the only credential."
    ),
)

UNKNOWN = (BookingNotFound, TooManyAttempts)
IMMOVABLE = (BookingCancelled, TooLate, RescheduleLimitReached)


@blueprint.route("/<token>")
@refuses(*UNKNOWN)
@blueprint.response(200, ManagedBookingOutput)
def read(token: str) -> Any:
    """Read a booking.

    Says what the invitee can still change, and until when. A booking keeps the name, the place
    and the limits that its calendar had when it was made, unless the host changes the place.
    """
    return _output(managed_by(token), token)


@blueprint.route("/<token>/slots")
@blueprint.arguments(SlotsQuery, location="query")
@refuses(*UNKNOWN, *IMMOVABLE, NoOtherTimes)
@has_etag
@blueprint.response(200, SlotsOutput)
def slots(query: dict[str, Any], token: str) -> Any:
    """List the free slots to which the booking can be moved.

    They follow the calendar as it is now, with the length that the booking has. Parameters are
    those of the free slots of a link.
    """
    found = managed_by(token)
    found.must_be_movable()
    return free_slots(found.open_slots(), query)


@blueprint.route("/<token>/cancel", methods=["POST"])
@blueprint.arguments(CancelInput, required=False)
@refuses(*UNKNOWN, TooLate, Busy)
@blueprint.response(200, ManagedBookingOutput, headers=LOG_POSITION)
def cancel(body: dict[str, Any], token: str) -> Any:
    """Cancel a booking.

    Its time becomes free; the link stays used. Cancelling again changes nothing.
    """
    current = services()
    cancelled = current.bookings.cancel(
        booking_id=booking_id_of(token),
        reason=body["reason"],
        actor=INVITEE,
        now=current.now(),
    )
    return _response(cancelled, token)


@blueprint.route("/<token>/reschedule", methods=["POST"])
@blueprint.arguments(RescheduleInput)
@refuses(*UNKNOWN, *IMMOVABLE, SlotTaken, SlotNotOffered, Busy)
@blueprint.response(200, ManagedBookingOutput, headers=LOG_POSITION)
def reschedule(body: dict[str, Any], token: str) -> Any:
    """Move a booking to another free slot.

    Moving it to where it is changes nothing, so the request can be repeated safely.
    """
    current = services()
    moved = current.bookings.reschedule(
        booking_id=booking_id_of(token), start=body["start"], actor=INVITEE, now=current.now()
    )
    return _response(moved, token)


@blueprint.route("/<token>/forget", methods=["POST"])
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(*UNKNOWN, Busy)
@blueprint.response(200, ManagedBookingOutput, headers=LOG_POSITION)
def forget(token: str) -> Any:
    """Forget the invitee.

    Permanently erases what was typed about them. The booking itself stays. Forgetting again
    changes nothing.
    """
    current = services()
    forgotten = current.erasure.forget(
        booking_id=booking_id_of(token), owner_id=None, actor=INVITEE, now=current.now()
    )
    return _response(forgotten, token)


def _response(written: Written[Booking], token: str) -> Any:
    return _output(managed(written.value), token), with_log_position(written)


def _output(found: ManagedBooking, token: str) -> dict[str, Any]:
    booking, agreed = found.booking, found.agreed
    return {
        "booking_id": booking.id,
        "status": booking.status,
        "start": booking.slot.start,
        "end": booking.slot.end,
        "calendar": found.terms,
        "host": {"name": found.host_name},
        "location": found.row.location,
        "invitee": found.row.invitee,
        "notes": found.row.notes,
        "can_cancel": found.can_cancel,
        "cancel_until": booking_changes.cancel_until(booking, agreed),
        "can_reschedule": found.can_reschedule,
        "reschedule_until": booking_changes.reschedule_until(booking, agreed),
        "reschedules_left": booking_changes.moves_left(booking, agreed),
        "reschedule_requested": booking.is_asked_to_reschedule,
        "message": found.row.message,
        "reason": found.row.reason,
        "contact": agreed.contact,
        **manage_urls(token),
    }
