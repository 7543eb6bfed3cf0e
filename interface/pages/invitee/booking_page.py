"""The booking page: the bearer of a link chooses a time, fills in a form and books."""

import secrets
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, ValidationError

from application.people.personal_data import Invitee
from application.people.rate_limits import INVALID_REDEMPTIONS, TooManyAttempts
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
from interface.i18n import local_day
from interface.i18n import mark_for_translation as _
from interface.pages.invitee.refusal_pages import link_ended, refused
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.pages.shared.slot_picker import free_slot, nearest_slots
from interface.pages.shared.time_choice import (
    days_page,
    from_address,
    reader_zone,
    wait_for_newest_bookings,
    zone_context,
)
from interface.web.fields import Email, Instant, Name, Text
from interface.web.invitation import Invitation, active_invitation, invitation, link_id_of
from interface.web.problems import refusal_page
from interface.web.problems import refused as problem
from interface.web.rate_limits import count_failure
from interface.web.redemption import (
    count_repeated_booking,
    counting_refusals,
    recording_refusals,
    redeem,
)
from interface.web.request_context import is_https, services
from interface.web.request_schemas import LONGEST_NOTE, LONGEST_PERSON
from interface.web.response_schemas import BookingLinkOutput

blueprint = Blueprint("booking_page", __name__)
protect_from_csrf(blueprint)
blueprint.register_error_handler(AdmitOneError, refused)

# Holds the manage link of the booking that this browser made with the link in its path.
_COOKIE = "admitone-booked"
_COOKIE_SECONDS = 365 * 86400
_LONGEST_KEY = 255


class BookingForm(Schema):
    """The fields that an invitee fills in, with the rules of the API."""

    start = Instant(required=True, error_messages={"required": _("Choose a time.")})
    name = Name(
        longest=LONGEST_PERSON, required=True, error_messages={"required": _("Enter your name.")}
    )
    email = Email(required=True, error_messages={"required": _("Enter your e-mail address.")})
    notes = Text(longest=LONGEST_NOTE, several_lines=True, load_default=None)


@blueprint.get("/b/<token>")
def choose(token: str) -> ResponseReturnValue:
    """Shows days and times, or the form for the free time that the address names.

    Programs that ask for JSON get what the API says of the link. Neither uses it up.
    """
    if _wants_json():
        return _as_json(token)
    manage_token = _own_booking(token)
    if manage_token is not None:
        return _to_booking(manage_token)
    invited = invitation(token)
    try:
        invited.link.must_be_active(services().now())
    except LinkEnded as refusal:
        return link_ended(refusal, invited, zone=_reader_zone(invited))
    start = from_address(Instant(), "start")
    slot = free_slot(invited.open_slots, start, time_zone=_reader_zone(invited)) if start else None
    if slot is not None:
        return _form_page(invited, token, start=slot.start, typed=_prefilled(invited), errors={})
    return _days_page(invited, token, lost=start is not None)


@blueprint.after_request
def name_the_api(response: Response) -> Response:
    """Tells caches and programs that there is JSON as well, and where it is described."""
    response.vary.add("Accept")
    token = (request.view_args or {}).get("token", "")
    response.headers["Link"] = (
        f'<{_json_address(token)}>; rel="alternate"; type="application/json",'
        f' <{request.script_root}/api/openapi.json>; rel="service-desc"; type="application/json"'
    )
    return response


@blueprint.post("/b/<token>")
@counting_refusals
def book(token: str) -> ResponseReturnValue:
    """Books once, however often the form is sent."""
    manage_token = _own_booking(token)
    if manage_token is not None:
        count_repeated_booking()
        return _to_booking(manage_token)
    invited = invitation(token)
    typed = {name: request.form.get(name, "") for name in BookingForm().fields}
    loaded = load(BookingForm(), typed)
    start: datetime | None = loaded.values.get("start") or _start_in(typed)
    try:
        with recording_refusals(token):
            if loaded.errors:
                invited.link.must_be_active(services().now())
                raise Invalid(loaded.errors)
            return _booked(token, invited, **loaded.values)
    except LinkEnded as refusal:
        return link_ended(refusal, invited, zone=_reader_zone(invited), while_choosing=True)
    except SlotRefused as refusal:
        page = _form_page(
            invited, token, start=None, lost=start, typed=typed, errors={}, refusal=refusal
        )
        return refusal_page(page, refusal, owner=False)
    except Unavailable as refusal:
        page = _form_page(invited, token, start=start, typed=typed, errors={}, refusal=refusal)
        return refusal_page(page, refusal, owner=False)
    except Invalid as refusal:
        page = _form_page(invited, token, start=start, typed=typed, errors=errors_of(refusal))
        try:
            count_failure(INVALID_REDEMPTIONS)
        except TooManyAttempts as limited:
            return refusal_page(page, limited, owner=False)
        return refusal_page(page, refusal, owner=False)


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
            invitee=Invitee(name, email, _reader_zone(invited)),
            notes=notes,
            # The prefix keeps keys of forms apart from keys that programs choose.
            idempotency_key=f"form:{key}" if 1 <= len(key) <= _LONGEST_KEY else None,
        )
    except IdempotencyMismatch:
        # This form booked before; somebody went back, changed it and sent it again.
        count_repeated_booking()
    manage_token = services().tokens.for_managing(Booking.id_for(invited.link.id))
    response = make_response(_to_booking(manage_token))
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


def _to_booking(manage_token: str) -> ResponseReturnValue:
    address = url_for("booking_confirmation.show", token=manage_token)
    if "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": address})
    return redirect(address, 303)


def _json_address(token: str) -> str:
    # Written down, because every page of an invitee has it, and to look it up takes longer.
    return f"{request.script_root}/api/v1/booking-links/{quote(token, safe='')}"


def _wants_json() -> bool:
    accepted = request.accept_mimetypes
    return accepted["application/json"] > accepted["text/html"]


def _as_json(token: str) -> Response:
    try:
        body = BookingLinkOutput().dumps(active_invitation(token).shown())
    except AdmitOneError as refusal:
        return problem(refusal)
    return Response(body, content_type="application/json")


def _days_page(invited: Invitation, token: str, *, lost: bool) -> str:
    """Shows days with free times. `lost`: the time in the address is no longer free."""
    return days_page(
        invited.open_slots,
        zone=_reader_zone(invited),
        address=url_for("booking_page.choose", token=token),
        lost=lost,
        **_context(invited, token),
    )


def _form_page(
    invited: Invitation,
    token: str,
    *,
    start: datetime | None,
    typed: dict[str, str],
    errors: dict[str, list[str]],
    lost: datetime | None = None,
    refusal: AdmitOneError | None = None,
) -> str:
    """Shows the form for the slot at `start`; without one, it offers times near `lost`."""
    zone = _reader_zone(invited)
    offers = []
    if start is None:
        wait_for_newest_bookings()
        offers = nearest_slots(invited.open_slots, lost, time_zone=zone)
    return render_template(
        "invitee/form.html",
        **_context(invited, token),
        **zone_context(zone),
        slot=invited.terms.rules.slot_at(start) if start else None,
        day=start and local_day(start, zone),
        offers=offers,
        typed=typed,
        errors=errors,
        refusal=refusal,
        key=request.form.get("idempotency_key") or secrets.token_urlsafe(16),
    )


def _context(invited: Invitation, token: str) -> dict[str, Any]:
    """Returns the variables that the templates of both pages share."""
    return {
        "token": token,
        "terms": invited.terms,
        "host": invited.host_name,
        "json_address": _json_address(token),
    }


def _prefilled(invited: Invitation) -> dict[str, str]:
    """Returns the fields that the owner has filled in for the invitee."""
    prefill = invited.prefill()
    return {} if prefill is None else {"name": prefill.name or "", "email": prefill.email or ""}


def _reader_zone(invited: Invitation) -> str:
    """Returns the zone that the request names, else the calendar's."""
    return reader_zone(invited.calendar.terms.rules.time_zone)


def _start_in(typed: dict[str, str]) -> datetime | None:
    """Returns the start in a form with errors elsewhere; None if it can't be read."""
    try:
        start: datetime = Instant().deserialize(typed["start"])
    except ValidationError:
        return None
    return start
