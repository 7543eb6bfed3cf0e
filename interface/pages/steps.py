"""The steps to a booking as pages: days and times, the form, or why there is neither."""

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
from domain.errors import AdmitOneError, LinkEnded, LinkRedeemed, ViewBehind
from interface.api.problems import answer_to
from interface.current import services
from interface.fields import Day, in_utc
from interface.invitation import Invitation
from interface.pages.chooser import chooser, local_day, nearest_slots, time_labels
from interface.zones import zone_meant, zones_to_choose
from projections import booking_calendar, positions


def days(invited: Invitation, token: str, *, lost: bool) -> str:
    """Days with free times, and the times of one; `lost`: the time asked for is not free."""
    zone = reader_zone(invited)
    address = url_for("invitee.choose", token=token)
    place = f"{address}?{urlencode({'tz': zone})}&" if "tz" in request.args else f"{address}?"
    shown = chooser(
        invited,
        time_zone=zone,
        page_from=in_address(Day(), "from"),
        chosen=in_address(Day(), "day"),
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
    """The form for the slot at `start`; without one it offers times near the one that was lost."""
    zone = reader_zone(invited)
    offers = []
    if start is None:
        _see_the_newest_bookings()
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
    """What all pages of an active link show."""
    asked = request.values.get("tz")
    zone = reader_zone(invited)
    return {
        "token": token,
        "terms": invited.calendar.terms,
        "host": invited.host_name,
        "zone": zone,
        "asked_zone": asked,
        "zone_is_unknown": asked is not None and zone_meant(asked) != zone,
        # Kept in all addresses of these pages, once it is known.
        "tz": None if asked is None else zone,
        "in_utc": in_utc,
    }


def ended(
    refusal: LinkEnded, invited: Invitation, *, while_choosing: bool = False
) -> ResponseReturnValue:
    """Why the link can book no more. Nothing about the calendar, or who booked."""
    status, _ = answer_to(refusal, owner=False)
    page = render_template(
        "invitee/ended.html",
        ended=type(refusal).__name__,
        while_choosing=while_choosing and isinstance(refusal, LinkRedeemed),
        host=invited.host_name,
        expired_at=invited.link.expires_at,
        zone=reader_zone(invited),
        ask_zone="tz" not in request.values,
    )
    return page, status


@cache
def _zone_options() -> Markup:
    return Markup("").join(Markup("<option>{}</option>").format(name) for name in zones_to_choose())


def _see_the_newest_bookings() -> None:
    """What was just lost to somebody should not be offered again."""
    current = services()
    try:
        positions.wait_for(current.database, (booking_calendar.NAME,), current.bookings.head())
    except ViewBehind:
        return


def reader_zone(invited: Invitation) -> str:
    """The zone that the reader asked for, else the calendar's."""
    asked = zone_meant(request.values.get("tz", ""))
    return asked if is_time_zone(asked) else invited.calendar.terms.rules.time_zone


def in_address(field: Any, name: str) -> Any:
    """What the address says, if it makes sense."""
    try:
        return field.deserialize(request.args[name])
    except (KeyError, ValidationError):
        return None
