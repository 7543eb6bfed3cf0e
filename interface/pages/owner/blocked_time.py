"""Blocking time: the owner's calendars are closed then, or open again, by date overrides."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate

from domain.blocked_time import closed_during, opened_again
from domain.errors import Invalid, Sentence
from domain.slot import Slot
from interface.pages.owner.booking_spans import SPANS
from interface.pages.owner.owned import own_calendars, own_id
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Day, LocalTime
from interface.web.request_context import services
from projections.open_slots import midnight
from projections.views import calendar_list

blueprint = Blueprint("blocked_time_pages", __name__)
protect_from_csrf(blueprint)

_CHANGES = {"block": closed_during, "open": opened_again}
_NOTICES = {
    ("block", True): "time-blocked",
    ("block", False): "nothing-to-block",
    ("open", True): "time-opened",
    ("open", False): "nothing-to-open",
}


class BlockForm(Schema):
    """A stretch of time on one day, in the owner's zone. Midnight as its end is that day's."""

    class Meta:
        unknown = EXCLUDE

    on = Day(required=True)
    begins = LocalTime(required=True)
    ends = LocalTime(required=True)
    calendar_id = fields.UUID(load_default=None)
    do = fields.String(load_default="block", validate=validate.OneOf(tuple(_CHANGES)))
    view = fields.String(load_default="week", validate=validate.OneOf(SPANS))


@blueprint.post("/bookings/block")
@for_role("owner")
def block() -> ResponseReturnValue:
    """Blocks time in all calendars of the owner, or in one; or opens it again."""
    sent = {name: value for name, value in request.form.items() if value}
    values, errors = load(BlockForm(), sent)
    if errors:
        return _form_again(sent, errors)
    current = services()
    only = values["calendar_id"]
    try:
        written = current.calendars.change_hours(
            change=_CHANGES[values["do"]],
            slot=_slot(values["on"], values["begins"], values["ends"]),
            calendar_ids=[each for each in own_calendars() if only in (None, each)],
            owner_id=own_id(),
            actor=auth.actor(),
            now=current.now(),
        )
    except Invalid as refusal:
        errors = errors_of(refusal)
        if not errors.keys() & sent.keys():  # the calendar has too many overrides
            errors = {"on": [sentence for faults in errors.values() for sentence in faults]}
        return _form_again(sent, errors)
    wait_until_visible(written, calendar_list.NAME)
    address: dict[str, Any] = {
        name: sent[name] for name in ("on", "begins", "ends", "calendar_id") if name in sent
    }
    notice = _NOTICES[values["do"], bool(written.value)]
    return redirect(
        url_for("bookings_pages.index", view=values["view"], notice=notice, **address), 303
    )


def _slot(day: date, begins: time, ends: time) -> Slot:
    """Returns the time in UTC. Where clocks go back, both of an hour that occurs twice are in it.

    Raises `Invalid` if it is empty.
    """
    zone = ZoneInfo(user_time_zone())
    start = datetime.combine(day, begins, zone).astimezone(UTC)
    if ends == time():
        end = midnight(day + timedelta(days=1), zone)
    else:
        end = datetime.combine(day, ends.replace(fold=1), zone).astimezone(UTC)
    if end <= start:
        raise Invalid({"ends": [Sentence("Choose an end after the start.")]})
    return Slot(start, end)


def _form_again(sent: dict[str, str], errors: dict[str, list[str]]) -> ResponseReturnValue:
    page = render_template(
        "bookings/block.html",
        typed=sent,
        errors=errors,
        calendars=own_calendars(),
        zone=user_time_zone(),
    )
    return page, 422
