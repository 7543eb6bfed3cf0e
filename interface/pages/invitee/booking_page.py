"""The booking page: the bearer of a link chooses a time, fills in a form and books."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, ValidationError

from application.link_requests import LONGEST_MESSAGE
from application.people.personal_data import Invitee
from application.people.rate_limits import INVALID_REDEMPTIONS, LINK_REQUESTS, TooManyAttempts
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
from domain.slot import Slot
from interface.i18n import date_text, language_tag, local_day, moment_text
from interface.i18n import mark_for_translation as _
from interface.pages.invitee.refusal_pages import link_ended, refused
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.pages.shared.slot_picker import (
    SlotPicker,
    day_cells,
    free_slot,
    host_labels,
    nearest_slots,
    pick_slot,
    time_labels,
)
from interface.pages.shared.time_choice import (
    days_page,
    from_address,
    reader_zone,
    wait_for_newest_bookings,
    zone_context,
    zone_options,
)
from interface.web.fields import Day, Email, Instant, Name, Text
from interface.web.invitation import Invitation, active_invitation, invitation, link_id_of
from interface.web.invitee_response_schemas import BookingLinkOutput
from interface.web.problems import refusal_page
from interface.web.problems import refused as problem
from interface.web.rate_limits import count_failure
from interface.web.reader_preferences import kept_zone, remember_preferences
from interface.web.redemption import (
    count_repeated_booking,
    counting_refusals,
    recording_refusals,
    redeem,
)
from interface.web.request_context import is_https, services
from interface.web.request_schemas import LONGEST_NOTE, LONGEST_PERSON

blueprint = Blueprint("booking_page", __name__)
protect_from_csrf(blueprint)
blueprint.after_request(remember_preferences)
blueprint.register_error_handler(AdmitOneError, refused)

# Holds the manage link of the booking that this browser made with the link in its path.
_COOKIE = "admitone-booked"
_COOKIE_SECONDS = 365 * 86400
_LONGEST_KEY = 255
# A link that ends so soon says at which time.
_SOON = timedelta(days=2)


class BookingForm(Schema):
    """The fields that an invitee fills in, with the rules of the API."""

    start = Instant(required=True, error_messages={"required": _("Choose a time.")})
    name = Name(
        longest=LONGEST_PERSON, required=True, error_messages={"required": _("Enter your name.")}
    )
    email = Email(required=True, error_messages={"required": _("Enter your e-mail address.")})
    notes = Text(longest=LONGEST_NOTE, several_lines=True, load_default=None)


class RequestForm(Schema):
    """The fields of somebody who asks for a new link."""

    name = Name(
        longest=LONGEST_PERSON, required=True, error_messages={"required": _("Enter your name.")}
    )
    email = Email(load_default=None)
    notes = Text(longest=LONGEST_MESSAGE, several_lines=True, load_default=None)


class ShownDays(Schema):
    """The days that the form shows, and those that were asked for. What is malformed is ignored."""

    class Meta:
        unknown = EXCLUDE

    from_day = Day(data_key="from")
    day = Day()
    shown_from = Day()
    shown_day = Day()


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
        return link_ended(refusal, invited, token, zone=_reader_zone(invited))
    start = from_address(Instant(), "start")
    of_day = _slots_on_day_of(start, invited) if start else []
    if start in (slot.start for slot in of_day):
        return _form_page(invited, token, start=start, of_day=of_day, typed=_prefilled(invited))
    return _days_page(invited, token, lost=start is not None)


@blueprint.get("/b/<token>/times")
@blueprint.get("/b/<token>/ask")
def start_over(token: str) -> ResponseReturnValue:
    """Leads whoever reloads what a form has led to, or changes its language, to the first page."""
    link_id_of(token)
    return redirect(url_for("booking_page.choose", token=token))


@blueprint.post("/b/<token>/times")
def choose_again(token: str) -> ResponseReturnValue:
    """Shows the form with other days and times, and all that was typed into it."""
    invited = invitation(token)
    try:
        invited.link.must_be_active(services().now())
    except LinkEnded as refusal:
        return _ended_while_choosing(refusal, invited, token)
    zone = _reader_zone(invited)
    typed = _typed()
    start = _start_in(typed)
    asked = load(ShownDays(), request.form).values
    page_from, day = asked.get("from_day"), asked.get("day")
    if page_from is None:
        day = day or asked.get("shown_day") or (start and local_day(start, zone))
        page_from = asked.get("shown_from")
    picker = pick_slot(invited.open_slots, time_zone=zone, page_from=page_from, chosen=day)
    return _form_page(invited, token, start=start, of_day=picker.slots, typed=typed, picker=picker)


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
    typed = _typed()
    loaded = load(BookingForm(), typed)
    start: datetime | None = loaded.values.get("start") or _start_in(typed)
    try:
        with recording_refusals(token):
            if loaded.errors:
                invited.link.must_be_active(services().now())
                raise Invalid(loaded.errors)
            return _booked(token, invited, **loaded.values)
    except LinkEnded as refusal:
        return _ended_while_choosing(refusal, invited, token)
    except SlotRefused as refusal:
        page = _form_page(invited, token, lost=start, typed=typed, refusal=refusal)
        return refusal_page(page, refusal, owner=False)
    except Unavailable as refusal:
        slot = [invited.terms.rules.slot_at(start)] if start else []
        page = _form_page(invited, token, start=start, of_day=slot, typed=typed, refusal=refusal)
        return refusal_page(page, refusal, owner=False)
    except Invalid as refusal:
        of_day = _slots_on_day_of(start, invited) if start else []
        page = _form_page(
            invited, token, start=start, of_day=of_day, typed=typed, errors=errors_of(refusal)
        )
        try:
            count_failure(INVALID_REDEMPTIONS)
        except TooManyAttempts as limited:
            return refusal_page(page, limited, owner=False)
        return refusal_page(page, refusal, owner=False)


@blueprint.post("/b/<token>/ask")
def ask(token: str) -> ResponseReturnValue:
    """Asks the host for a new link. The answer is the same if somebody has asked before."""
    invited = invitation(token)
    typed = {name: request.form.get(name, "") for name in RequestForm().fields}
    loaded = load(RequestForm(), typed)
    count_failure(LINK_REQUESTS)
    if loaded.errors:
        return _asked_wrongly(invited, token, typed, loaded.errors)
    current = services()
    current.link_requests.ask(
        invited.link,
        name=loaded.values["name"],
        email=loaded.values["email"],
        message=loaded.values["notes"],
        language=language_tag(),
        now=current.now(),
    )
    return redirect(url_for("booking_page.choose", token=token, notice="link-asked-for"), 303)


def _asked_wrongly(
    invited: Invitation, token: str, typed: Mapping[str, str], errors: dict[str, list[str]]
) -> ResponseReturnValue:
    """Shows the form again on the page that it came from."""
    try:
        invited.link.must_be_active(services().now())
    except LinkEnded as refusal:
        zone = _reader_zone(invited)
        return link_ended(refusal, invited, token, zone=zone, typed=typed, errors=errors)
    page = _days_page(invited, token, lost=False, typed=typed, errors=errors)
    return refusal_page(page, Invalid(errors), owner=False)


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


def _ended_while_choosing(
    refusal: LinkEnded, invited: Invitation, token: str
) -> ResponseReturnValue:
    """Shows why nothing can be booked any more, and keeps what was typed."""
    zone = _reader_zone(invited)
    return link_ended(refusal, invited, token, zone=zone, while_choosing=True, typed=_typed())


def _typed() -> dict[str, str]:
    """Returns what was typed into the form that was sent."""
    return {name: request.form.get(name, "") for name in BookingForm().fields}


def _slots_on_day_of(start: datetime, invited: Invitation) -> Sequence[Slot]:
    """Returns the free slots of the reader's day on which `start` lies."""
    zone = _reader_zone(invited)
    day = local_day(start, zone)
    return invited.open_slots.on_days(day, day, zone)


def _days_page(
    invited: Invitation,
    token: str,
    *,
    lost: bool,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Shows days with free times. `lost`: the time in the address is no longer free.

    Without any times, it offers to ask for a new link; `typed` and `errors` are those of that.
    """
    zone = _reader_zone(invited)
    return days_page(
        invited.open_slots,
        zone=zone,
        host_zone=invited.terms.rules.time_zone,
        zone_is_known=kept_zone() is not None,
        address=url_for("booking_page.choose", token=token),
        lost=lost,
        contact=invited.terms.contact,
        typed=typed or {},
        errors=errors or {},
        **_context(invited, token, zone),
    )


def _form_page(
    invited: Invitation,
    token: str,
    *,
    typed: Mapping[str, str],
    start: datetime | None = None,
    of_day: Sequence[Slot] = (),
    picker: SlotPicker | None = None,
    lost: datetime | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
    refusal: AdmitOneError | None = None,
) -> str:
    """Shows the form, with the times among which `start` is chosen.

    These are the times `of_day`; without any, free ones near `start` or `lost`. With a `picker`
    they can be those of other days.
    """
    zone = _reader_zone(invited)
    host_zone = invited.terms.rules.time_zone
    day = of_day and local_day(of_day[0].start, zone)
    offers: Sequence[Slot] = []
    if not of_day and picker is None:
        wait_for_newest_bookings()
        offers = nearest_slots(invited.open_slots, lost or start, time_zone=zone)
    chosen_before = None
    if picker and start and start not in (slot.start for slot in of_day):
        chosen_before = free_slot(invited.open_slots, start, time_zone=zone)
    return render_template(
        "invitee/form.html",
        **_context(invited, token, zone),
        **zone_context(zone, is_known=kept_zone() is not None),
        zone_options=zone_options(),
        host_zone=host_zone,
        start=start,
        day=day,
        of_day=of_day,
        picker=picker,
        cells=picker and day_cells(picker),
        chosen_before=chosen_before,
        offers=offers,
        labels=time_labels(of_day, zone),
        host_times=host_labels([*of_day, *offers], time_zone=zone, host_zone=host_zone),
        next_day=picker and picker.next_free and local_day(picker.next_free.start, zone),
        typed=typed,
        errors=errors or {},
        refusal=refusal,
        key=request.form.get("idempotency_key") or secrets.token_urlsafe(16),
    )


def _context(invited: Invitation, token: str, zone: str) -> dict[str, Any]:
    """Returns the variables that the templates of both pages share."""
    expires_at = invited.link.expires_at
    ends_soon = expires_at - services().now() < _SOON
    return {
        "token": token,
        "terms": invited.terms,
        "host": invited.host_name,
        "valid_until": moment_text(expires_at, zone) if ends_soon else date_text(expires_at, zone),
        "json_address": _json_address(token),
    }


def _prefilled(invited: Invitation) -> dict[str, str]:
    """Returns the fields that the owner has filled in for the invitee."""
    prefill = invited.prefill()
    return {} if prefill is None else {"name": prefill.name or "", "email": prefill.email or ""}


def _reader_zone(invited: Invitation) -> str:
    """Returns the zone that the request names, else the one it keeps, else the calendar's."""
    return reader_zone(kept_zone() or invited.calendar.terms.rules.time_zone)


def _start_in(typed: Mapping[str, str]) -> datetime | None:
    """Returns the start in a form with errors elsewhere; None if it can't be read."""
    try:
        start: datetime = Instant().deserialize(typed["start"])
    except ValidationError:
        return None
    return start
