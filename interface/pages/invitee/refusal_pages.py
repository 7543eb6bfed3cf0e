"""What the booking page shows: days and times, the form, or why there is neither."""

import secrets
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from marshmallow import ValidationError

from domain.booking_rules import is_time_zone
from domain.errors import AdmitOneError, LinkEnded, LinkRedeemed, Unavailable, ViewBehind
from interface.pages.invitee.slot_picker import chooser, local_day, nearest_slots, time_labels
from interface.pages.shared.i18n import gettext
from interface.web.fields import Day, in_utc
from interface.web.invitation import Invitation
from interface.web.problems import refusal_page
from interface.web.request_context import services
from interface.web.time_zone_lookup import resolve_time_zone, selectable_time_zones
from projections.engine import positions
from projections.views import booking_calendar


def days(invited: Invitation, token: str, *, lost: bool) -> str:
    """Shows days with free times, and the times of one; `lost`: the time asked for is not free."""
    zone = reader_zone(invited)
    address = url_for("booking_page.choose", token=token)
    place = f"{address}?{urlencode({'tz': zone})}&" if "tz" in request.args else f"{address}?"
    shown = chooser(
        invited,
        time_zone=zone,
        page_from=from_address(Day(), "from"),
        chosen=from_address(Day(), "day"),
    )
    return render_template(
        "invitee/days.html",
        **_frame(invited, token),
        chooser=shown,
        labels=time_labels(shown.slots, zone),
        next_day=shown.next_free and local_day(shown.next_free.start, zone),
        # Addresses within these pages begin with it.
        place=place,
        zone_options=_zone_options(),
        lost=lost,
    )


def form(
    invited: Invitation,
    token: str,
    *,
    start: datetime | None,
    given: dict[str, str],
    errors: dict[str, list[str]],
    lost: datetime | None = None,
    refusal: AdmitOneError | None = None,
) -> str:
    """Shows the form for the slot at `start`, or, without one, times near the one that was lost."""
    zone = reader_zone(invited)
    offers = []
    if start is None:
        _wait_for_newest_bookings()
        offers = nearest_slots(invited, lost, time_zone=zone)
    return render_template(
        "invitee/form.html",
        **_frame(invited, token),
        slot=invited.calendar.terms.rules.slot_at(start) if start else None,
        day=start and local_day(start, zone),
        offers=offers,
        given=given,
        errors=errors,
        refusal=refusal,
        key=request.form.get("idempotency_key") or secrets.token_urlsafe(16),
    )


def _frame(invited: Invitation, token: str) -> dict[str, Any]:
    """Returns what all pages of an active link show."""
    asked = request.values.get("tz")
    zone = reader_zone(invited)
    return {
        "token": token,
        "terms": invited.calendar.terms,
        "host": invited.host_name,
        "zone": zone,
        "asked_zone": asked,
        "zone_is_unknown": asked is not None and resolve_time_zone(asked) != zone,
        # Kept in all addresses of these pages, once it is known.
        "tz": None if asked is None else zone,
        "in_utc": in_utc,
    }


def ended(
    refusal: LinkEnded, invited: Invitation, *, while_choosing: bool = False
) -> ResponseReturnValue:
    """Shows why the link can book no more; nothing about the calendar, or who booked."""
    page = render_template(
        "invitee/ended.html",
        ended=type(refusal).__name__,
        while_choosing=while_choosing and isinstance(refusal, LinkRedeemed),
        host=invited.host_name,
        expired_at=invited.link.expires_at,
        zone=reader_zone(invited),
        ask_zone="tz" not in request.values,
    )
    return refusal_page(page, refusal, owner=False)


def refused(error: AdmitOneError) -> ResponseReturnValue:
    """Shows the reason of any other refusal, and nothing else."""
    retry = isinstance(error, Unavailable)
    page = render_template("invitee/ended.html", title=gettext(error.detail), retry=retry)
    return refusal_page(page, error, owner=False)


@cache
def _zone_options() -> Markup:
    return Markup("").join(
        Markup("<option>{}</option>").format(name) for name in selectable_time_zones()
    )


def _wait_for_newest_bookings() -> None:
    """Waits for the newest bookings, so that a slot that was just lost is not offered again."""
    current = services()
    try:
        positions.wait_for(current.database, (booking_calendar.NAME,), current.event_store.head())
    except ViewBehind:
        return


def reader_zone(invited: Invitation) -> str:
    """Returns the zone that the reader asked for, else the calendar's."""
    asked = resolve_time_zone(request.values.get("tz", ""))
    return asked if is_time_zone(asked) else invited.calendar.terms.rules.time_zone


def from_address(field: Any, name: str) -> Any:
    """Returns the parameter of the address, or None where it makes no sense."""
    try:
        return field.deserialize(request.args[name])
    except (KeyError, ValidationError):
        return None
