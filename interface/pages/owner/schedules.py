"""The schedules of an owner: a list, the form of each, and deleting one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.eventstore.event_sourced_application import Written
from domain.errors import ScheduleInUse, StaleVersion
from domain.schedule import Schedule, ScheduleTerms
from interface.pages.owner.calendar_conflict import conflict
from interface.pages.owner.calendar_labels import weekly_lines
from interface.pages.owner.calendar_preview import open_hours
from interface.pages.owner.hours_form import (
    after_helper_button,
    fields_context,
    labels_of,
    version_sent,
)
from interface.pages.owner.owned import own_calendars, own_id, own_schedules
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.owner.schedule_form import ScheduleForm, calendar_terms
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, require_session
from interface.pages.shared.csrf import protect_from_csrf
from interface.web.request_context import services
from projections.views import calendar_list, schedule_list
from projections.views.calendar_list import CalendarRow
from projections.views.schedule_list import ScheduleRow

blueprint = Blueprint("schedules_pages", __name__)
protect_from_csrf(blueprint)


@blueprint.get("/settings/schedules")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows all schedules, with the calendars that follow each."""
    schedules, calendars = own_schedules(), own_calendars()
    return render_template(
        "schedules/index.html",
        schedules=[(each, _names_of_followers(each, calendars)) for each in schedules],
        weekly_lines=weekly_lines,
    )


@blueprint.get("/settings/schedules/new")
@for_role("owner")
def create() -> ResponseReturnValue:
    """Shows the form for a new schedule."""
    return _form_page(ScheduleForm.blank(require_session().account.time_zone or ""))


@blueprint.post("/settings/schedules/new")
@for_role("owner")
def save_new() -> ResponseReturnValue:
    """Creates a schedule, or shows the form again with what is wrong."""
    form = ScheduleForm.sent(request.form)
    if shown := after_helper_button(form):
        return _form_page(shown)
    terms, errors = form.parse()
    if terms is None:
        return _form_page(form, errors=errors), 422
    current = services()
    created = current.schedules.create(
        owner_id=own_id(), terms=terms, actor=auth.actor(), now=current.now()
    )
    return _to_index(created, "schedule-created")


@blueprint.post("/settings/schedules/preview")
@for_role("owner")
def show_preview() -> ResponseReturnValue:
    """Returns the preview alone, for a form that is being filled in."""
    return render_template("schedules/preview.html", **_preview(ScheduleForm.sent(request.form)))


@blueprint.get("/settings/schedules/<uuid:schedule_id>")
@for_role("owner")
def edit(schedule_id: UUID) -> ResponseReturnValue:
    """Shows the form with a schedule's terms."""
    schedule = _own_schedule(schedule_id)
    return _form_page(
        ScheduleForm.of(schedule.terms), schedule=schedule, version=str(schedule.version)
    )


@blueprint.post("/settings/schedules/<uuid:schedule_id>")
@for_role("owner")
def save(schedule_id: UUID) -> ResponseReturnValue:
    """Changes a schedule and the calendars that follow it, or shows what is wrong."""
    schedule = _own_schedule(schedule_id)
    form = ScheduleForm.sent(request.form)
    if shown := after_helper_button(form):
        return _form_page(shown, schedule=schedule, version=version_sent())
    terms, errors = form.parse()
    if terms is None:
        page = _form_page(form, errors=errors, schedule=schedule, version=version_sent())
        return page, 422
    try:
        return _saved(terms, schedule_id, int(version_sent()))
    except StaleVersion:
        return _conflict_page(terms, schedule)


@blueprint.get("/settings/schedules/<uuid:schedule_id>/delete")
@for_role("owner")
def ask_to_delete(schedule_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation, and says what becomes of the calendars that follow."""
    return _delete_page(_own_schedule(schedule_id))


@blueprint.post("/settings/schedules/<uuid:schedule_id>/delete")
@for_role("owner")
def delete(schedule_id: UUID) -> ResponseReturnValue:
    """Deletes a schedule. Calendars keep a copy of its hours, if the page has said so."""
    current = services()
    try:
        archived = current.schedules.archive(
            schedule_id=schedule_id,
            owner_id=own_id(),
            release_calendars=request.form.get("copies") == "yes",
            actor=auth.actor(),
            now=current.now(),
        )
    except ScheduleInUse:  # since the page was shown
        return _delete_page(_own_schedule(schedule_id)), 409
    return _to_index(archived, "schedule-deleted")


def _own_schedule(schedule_id: UUID) -> ScheduleRow:
    return schedule_list.schedule_of(services().database, own_id(), schedule_id)


def _names_of_followers(schedule: ScheduleRow, calendars: Mapping[UUID, CalendarRow]) -> list[str]:
    return [calendars[each].terms.name for each in schedule.calendar_ids]


def _saved(terms: ScheduleTerms, schedule_id: UUID, version: int) -> ResponseReturnValue:
    """Changes a schedule and returns to the list. Raises `StaleVersion`."""
    current = services()
    changed = current.schedules.change(
        schedule_id=schedule_id,
        owner_id=own_id(),
        change=lambda _: terms,
        version=version,
        actor=auth.actor(),
        now=current.now(),
    )
    return _to_index(changed, "schedule-changed")


def _conflict_page(yours: ScheduleTerms, schedule: ScheduleRow) -> ResponseReturnValue:
    """Shows what somebody else saved beside what was sent; saved already if both are the same.

    Calendars that joined or left meanwhile, which makes a new version, too, are no conflict.
    """
    current = services()
    latest = current.event_store.get_own(Schedule, schedule.id, own_id())
    if latest.terms == yours:
        return _to_index(Written(latest, current.event_store.head()), "schedule-changed")
    version = int(version_sent())
    base = current.event_store.find(Schedule, schedule.id, version=version) if version else None
    if base is not None and base.terms == latest.terms:
        return _saved(yours, schedule.id, latest.version)
    merged = conflict(
        base=calendar_terms(base.terms) if base is not None else None,
        theirs=calendar_terms(latest.terms),
        yours=calendar_terms(yours),
        schedule_names={},
    )
    page = _form_page(
        ScheduleForm(merged.form),
        schedule=schedule,
        version=str(latest.version),
        differences=merged.differences,
    )
    return page, 412


def _form_page(
    form: ScheduleForm, *, schedule: ScheduleRow | None = None, version: str = "", **context: Any
) -> str:
    return render_template(
        "schedules/form.html",
        **{"errors": {}, "differences": None} | context,
        **_preview(form),
        **fields_context(),
        form=form.calendar,
        schedule=schedule,
        followers=_names_of_followers(schedule, own_calendars()) if schedule else [],
        version=version,
    )


def _preview(form: ScheduleForm) -> dict[str, Any]:
    """Returns the open hours of two weeks, or the labels of the fields that prevent it."""
    terms, errors = form.parse_hours()
    if terms is not None:
        grids = open_hours(terms.availability, terms.time_zone, own_id())
        lines = weekly_lines(terms.availability.weekly)
        return {"grids": grids, "lines": lines, "zone": terms.time_zone, "obstacles": []}
    return {"grids": [], "lines": [], "zone": None, "obstacles": labels_of(errors)}


def _delete_page(schedule: ScheduleRow) -> str:
    return render_template(
        "schedules/delete.html",
        schedule=schedule,
        followers=_names_of_followers(schedule, own_calendars()),
    )


def _to_index(written: Written[Schedule], notice: str) -> ResponseReturnValue:
    """Redirects to the list, once all pages show what was written."""
    wait_until_visible(written, schedule_list.NAME, calendar_list.NAME)
    return redirect(url_for("schedules_pages.index", notice=notice), 303)
