"""Forgetting the invitee of a booking: their personal data is erased."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from interface.pages.owner.owned import own_booking, own_calendar, own_id, own_link
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.web.request_context import services
from projections.views import booking_calendar

blueprint = Blueprint("erasure", __name__)
protect_from_csrf(blueprint)


@blueprint.get("/bookings/<uuid:booking_id>/forget")
@for_role("owner")
def ask_to_forget(booking_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation, and lists what will be erased."""
    booking = own_booking(booking_id)
    if booking.invitee is None:
        return redirect(url_for("bookings_pages.show", booking_id=booking_id))
    return render_template(
        "bookings/forget.html",
        booking=booking,
        link=own_link(booking.link_id),
        calendar=own_calendar(booking.calendar_id),
        zone=user_time_zone(),
        is_ahead=booking.end > services().now(),
    )


@blueprint.post("/bookings/<uuid:booking_id>/forget")
@for_role("owner")
def forget(booking_id: UUID) -> ResponseReturnValue:
    """Erases the invitee's personal data and shows the booking; repeating it changes nothing."""
    current = services()
    result = current.erasure.forget(
        booking_id=booking_id,
        owner_id=own_id(),
        actor=auth.actor(),
        now=current.now(),
    )
    wait_until_visible(result, booking_calendar.NAME)
    address = url_for("bookings_pages.show", booking_id=booking_id, notice="invitee-forgotten")
    return redirect(address, 303)
