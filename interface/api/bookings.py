"""Endpoints about bookings, for their owner."""

from typing import Any
from uuid import UUID

from application.eventstore.event_sourced_application import Written
from domain.booking import Booking
from domain.errors import (
    BookingCancelled,
    BookingNotFound,
    Busy,
    InviteeForgotten,
    SlotNotOffered,
    SlotTaken,
)
from interface.api.decorators import (
    Blueprint,
    caller,
    may_be_old,
    requires,
    revalidates,
    shows,
    with_log_position,
)
from interface.api.openapi import LOG_POSITION, refuses
from interface.web.managed_booking import managed
from interface.web.owner_response_schemas import BookingOutput, BookingPage
from interface.web.pagination import cursor, start_and_id_of
from interface.web.request_context import read_database, services
from interface.web.request_schemas import (
    AskToRescheduleInput,
    BookingChange,
    BookingQuery,
    CancelInput,
    NoFields,
    RescheduleInput,
)
from projections.views import booking_calendar
from projections.views.booking_calendar import BookingRow

blueprint = Blueprint(
    "bookings",
    __name__,
    url_prefix="/api/v1/bookings",
    description="The appointments that invitees made with links.",
)


@blueprint.route("")
@requires("bookings")
@shows(booking_calendar.NAME)
@may_be_old
@revalidates(booking_calendar.NAME)
@blueprint.arguments(BookingQuery, location="query")
@blueprint.response(200, BookingPage)
def list_bookings(query: dict[str, Any]) -> Any:
    """List bookings.

    Ordered by their start. `from` and `to` select the bookings that overlap that time.
    """
    limit = query.pop("limit")
    after = start_and_id_of(query.pop("cursor"))
    rows = booking_calendar.bookings_of(
        read_database(), caller().account_id, limit=limit + 1, after=after, **query
    )
    page = rows[:limit]
    has_more = len(rows) > len(page)
    return {
        "items": page,
        "next_cursor": cursor(page[-1].start, page[-1].id) if has_more else None,
    }


@blueprint.route("/<uuid:booking_id>")
@requires("bookings")
@shows(booking_calendar.NAME)
@revalidates(booking_calendar.NAME)
@refuses(BookingNotFound)
@blueprint.response(200, BookingOutput)
def read(booking_id: UUID) -> Any:
    """Read a booking.

    `invitee` and `notes` are null once the invitee was forgotten.
    """
    return booking_calendar.booking_of(services().database, caller().account_id, booking_id)


@blueprint.route("/<uuid:booking_id>", methods=["PATCH"])
@requires("bookings")
@blueprint.arguments(BookingChange)
@refuses(BookingNotFound, BookingCancelled, InviteeForgotten, Busy)
@blueprint.response(200, BookingOutput, headers=LOG_POSITION)
def change(body: dict[str, Any], booking_id: UUID) -> Any:
    """Change where a booking takes place.

    A booking keeps the place that its calendar had when it was made, until it is changed here.
    """
    current = services()
    changed = current.bookings.change_place(
        booking_id=booking_id, place=body["location"], now=current.now(), **_owner()
    )
    return _response(changed)


@blueprint.route("/<uuid:booking_id>/cancel", methods=["POST"])
@requires("bookings")
@blueprint.arguments(CancelInput, required=False)
@refuses(BookingNotFound, Busy)
@blueprint.response(200, BookingOutput, headers=LOG_POSITION)
def cancel(body: dict[str, Any], booking_id: UUID) -> Any:
    """Cancel a booking.

    Its time becomes free; the link stays used. Cancelling again changes nothing. Once the invitee
    is forgotten, the reason is not stored.
    """
    current = services()
    cancelled = current.bookings.cancel(
        booking_id=booking_id, reason=body["reason"], now=current.now(), **_owner()
    )
    return _response(cancelled)


@blueprint.route("/<uuid:booking_id>/reschedule", methods=["POST"])
@requires("bookings")
@blueprint.arguments(RescheduleInput)
@refuses(BookingNotFound, BookingCancelled, SlotTaken, SlotNotOffered, Busy)
@blueprint.response(200, BookingOutput, headers=LOG_POSITION)
def reschedule(body: dict[str, Any], booking_id: UUID) -> Any:
    """Move a booking.

    The calendar must offer the new time, but without its minimum notice, and the limits for
    invitees do not apply. Moving a booking to where it is changes nothing.
    """
    current = services()
    moved = current.bookings.reschedule(
        booking_id=booking_id, start=body["start"], now=current.now(), **_owner()
    )
    return _response(moved)


@blueprint.route("/<uuid:booking_id>/ask-to-reschedule", methods=["POST"])
@requires("bookings")
@blueprint.arguments(AskToRescheduleInput, required=False)
@refuses(BookingNotFound, BookingCancelled, InviteeForgotten, Busy)
@blueprint.response(200, BookingOutput, headers=LOG_POSITION)
def ask_to_reschedule(body: dict[str, Any], booking_id: UUID) -> Any:
    """Ask the invitee to pick another time.

    Until they have, the limits of the calendar do not keep them from it. Asking the same again
    changes nothing.
    """
    current = services()
    asked = current.bookings.ask_to_reschedule(
        booking_id=booking_id, message=body["message"], now=current.now(), **_owner()
    )
    return _response(asked)


@blueprint.route("/<uuid:booking_id>/forget-invitee", methods=["POST"])
@requires("bookings")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(BookingNotFound, Busy)
@blueprint.response(200, BookingOutput, headers=LOG_POSITION)
def forget_invitee(booking_id: UUID) -> Any:
    """Forget an invitee.

    Permanently erases what was typed about the invitee: in the booking, in its link, and in links
    that this one replaced. The booking itself stays. Forgetting again changes nothing.
    """
    current = services()
    forgotten = current.erasure.forget(booking_id=booking_id, now=current.now(), **_owner())
    return _response(forgotten)


def _owner() -> dict[str, Any]:
    return {"owner_id": caller().account_id, "actor": caller().actor}


def _response(written: Written[Booking]) -> tuple[BookingRow, dict[str, str]]:
    return managed(written.value).row, with_log_position(written)
