"""Endpoints about schedules, for their owner."""

from typing import Any
from uuid import UUID

from application.eventstore.event_sourced_application import Written
from domain.errors import Busy, ScheduleInUse, ScheduleNotFound
from domain.schedule import Schedule
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
from interface.api.openapi import ETAG, LOCATION, LOG_POSITION, refuses
from interface.web.calendar_mapping import changed_schedule_terms, new_schedule_terms
from interface.web.calendar_schemas import ScheduleArchiveInput, ScheduleChange, ScheduleInput
from interface.web.owner_response_schemas import ScheduleOutput, SchedulePage
from interface.web.request_context import read_database, services
from projections.views import calendar_list, schedule_list
from projections.views.schedule_list import ScheduleRow

blueprint = Blueprint(
    "schedules",
    __name__,
    url_prefix="/api/v1/schedules",
    description="Hours with a name, which several calendars follow.",
)


@blueprint.route("")
@requires("calendars")
@shows(schedule_list.NAME, calendar_list.NAME)
@may_be_old
@blueprint.response(200, SchedulePage)
def list_schedules() -> Any:
    """List schedules.

    All schedules of the account in the order of their creation, without archived ones.
    """
    return {"items": schedule_list.schedules_of(read_database(), caller().account_id)}


@blueprint.route("", methods=["POST"])
@requires("calendars")
@blueprint.arguments(ScheduleInput)
@refuses(Busy)
@blueprint.response(201, ScheduleOutput, headers=LOG_POSITION | ETAG | LOCATION)
def create(body: dict[str, Any]) -> Any:
    """Create a schedule.

    Calendars follow it that name it in `schedule_id`: 50 at most.
    """
    current = services()
    created = current.schedules.create(
        owner_id=caller().account_id,
        terms=new_schedule_terms(body),
        actor=caller().actor,
        now=current.now(),
    )
    schedule, headers = _response(created)
    return schedule, headers | {"Location": address_of("schedules.read", schedule_id=schedule.id)}


@blueprint.route("/<uuid:schedule_id>")
@requires("calendars")
@shows(schedule_list.NAME, calendar_list.NAME)
@refuses(ScheduleNotFound)
@blueprint.response(200, ScheduleOutput, headers=ETAG)
def read(schedule_id: UUID) -> Any:
    """Read a schedule.

    The `ETag` of the response names its version, which also rises when a calendar joins or leaves.
    """
    schedule = schedule_list.schedule_of(services().database, caller().account_id, schedule_id)
    return schedule, version_tag(schedule)


@blueprint.route("/<uuid:schedule_id>", methods=["PATCH"])
@requires("calendars")
@blueprint.arguments(
    ScheduleChange,
    required=False,
    example={"availability": {"weekly": {"monday": [["08:00", "12:00"]]}}},
)
@names_version
@refuses(ScheduleNotFound, Busy)
@blueprint.response(200, ScheduleOutput, headers=LOG_POSITION | ETAG)
def change(body: dict[str, Any], schedule_id: UUID) -> Any:
    """Change a schedule.

    The calendars that follow it get the new hours at the same moment, each with a new version.
    Fields that the body does not name stay as they are. `availability.weekly` and
    `availability.overrides` count as two fields.
    """
    current = services()
    changed = current.schedules.change(
        schedule_id=schedule_id,
        owner_id=caller().account_id,
        change=lambda terms: changed_schedule_terms(terms, body),
        version=version_read(),
        actor=caller().actor,
        now=current.now(),
    )
    return _response(changed)


@blueprint.route("/<uuid:schedule_id>/archive", methods=["POST"])
@requires("calendars")
@blueprint.arguments(ScheduleArchiveInput, required=False)
@refuses(ScheduleNotFound, ScheduleInUse, Busy)
@blueprint.response(200, ScheduleOutput, headers=LOG_POSITION | ETAG)
def archive(body: dict[str, Any], schedule_id: UUID) -> Any:
    """Archive a schedule.

    No calendar can follow it any more, and it is no longer listed. Archiving can't be undone.
    Archiving again changes nothing.
    """
    current = services()
    archived = current.schedules.archive(
        schedule_id=schedule_id,
        owner_id=caller().account_id,
        release_calendars=body["release_calendars"],
        actor=caller().actor,
        now=current.now(),
    )
    return _response(archived)


def _response(result: Written[Schedule]) -> tuple[ScheduleRow, dict[str, str]]:
    return schedule_list.row_of(result.value), with_log_position(result, version_tag(result.value))
