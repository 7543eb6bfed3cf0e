"""Other calendars: the owner's calendars elsewhere, whose busy times are kept free."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from application.busy_calendars.busy_calendars import MOST_CALENDARS, ReadProblem
from application.outgoing import AddressNotAllowed
from domain.calendar import LONGEST_NAME
from domain.errors import Invalid
from interface.i18n import mark_for_translation as _
from interface.outgoing.outgoing_url import LONGEST_URL
from interface.pages.owner.owned import own_id
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Name, Text
from interface.web.request_context import services

blueprint = Blueprint("busy_calendars_pages", __name__)
protect_from_csrf(blueprint)

Errors = dict[str, list[str]]

PROBLEMS = {
    ReadProblem.ADDRESS_NOT_ALLOWED: _(
        "The address now leads into a network that this service must not reach."
    ),
    ReadProblem.HOST_NOT_FOUND: _("There is no server with this name."),
    ReadProblem.UNREACHABLE: _("The server can't be reached."),
    ReadProblem.CERTIFICATE_REFUSED: _("The server's certificate is not valid."),
    ReadProblem.TOO_SLOW: _("The server takes too long to answer."),
    ReadProblem.TOO_LARGE: _("The calendar is larger than 5 MB."),
    ReadProblem.REDIRECTED: _("The server keeps redirecting from one address to the next."),
    ReadProblem.NO_ACCESS: _("The server doesn't let us read the calendar."),
    ReadProblem.NOT_FOUND: _("There is no calendar at this address."),
    ReadProblem.SERVER_ERROR: _("The server answers with an error."),
    ReadProblem.NOT_A_CALENDAR: _("The file at this address is not an iCalendar file."),
    ReadProblem.TOO_COMPLEX: _("The calendar has too many events, or they repeat too often."),
}


class AddForm(Schema):
    """The address of a calendar, and what its owner calls it."""

    url = Name(
        longest=LONGEST_URL,
        required=True,
        error_messages={"required": _("Enter the address of the calendar.")},
    )
    name = Text(longest=LONGEST_NAME, load_default=None)


@blueprint.get("/settings/other-calendars")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows the calendars, each with its state, and a form for another one."""
    return _page()


@blueprint.post("/settings/other-calendars")
@for_role("owner")
def add() -> ResponseReturnValue:
    """Adds a calendar, or shows the form again with what is wrong."""
    typed = {name: request.form.get(name, "") for name in ("url", "name")}
    loaded = load(AddForm(), typed)
    errors = loaded.errors or _add(**loaded.values)
    if errors:
        return _page(typed=typed, errors=errors), 422
    return _to_index("busy-calendar-added")


@blueprint.post("/settings/other-calendars/<uuid:calendar_id>/read")
@for_role("owner")
def read(calendar_id: UUID) -> ResponseReturnValue:
    """Has a calendar read now."""
    current = services()
    current.busy_calendars.ask_to_read(own_id(), calendar_id, now=current.now())
    return _to_index("busy-calendar-asked")


@blueprint.get("/settings/other-calendars/<uuid:calendar_id>/remove")
@for_role("owner")
def ask_to_remove(calendar_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation: the address can't be shown again."""
    calendar = services().busy_calendars.one(own_id(), calendar_id)
    return render_template("busy_calendars/remove.html", calendar=calendar)


@blueprint.post("/settings/other-calendars/<uuid:calendar_id>/remove")
@for_role("owner")
def remove(calendar_id: UUID) -> ResponseReturnValue:
    """Removes a calendar."""
    services().busy_calendars.remove(own_id(), calendar_id)
    return _to_index("busy-calendar-removed")


def _add(url: str, name: str | None) -> Errors:
    """Adds a calendar and returns what is wrong with it, by field."""
    current = services()
    try:
        current.busy_calendars.add(owner_id=own_id(), url=url, name=name, now=current.now())
    except Invalid as invalid:
        return errors_of(invalid)
    except AddressNotAllowed as refusal:
        return {"url": [refusal.detail]}
    return {}


def _page(*, typed: dict[str, str] | None = None, errors: Errors | None = None) -> str:
    calendars = services().busy_calendars.all(own_id())
    return render_template(
        "busy_calendars/index.html",
        calendars=calendars,
        problems=PROBLEMS,
        zone=user_time_zone(),
        is_full=len(calendars) >= MOST_CALENDARS,
        is_waiting=any(not each.last_read_at and not each.problem for each in calendars),
        longest_url=LONGEST_URL,
        longest_name=LONGEST_NAME,
        typed={"url": "", "name": ""} | (typed or {}),
        errors=errors or {},
    )


def _to_index(notice: str) -> ResponseReturnValue:
    return redirect(url_for("busy_calendars_pages.index", notice=notice), 303)
