"""An owner forgets the person behind a booking."""

from uuid import UUID

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from interface.current import services
from interface.pages import security
from interface.pages.bookings import blueprint
from interface.pages.own import own_calendar, own_link
from interface.pages.own_writes import seen
from interface.pages.security import must_session, own_zone, signed_in
from projections import booking_calendar


@blueprint.get("/bookings/<uuid:booking_id>/forget")
@signed_in
def ask_to_forget(booking_id: UUID) -> ResponseReturnValue:
    """Say what goes before it goes."""
    account_id = must_session().account.id
    booking = booking_calendar.booking_of(services().database, account_id, booking_id)
    if booking.invitee is None:
        return redirect(url_for("bookings_pages.show", booking_id=booking_id))
    return render_template(
        "bookings/forget.html",
        booking=booking,
        link=own_link(booking.link_id),
        calendar=own_calendar(booking.calendar_id),
        zone=own_zone(),
        is_ahead=booking.end > services().now(),
    )


@blueprint.post("/bookings/<uuid:booking_id>/forget")
@signed_in
def forget(booking_id: UUID) -> ResponseReturnValue:
    """Forget, and show what is left. Again: the same page."""
    current = services()
    result = current.privacy.forget(
        booking_id=booking_id,
        owner_id=must_session().account.id,
        actor=security.actor(),
        now=current.now(),
    )
    seen(result, booking_calendar.NAME)
    address = url_for("bookings_pages.show", booking_id=booking_id, notice="invitee-forgotten")
    return redirect(address, 303)
