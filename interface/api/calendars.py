"""Endpoints about calendars, for their owner."""

from typing import Any
from uuid import UUID

from application.eventstore.event_sourced_application import Written
from domain.calendar import Calendar
from domain.errors import Busy, CalendarArchived, CalendarNotFound
from interface.api.calls import address_of
from interface.api.decorators import (
    Blueprint,
    caller,
    may_be_old,
    names_version,
    requires,
    shows,
    version_read,
    version_tag,
    with_log_position,
)
from interface.api.free_slots import free_slots
from interface.api.openapi import ETAG, LOCATION, LOG_POSITION, has_etag, refuses
from interface.web.calendar_mapping import changed_terms, new_terms
from interface.web.calendar_schemas import CalendarChange, CalendarInput
from interface.web.invitee_response_schemas import SlotsOutput
from interface.web.owner_response_schemas import CalendarOutput, CalendarPage
from interface.web.request_context import read_database, services
from interface.web.request_schemas import NoFields, SlotsQuery
from projections.open_slots import OpenSlots
from projections.views import booking_calendar, calendar_list

blueprint = Blueprint(
    "calendars",
    __name__,
    url_prefix="/api/v1/calendars",
    description="What can be booked: a kind of appointment, its length and its hours.",
)


@blueprint.route("")
@requires("calendars")
@shows(calendar_list.NAME)
@may_be_old
@blueprint.response(200, CalendarPage)
def list_calendars() -> Any:
    """List calendars.

    All calendars of the account in the order of their creation, archived ones included.
    """
    return {"items": calendar_list.calendars_of(read_database(), caller().account_id)}


@blueprint.route("", methods=["POST"])
@requires("calendars")
@blueprint.arguments(CalendarInput)
@refuses(Busy)
@blueprint.response(201, CalendarOutput, headers=LOG_POSITION | ETAG | LOCATION)
def create(body: dict[str, Any]) -> Any:
    """Create a calendar.

    The name and the duration are required, and either a time zone with availability or a
    `schedule_id`. By default a slot can start every `duration_minutes`, there are no buffers, slots
    can be booked up to 240 minutes before they start, and 60 days ahead.
    """
    current = services()
    created = current.calendars.create(
        owner_id=caller().account_id,
        terms=new_terms(body),
        actor=caller().actor,
        now=current.now(),
    )
    calendar, headers = _response(created)
    return calendar, headers | {"Location": address_of("calendars.read", calendar_id=calendar.id)}


@blueprint.route("/<uuid:calendar_id>")
@requires("calendars")
@shows(calendar_list.NAME)
@refuses(CalendarNotFound)
@blueprint.response(200, CalendarOutput, headers=ETAG)
def read(calendar_id: UUID) -> Any:
    """Read a calendar.

    The `ETag` of the response names the calendar's version. A change has to name it, too.
    """
    calendar = calendar_list.calendar_of(services().database, caller().account_id, calendar_id)
    return calendar, version_tag(calendar)


@blueprint.route("/<uuid:calendar_id>/slots")
@requires("calendars")
@shows(calendar_list.NAME, booking_calendar.NAME)
@blueprint.arguments(SlotsQuery, location="query")
@refuses(CalendarNotFound, CalendarArchived)
@has_etag
@blueprint.response(200, SlotsOutput)
def slots(query: dict[str, Any], calendar_id: UUID) -> Any:
    """List the free slots of a calendar.

    Those that a link without an offer of its own would have. Parameters are those of the free slots
    of a link.
    """
    current = services()
    calendar = calendar_list.calendar_of(current.database, caller().account_id, calendar_id)
    if calendar.is_archived:
        raise CalendarArchived
    rules = calendar.terms.rules
    return free_slots(OpenSlots(current.database, caller().account_id, rules, current.now()), query)


@blueprint.route("/<uuid:calendar_id>", methods=["PATCH"])
@requires("calendars")
@blueprint.arguments(
    CalendarChange, required=False, example={"name": "Intro call", "duration_minutes": 45}
)
@names_version
@refuses(CalendarNotFound, CalendarArchived, Busy)
@blueprint.response(200, CalendarOutput, headers=LOG_POSITION | ETAG)
def change(body: dict[str, Any], calendar_id: UUID) -> Any:
    """Change a calendar.

    Fields that the body does not name stay as they are. `availability.weekly` and
    `availability.overrides` count as two fields. Links that were already sent follow the change.
    While the calendar follows a schedule, change its hours there. A `schedule_id` of null keeps the
    present hours as the calendar's own.
    """
    current = services()
    changed = current.calendars.change(
        calendar_id=calendar_id,
        owner_id=caller().account_id,
        change=lambda terms: changed_terms(terms, body),
        version=version_read(),
        actor=caller().actor,
        now=current.now(),
    )
    return _response(changed)


@blueprint.route("/<uuid:calendar_id>/archive", methods=["POST"])
@requires("calendars")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(CalendarNotFound, Busy)
@blueprint.response(200, CalendarOutput, headers=LOG_POSITION | ETAG)
def archive(calendar_id: UUID) -> Any:
    """Archive a calendar.

    It then takes no changes and no new links. Links that were already sent work until they end.
    Archiving can't be undone. Archiving again changes nothing.
    """
    current = services()
    archived = current.calendars.archive(
        calendar_id=calendar_id,
        owner_id=caller().account_id,
        actor=caller().actor,
        now=current.now(),
    )
    return _response(archived)


def _response(result: Written[Calendar]) -> tuple[Calendar, dict[str, str]]:
    return result.value, with_log_position(result, version_tag(result.value))
