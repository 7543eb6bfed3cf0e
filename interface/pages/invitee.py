"""The bearer of a link chooses a time and books it."""

from contextlib import suppress
from datetime import datetime

from flask import Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, ValidationError

from application.personal_data import Invitee
from application.tokens import InvalidToken
from domain.booking import Booking
from domain.errors import (
    AdmitOneError,
    IdempotencyMismatch,
    LinkEnded,
    SlotRefused,
    Unavailable,
)
from interface.api.problems import RETRY_AFTER_SECONDS, answer_to
from interface.api.schemas import LONGEST_NOTE, LONGEST_PERSON
from interface.current import services
from interface.fields import Email, Instant, Name, Text
from interface.invitation import Invitation, invitation, link_id_in, redeem
from interface.pages import security, steps
from interface.pages.booked import blueprint
from interface.pages.chooser import is_free
from interface.pages.forms import load
from interface.pages.locale import gettext

# Holds the manage link of the booking that this browser made with the link in its path.
_COOKIE = "admitone-booked"
_COOKIE_SECONDS = 365 * 86400
_LONGEST_KEY = 255
_REQUIRED = {"required": "Must not be empty."}


class BookingForm(Schema):
    """The wish to book; the same rules as in the API."""

    start = Instant(required=True, error_messages={"required": "Choose a time."})
    name = Name(longest=LONGEST_PERSON, required=True, error_messages=_REQUIRED)
    email = Email(required=True, error_messages=_REQUIRED)
    notes = Text(longest=LONGEST_NOTE, several_lines=True, load_default=None)


@blueprint.get("/b/<token>")
def choose(token: str) -> ResponseReturnValue:
    """Days, times of a day, and the form for a time, as far as the address says."""
    mine = _own_booking(token)
    if mine is not None:
        return _go_to(mine)
    invited = invitation(token)
    try:
        invited.must_be_active()
    except LinkEnded as ended:
        return steps.ended(ended, invited)
    start = steps.in_address(Instant(), "start")
    slot = is_free(invited, start, time_zone=steps.reader_zone(invited)) if start else None
    if slot is not None:
        return steps.form(invited, token, start=slot.start, given={}, errors={})
    return steps.days(invited, token, lost=start is not None)


@blueprint.post("/b/<token>")
def book(token: str) -> ResponseReturnValue:
    """Book once, however often the form is sent."""
    mine = _own_booking(token)
    if mine is not None:
        return _go_to(mine)
    invited = invitation(token)
    given = {name: request.form.get(name, "") for name in BookingForm().fields}
    loaded = load(BookingForm(), given)
    start: datetime | None = loaded.values.get("start") or _start_in(given)
    try:
        if loaded.errors:
            invited.must_be_active()
            return steps.form(invited, token, start=start, given=given, errors=loaded.errors), 422
        return _booked(token, invited, **loaded.values)
    except LinkEnded as ended:
        return steps.ended(ended, invited, while_choosing=True)
    except SlotRefused as refused:
        status, _ = answer_to(refused, owner=False)
        page = steps.form(
            invited, token, start=None, lost=start, given=given, errors={}, refusal=refused
        )
        return page, status
    except Unavailable as busy:
        status, _ = answer_to(busy, owner=False)
        page = steps.form(invited, token, start=start, given=given, errors={}, refusal=busy)
        return page, status, {"Retry-After": RETRY_AFTER_SECONDS}


@blueprint.errorhandler(AdmitOneError)
def refused(error: AdmitOneError) -> ResponseReturnValue:
    """A page that tells nothing but the reason."""
    status, _ = answer_to(error, owner=False)
    headers = {"Retry-After": RETRY_AFTER_SECONDS} if status == 503 else {}
    page = render_template("invitee/ended.html", title=gettext(error.detail), retry=status == 503)
    return page, status, headers


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
    # A mismatch: this very form booked before, and was changed and sent again after going back.
    with suppress(IdempotencyMismatch):
        redeem(
            token,
            start=start,
            invitee=Invitee(name, email, steps.reader_zone(invited)),
            notes=notes,
            # Keys of forms are apart from those that programs choose.
            idempotency_key=f"form:{key}" if 1 <= len(key) <= _LONGEST_KEY else None,
        )
    manage_token = services().tokens.for_managing(Booking.id_for(invited.link.id))
    response = make_response(_go_to(manage_token))
    response.set_cookie(
        _COOKIE,
        manage_token,
        max_age=_COOKIE_SECONDS,
        path=url_for("invitee.choose", token=token),
        secure=security.is_https(),
        httponly=True,
        samesite="Lax",
    )
    return response


def _own_booking(token: str) -> str | None:
    """The manage link of the booking that this browser made with this link."""
    manage_token = request.cookies.get(_COOKIE)
    if manage_token is None:
        return None
    try:
        booking_id = services().tokens.booking_id(manage_token)
    except InvalidToken:
        return None
    return manage_token if booking_id == Booking.id_for(link_id_in(token)) else None


def _go_to(manage_token: str) -> ResponseReturnValue:
    address = url_for("invitee.booked", token=manage_token)
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)


def _start_in(form: dict[str, str]) -> datetime | None:
    try:
        start: datetime = Instant().deserialize(form["start"])
    except ValidationError:
        return None
    return start
