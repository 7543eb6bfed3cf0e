"""The pages on which the bearer of a link chooses a time and books it."""

from datetime import datetime

from flask import Blueprint, Response, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, ValidationError

from application.people.personal_data import Invitee
from application.people.tokens import InvalidToken
from domain.booking import Booking
from domain.errors import (
    AdmitOneError,
    IdempotencyMismatch,
    Invalid,
    LinkEnded,
    SlotRefused,
    Unavailable,
)
from interface.observability import metrics
from interface.pages.invitee import booking_page_views as views
from interface.pages.invitee.slot_picker import is_free
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Email, Instant, Name, Text
from interface.web.invitation import Invitation, invitation, link_id_of
from interface.web.problems import refusal_page
from interface.web.redemption import counting_refusals, recording_refusals, redeem
from interface.web.request_context import is_https, services
from interface.web.request_schemas import LONGEST_NOTE, LONGEST_PERSON

blueprint = Blueprint("booking_page", __name__)
protect_from_csrf(blueprint)
blueprint.register_error_handler(AdmitOneError, views.refused)

# Holds the manage link of the booking that this browser made with the link in its path.
_COOKIE = "admitone-booked"
_COOKIE_SECONDS = 365 * 86400
_LONGEST_KEY = 255
_REQUIRED = {"required": "Must not be empty."}


class BookingForm(Schema):
    """What an invitee fills in; the same rules as in the API."""

    start = Instant(required=True, error_messages={"required": "Choose a time."})
    name = Name(longest=LONGEST_PERSON, required=True, error_messages=_REQUIRED)
    email = Email(required=True, error_messages=_REQUIRED)
    notes = Text(longest=LONGEST_NOTE, several_lines=True, load_default=None)


@blueprint.get("/b/<token>")
def choose(token: str) -> ResponseReturnValue:
    """Shows days, times of a day, and the form for a time, as far as the address says."""
    mine = _own_booking(token)
    if mine is not None:
        return _go_to(mine)
    invited = invitation(token)
    try:
        invited.link.must_be_active(services().now())
    except LinkEnded as ended:
        return views.ended(ended, invited)
    start = views.from_address(Instant(), "start")
    slot = is_free(invited, start, time_zone=views.reader_zone(invited)) if start else None
    if slot is not None:
        return views.form(invited, token, start=slot.start, given={}, errors={})
    return views.days(invited, token, lost=start is not None)


@blueprint.post("/b/<token>")
@counting_refusals
def book(token: str) -> ResponseReturnValue:
    """Books once, however often the form is sent."""
    mine = _own_booking(token)
    if mine is not None:
        metrics.count_redemption("repeated")
        return _go_to(mine)
    invited = invitation(token)
    given = {name: request.form.get(name, "") for name in BookingForm().fields}
    loaded = load(BookingForm(), given)
    start: datetime | None = loaded.values.get("start") or _start_in(given)
    try:
        with recording_refusals(token):
            if loaded.errors:
                invited.link.must_be_active(services().now())
                raise Invalid(loaded.errors)
            return _booked(token, invited, **loaded.values)
    except LinkEnded as ended:
        return views.ended(ended, invited, while_choosing=True)
    except SlotRefused as refused:
        page = views.form(
            invited, token, start=None, lost=start, given=given, errors={}, refusal=refused
        )
        return refusal_page(page, refused, owner=False)
    except Unavailable as busy:
        page = views.form(invited, token, start=start, given=given, errors={}, refusal=busy)
        return refusal_page(page, busy, owner=False)
    except Invalid as invalid:
        page = views.form(invited, token, start=start, given=given, errors=errors_of(invalid))
        return refusal_page(page, invalid, owner=False)


def _booked(
    token: str,
    invited: Invitation,
    *,
    start: datetime,
    name: str,
    email: str,
    notes: str | None,
) -> ResponseReturnValue:
    key = request.form.get("idempotency_key", "")
    try:
        redeem(
            token,
            start=start,
            invitee=Invitee(name, email, views.reader_zone(invited)),
            notes=notes,
            # Keys of forms are apart from those that programs choose.
            idempotency_key=f"form:{key}" if 1 <= len(key) <= _LONGEST_KEY else None,
        )
    except IdempotencyMismatch:
        # This very form booked before, and was changed and sent again after going back.
        metrics.count_redemption("repeated")
    manage_token = services().tokens.for_managing(Booking.id_for(invited.link.id))
    response = make_response(_go_to(manage_token))
    response.set_cookie(
        _COOKIE,
        manage_token,
        max_age=_COOKIE_SECONDS,
        path=url_for("booking_page.choose", token=token),
        secure=is_https(),
        httponly=True,
        samesite="Lax",
    )
    return response


def _own_booking(token: str) -> str | None:
    """Returns the manage token of the booking that this browser made with this link."""
    manage_token = request.cookies.get(_COOKIE)
    if manage_token is None:
        return None
    try:
        booking_id = services().tokens.booking_id(manage_token)
    except InvalidToken:
        return None
    return manage_token if booking_id == Booking.id_for(link_id_of(token)) else None


def _go_to(manage_token: str) -> ResponseReturnValue:
    address = url_for("booking_confirmation.show", token=manage_token)
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)


def _start_in(form: dict[str, str]) -> datetime | None:
    try:
        start: datetime = Instant().deserialize(form["start"])
    except ValidationError:
        return None
    return start
