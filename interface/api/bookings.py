"""Endpoints about bookings, for their owner."""

from typing import Any
from uuid import UUID

from domain.errors import BookingNotFound, Busy
from interface.api.decorators import Blueprint, caller, requires, shows, with_log_position
from interface.api.openapi import LOG_POSITION, refuses
from interface.api.response_schemas import BookingOutput, BookingPage
from interface.web.pagination import cursor, start_and_id_of
from interface.web.request_context import services
from interface.web.request_schemas import BookingQuery, NoFields
from projections.views import booking_calendar

blueprint = Blueprint(
    "bookings",
    __name__,
    url_prefix="/api/v1/bookings",
    description="The appointments that invitees made with links.",
)


@blueprint.route("")
@requires("bookings")
@shows(booking_calendar.NAME)
@blueprint.arguments(BookingQuery, location="query")
@blueprint.response(200, BookingPage)
def list_bookings(query: dict[str, Any]) -> Any:
    """List bookings.

    Ordered by their start. `from` and `to` select the bookings that overlap that time.
    """
    limit = query.pop("limit")
    after = start_and_id_of(query.pop("cursor"))
    rows = booking_calendar.bookings_of(
        services().database, caller().account_id, limit=limit + 1, after=after, **query
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
@refuses(BookingNotFound)
@blueprint.response(200, BookingOutput)
def read(booking_id: UUID) -> Any:
    """Read a booking.

    `invitee` and `notes` are null once the invitee was forgotten.
    """
    return booking_calendar.booking_of(services().database, caller().account_id, booking_id)


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
    forgotten = current.erasure.forget(
        booking_id=booking_id,
        owner_id=caller().account_id,
        actor=caller().actor,
        now=current.now(),
    )
    booking = forgotten.value
    output = {
        "id": booking.id,
        "link_id": booking.link_id,
        "calendar_id": booking.calendar_id,
        "start": booking.slot.start,
        "end": booking.slot.end,
        "status": booking.status,
        "invitee": None,
        "notes": None,
    }
    return output, with_log_position(forgotten)
