"""The calendars of an owner: a list, the form of each, and archiving."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.eventstore.event_sourced_application import Written
from domain.calendar import LONGEST_NAME, Calendar, CalendarTerms
from domain.errors import CalendarArchived, Invalid, StaleVersion
from interface.i18n import gettext
from interface.pages.owner.calendar_conflict import conflict
from interface.pages.owner.calendar_form import UNIT_OF, CalendarForm
from interface.pages.owner.calendar_labels import unit, weekly_lines
from interface.pages.owner.calendar_preview import preview
from interface.pages.owner.hours_form import (
    after_helper_button,
    fields_context,
    labels_of,
    version_sent,
)
from interface.pages.owner.owned import (
    own_calendar,
    own_calendars,
    own_id,
    own_schedules,
    schedule_names,
)
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, require_session
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of
from interface.web.request_context import services
from projections.views import calendar_list
from projections.views.calendar_list import CalendarRow

blueprint = Blueprint("calendars_pages", __name__)
protect_from_csrf(blueprint)


@blueprint.get("/settings/calendars")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows all calendars, the archived ones last."""
    calendars = own_calendars().values()
    return render_template(
        "calendars/index.html",
        calendars=[calendar for calendar in calendars if not calendar.is_archived],
        archived=[calendar for calendar in calendars if calendar.is_archived],
        schedule_names=schedule_names(),
        weekly_lines=weekly_lines,
    )


@blueprint.get("/settings/calendars/new")
@for_role("owner")
def create() -> ResponseReturnValue:
    """Shows the form for a new calendar, blank or with the terms of another one."""
    original = request.args.get("like", type=UUID)
    if original is None:
        return _form_page(CalendarForm.blank(require_session().account.time_zone or ""))
    return _form_page(CalendarForm.of(_terms_of_copy(own_calendar(original).terms)))


@blueprint.post("/settings/calendars/new")
@for_role("owner")
def save_new() -> ResponseReturnValue:
    """Creates a calendar, or shows the form again with what is wrong."""
    form = _form_sent()
    if shown := after_helper_button(form):
        return _form_page(shown)
    terms, errors = form.parse()
    if terms is None:
        return _form_page(form, errors=errors), 422
    current = services()
    try:
        created = current.calendars.create(
            owner_id=own_id(), terms=terms, actor=auth.actor(), now=current.now()
        )
    except Invalid as refusal:  # about the schedule, which the form does not know
        return _form_page(form, errors=errors_of(refusal)), 422
    return _to_index(created, "calendar-created")


@blueprint.post("/settings/calendars/preview")
@for_role("owner")
def show_preview() -> ResponseReturnValue:
    """Returns the preview alone, for a form that is being filled in."""
    return render_template("calendars/preview.html", **_preview(_form_sent()))


@blueprint.get("/settings/calendars/<uuid:calendar_id>")
@for_role("owner")
def edit(calendar_id: UUID) -> ResponseReturnValue:
    """Shows the form with a calendar's terms."""
    calendar = own_calendar(calendar_id)
    if calendar.is_archived:
        raise CalendarArchived
    return _form_page(
        CalendarForm.of(calendar.terms), calendar_id=calendar_id, version=str(calendar.version)
    )


@blueprint.post("/settings/calendars/<uuid:calendar_id>")
@for_role("owner")
def save(calendar_id: UUID) -> ResponseReturnValue:
    """Changes a calendar, or shows the form again with what is wrong."""
    form = _form_sent()
    if shown := after_helper_button(form):
        return _form_page(shown, calendar_id=calendar_id, version=version_sent())
    terms, errors = form.parse()
    if terms is None:
        page = _form_page(form, errors=errors, calendar_id=calendar_id, version=version_sent())
        return page, 422
    current = services()
    try:
        changed = current.calendars.change(
            calendar_id=calendar_id,
            owner_id=own_id(),
            change=lambda _: terms,
            version=int(version_sent()),
            actor=auth.actor(),
            now=current.now(),
            same_hours=request.form.getlist("same_hours", type=UUID),
        )
    except StaleVersion:
        return _conflict_page(terms, calendar_id)
    except Invalid as refusal:
        page = _form_page(
            form, errors=errors_of(refusal), calendar_id=calendar_id, version=version_sent()
        )
        return page, 422
    return _to_index(changed, "calendar-changed")


@blueprint.get("/settings/calendars/<uuid:calendar_id>/archive")
@for_role("owner")
def ask_to_archive(calendar_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation: archiving can't be undone."""
    return render_template("calendars/archive.html", calendar=own_calendar(calendar_id))


@blueprint.post("/settings/calendars/<uuid:calendar_id>/archive")
@for_role("owner")
def archive(calendar_id: UUID) -> ResponseReturnValue:
    """Archives a calendar."""
    current = services()
    archived = current.calendars.archive(
        calendar_id=calendar_id,
        owner_id=own_id(),
        actor=auth.actor(),
        now=current.now(),
    )
    return _to_index(archived, "calendar-archived")


def _form_sent() -> CalendarForm:
    """Returns the form as a browser sent it, with the hours of the schedule if it names one."""
    return CalendarForm.sent(request.form).with_hours_of(own_schedules())


def _terms_of_copy(terms: CalendarTerms) -> CalendarTerms:
    name = gettext("Copy of %(name)s") % {"name": terms.name}
    return replace(terms, name=name[:LONGEST_NAME])


def _conflict_page(yours: CalendarTerms, calendar_id: UUID) -> ResponseReturnValue:
    """Shows what somebody else saved beside what was sent; saved already if both are the same."""
    current = services()
    latest = current.event_store.get_own(Calendar, calendar_id, own_id())
    if latest.terms == yours:
        return _to_index(Written(latest, current.event_store.head()), "calendar-changed")
    version = int(version_sent())
    base = current.event_store.find(Calendar, calendar_id, version=version) if version else None
    merged = conflict(
        base=base.terms if base is not None else None,
        theirs=latest.terms,
        yours=yours,
        schedule_names=schedule_names(),
    )
    page = _form_page(
        merged.form.with_hours_of(own_schedules()),
        calendar_id=calendar_id,
        version=str(latest.version),
        differences=merged.differences,
    )
    return page, 412


def _form_page(
    form: CalendarForm, *, calendar_id: UUID | None = None, version: str = "", **context: Any
) -> str:
    return render_template(
        "calendars/form.html",
        **{"errors": {}, "differences": None} | context,
        **_preview(form),
        form=form,
        calendar_id=calendar_id,
        version=version,
        **fields_context(),
        unit=unit,
        unit_of=UNIT_OF,
        schedules=own_schedules(),
        others=_others(calendar_id) if calendar_id else [],
        same_hours=set(request.form.getlist("same_hours", type=UUID)),
    )


def _others(calendar_id: UUID) -> list[CalendarRow]:
    """Returns the owner's calendars whose own hours can be changed, without this one."""
    return [
        each
        for each in own_calendars().values()
        if each.id != calendar_id and not each.is_archived and each.terms.schedule_id is None
    ]


def _preview(form: CalendarForm) -> dict[str, Any]:
    """Returns the preview, or the labels of the fields that prevent it."""
    rules, errors = form.parse_rules()
    if rules is not None:
        return {"preview": preview(rules, own_id()), "obstacles": []}
    return {"preview": None, "obstacles": labels_of(errors)}


def _to_index(written: Written[Calendar], notice: str) -> ResponseReturnValue:
    """Redirects to the list, once it shows what was written."""
    wait_until_visible(written, calendar_list.NAME)
    return redirect(url_for("calendars_pages.index", notice=notice), 303)
