"""The pages on which an invitee moves or cancels their booking, or has their details erased."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from domain import booking_changes
from domain.booking import INVITEE
from domain.errors import AdmitOneError, BookingCancelled, ChangeRefused, Invalid, SlotRefused
from domain.slot import Slot
from interface.i18n import local_day
from interface.pages.invitee.booking_confirmation import (
    booking_page,
    details_of,
    found_by,
    invitee_zone,
    knows_zone,
)
from interface.pages.invitee.refusal_pages import refused
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.pages.shared.slot_picker import free_slot
from interface.pages.shared.time_choice import (
    ChosenTime,
    days_page,
    from_address,
    wait_for_newest_bookings,
    zone_context,
)
from interface.web.fields import Instant
from interface.web.managed_booking import ManagedBooking
from interface.web.problems import refusal_page
from interface.web.reader_preferences import remember_preferences
from interface.web.request_context import services
from interface.web.request_schemas import CancelInput

blueprint = Blueprint("manage_booking", __name__)
protect_from_csrf(blueprint)
blueprint.after_request(remember_preferences)
blueprint.register_error_handler(AdmitOneError, refused)


@blueprint.get("/m/<token>/reschedule")
def choose(token: str) -> ResponseReturnValue:
    """Shows days and times or, for the free time that the address names, asks to confirm it.

    Leads to the booking if that is the time that it has, as after the browser's Back.
    """
    found = found_by(token)
    start = from_address(Instant(), "start")
    if start == found.booking.slot.start:
        zone = invitee_zone(found)
        address = url_for("booking_confirmation.show", token=token, tz=zone, show="booking")
        return redirect(address)
    try:
        found.must_be_movable()
    except (ChangeRefused, BookingCancelled) as refusal:
        return _nothing_changed(found, token, refusal)
    if start is not None:
        slot = free_slot(found.open_slots(), start, time_zone=invitee_zone(found))
        if slot is not None:
            return _move_page(found, token, slot)
    return _days_page(found, token, lost=start is not None)


@blueprint.post("/m/<token>/reschedule")
def reschedule(token: str) -> ResponseReturnValue:
    """Moves the booking, however often the form is sent."""
    found = found_by(token)
    form = load(ChosenTime(), request.form)
    if form.errors:
        raise Invalid(form.errors)
    current = services()
    try:
        current.bookings.reschedule(
            booking_id=found.booking.id,
            start=form.values["start"],
            actor=INVITEE,
            now=current.now(),
        )
    except SlotRefused as refusal:
        if reason := found.reason_against_moving:
            return _nothing_changed(found, token, reason)
        wait_for_newest_bookings()
        return refusal_page(_days_page(found, token, lost=True), refusal, owner=False)
    except (ChangeRefused, BookingCancelled) as refusal:
        return _nothing_changed(found_by(token), token, refusal)
    return _to_booking(token, "booking-moved")


@blueprint.get("/m/<token>/cancel")
def ask_to_cancel(token: str) -> ResponseReturnValue:
    """Asks for confirmation, and for a reason."""
    found = found_by(token)
    try:
        found.must_be_cancellable()
    except (ChangeRefused, BookingCancelled) as refusal:
        return _nothing_changed(found, token, refusal)
    return _question("invitee/cancel.html", found, token, reason="", errors={})


@blueprint.post("/m/<token>/cancel")
def cancel(token: str) -> ResponseReturnValue:
    """Cancels the booking."""
    found = found_by(token)
    typed = request.form.get("reason", "")
    form = load(CancelInput(), {"reason": typed})
    if form.errors:
        page = _question("invitee/cancel.html", found, token, reason=typed, errors=form.errors)
        return refusal_page(page, Invalid(form.errors), owner=False)
    current = services()
    try:
        current.bookings.cancel(
            booking_id=found.booking.id,
            reason=form.values["reason"],
            actor=INVITEE,
            now=current.now(),
        )
    except ChangeRefused as refusal:
        return _nothing_changed(found_by(token), token, refusal)
    return _to_booking(token, "booking-cancelled")


@blueprint.get("/m/<token>/forget")
def ask_to_forget(token: str) -> ResponseReturnValue:
    """Asks for confirmation, and says what will be erased."""
    found = found_by(token)
    if found.row.invitee is None:
        return redirect(url_for("booking_confirmation.show", token=token))
    is_ahead = found.can_cancel or found.booking.slot.end > services().now()
    return _question("invitee/forget.html", found, token, is_ahead=is_ahead)


@blueprint.post("/m/<token>/forget")
def forget(token: str) -> ResponseReturnValue:
    """Erases what was typed about the invitee; repeating it changes nothing."""
    found = found_by(token)
    current = services()
    current.erasure.forget(
        booking_id=found.booking.id, owner_id=None, actor=INVITEE, now=current.now()
    )
    return _to_booking(token, "details-erased")


def _days_page(found: ManagedBooking, token: str, *, lost: bool) -> str:
    return days_page(
        found.open_slots(),
        zone=invitee_zone(found),
        address=url_for("manage_booking.choose", token=token),
        lost=lost,
        host_zone=found.agreed.rules.time_zone,
        zone_is_known=knows_zone(found),
        token=token,
        booking=found.booking,
        message=found.row.message,
        terms=details_of(found, token).terms,
        host=found.host_name,
    )


def _move_page(found: ManagedBooking, token: str, slot: Slot) -> str:
    zone = invitee_zone(found)
    is_own_wish = not found.booking.is_asked_to_reschedule
    return render_template(
        "invitee/move.html",
        **zone_context(zone),
        token=token,
        booking=found.booking,
        terms=details_of(found, token).terms,
        host=found.host_name,
        slot=slot,
        day=local_day(slot.start, zone),
        last_move=is_own_wish and booking_changes.moves_left(found.booking, found.agreed) == 1,
    )


def _question(template: str, found: ManagedBooking, token: str, **context: object) -> str:
    """Shows a page that asks for confirmation."""
    return render_template(
        template,
        token=token,
        details=details_of(found, token),
        slot=found.booking.slot,
        zone=invitee_zone(found),
        **context,
    )


def _nothing_changed(
    found: ManagedBooking, token: str, refusal: AdmitOneError
) -> ResponseReturnValue:
    """Shows the booking, and that it is too late for a change."""
    return refusal_page(booking_page(found, token, refusal=refusal), refusal, owner=False)


def _to_booking(token: str, notice: str) -> ResponseReturnValue:
    zone = request.form.get("tz")
    address = url_for("booking_confirmation.show", token=token, tz=zone, notice=notice)
    return redirect(address, 303)
