"""Pages on which an owner moves, changes and cancels a booking, or asks for another time."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from application.eventstore.event_sourced_application import Written
from domain.booking import Booking
from domain.calendar import LONGEST_LOCATION
from domain.errors import Invalid, SlotRefused
from interface.i18n import local_day
from interface.pages.owner.owned import own_id
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, user_time_zone
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
from interface.web.fields import Instant, Text
from interface.web.managed_booking import ManagedBooking, managed
from interface.web.problems import refusal_page
from interface.web.request_context import services
from interface.web.request_schemas import (
    AskToRescheduleInput,
    CancelInput,
)
from projections.views import booking_calendar

blueprint = Blueprint("booking_changes", __name__)
protect_from_csrf(blueprint)


Errors = dict[str, list[str]]

_FORMS = {
    "reason": "bookings/cancel.html",
    "message": "bookings/ask.html",
    "location": "bookings/place.html",
}
"""The templates of the forms by the name of their only field."""


class PlaceForm(Schema):
    """The place of a booking. An empty one means that none is named."""

    location = Text(longest=LONGEST_LOCATION, load_default="")


@blueprint.get("/bookings/<uuid:booking_id>/reschedule")
@for_role("owner")
def choose(booking_id: UUID) -> ResponseReturnValue:
    """Shows days and times or, for the free time that the address names, asks to confirm it.

    Leads to the booking if that is the time that it has, as after the browser's Back.
    """
    found = _found(booking_id)
    start = from_address(Instant(), "start")
    if start == found.booking.slot.start:
        return redirect(url_for("bookings_pages.show", booking_id=booking_id))
    found.booking.must_be_confirmed()
    slot = None
    if start is not None:
        slot = free_slot(found.open_slots(actor=auth.actor()), start, time_zone=user_time_zone())
    if slot is None:
        return _days_page(found, lost=start is not None)
    zone = user_time_zone()
    return render_template(
        "bookings/move.html",
        **zone_context(zone),
        found=found,
        slot=slot,
        day=local_day(slot.start, zone),
    )


@blueprint.post("/bookings/<uuid:booking_id>/reschedule")
@for_role("owner")
def reschedule(booking_id: UUID) -> ResponseReturnValue:
    """Moves the booking, however often the form is sent."""
    form = load(ChosenTime(), request.form)
    if form.errors:
        raise Invalid(form.errors)
    try:
        moved = services().bookings.reschedule(
            booking_id=booking_id, start=form.values["start"], **_by_owner()
        )
    except SlotRefused as refusal:
        wait_for_newest_bookings()
        return refusal_page(_days_page(_found(booking_id), lost=True), refusal, owner=True)
    return _to_booking(moved, "booking-moved")


@blueprint.get("/bookings/<uuid:booking_id>/cancel")
@for_role("owner")
def ask_to_cancel(booking_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation, and for a reason."""
    found = _found(booking_id)
    found.booking.must_be_confirmed()
    return _form(_FORMS["reason"], found, typed="", errors={})


@blueprint.post("/bookings/<uuid:booking_id>/cancel")
@for_role("owner")
def cancel(booking_id: UUID) -> ResponseReturnValue:
    """Cancels the booking."""

    def act(reason: str | None) -> Written[Booking]:
        return services().bookings.cancel(booking_id=booking_id, reason=reason, **_by_owner())

    return _saved(booking_id, CancelInput(), "reason", act, "booking-cancelled")


@blueprint.get("/bookings/<uuid:booking_id>/ask-to-reschedule")
@for_role("owner")
def ask(booking_id: UUID) -> ResponseReturnValue:
    """Shows the form with which the invitee is asked to pick another time."""
    found = _found(booking_id)
    found.booking.must_have_somebody_to_tell()
    return _form(_FORMS["message"], found, typed=found.row.message or "", errors={})


@blueprint.post("/bookings/<uuid:booking_id>/ask-to-reschedule")
@for_role("owner")
def ask_to_reschedule(booking_id: UUID) -> ResponseReturnValue:
    """Asks the invitee to pick another time."""

    def act(message: str | None) -> Written[Booking]:
        return services().bookings.ask_to_reschedule(
            booking_id=booking_id, message=message, **_by_owner()
        )

    return _saved(booking_id, AskToRescheduleInput(), "message", act, "asked-to-reschedule")


@blueprint.get("/bookings/<uuid:booking_id>/location")
@for_role("owner")
def edit_place(booking_id: UUID) -> ResponseReturnValue:
    """Shows the form with the place of the booking."""
    found = _found(booking_id)
    found.booking.must_have_somebody_to_tell()
    return _form(_FORMS["location"], found, typed=found.row.location or "", errors={})


@blueprint.post("/bookings/<uuid:booking_id>/location")
@for_role("owner")
def change_place(booking_id: UUID) -> ResponseReturnValue:
    """Changes where the booking takes place."""

    def act(place: str) -> Written[Booking]:
        return services().bookings.change_place(booking_id=booking_id, place=place, **_by_owner())

    return _saved(booking_id, PlaceForm(), "location", act, "place-changed")


def _days_page(found: ManagedBooking, *, lost: bool) -> str:
    return days_page(
        found.open_slots(actor=auth.actor()),
        zone=user_time_zone(),
        address=url_for("booking_changes.choose", booking_id=found.booking.id),
        lost=lost,
        host_zone=user_time_zone(),
        template="bookings/reschedule.html",
        found=found,
    )


def _form(template: str, found: ManagedBooking, *, typed: str, errors: Errors) -> str:
    return render_template(template, found=found, zone=user_time_zone(), typed=typed, errors=errors)


def _saved(
    booking_id: UUID,
    schema: Schema,
    field: str,
    act: Callable[[Any], Written[Booking]],
    notice: str,
) -> ResponseReturnValue:
    """Acts on what was typed in the only field of a form, or shows what is wrong with it."""
    typed = request.form.get(field, "")
    form = load(schema, {field: typed})
    if form.errors:
        page = _form(_FORMS[field], _found(booking_id), typed=typed, errors=form.errors)
        return page, 422
    return _to_booking(act(form.values[field]), notice)


def _found(booking_id: UUID) -> ManagedBooking:
    """Returns a booking of theirs as the log has it now. Raises `BookingNotFound`."""
    store = services().event_store
    return managed(store.get_own(Booking, booking_id, own_id()))


def _by_owner() -> dict[str, Any]:
    return {
        "owner_id": own_id(),
        "actor": auth.actor(),
        "now": services().now(),
    }


def _to_booking(written: Written[Booking], notice: str) -> ResponseReturnValue:
    """Redirects to the booking, once its page shows what was written."""
    booking = wait_until_visible(written, booking_calendar.NAME)
    address = url_for("bookings_pages.show", booking_id=booking.id, notice=notice)
    return redirect(address, 303)
