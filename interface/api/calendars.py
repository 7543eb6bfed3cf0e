"""Calls about calendars, for their owner."""

from typing import Any
from uuid import UUID

from flask import request, url_for
from flask.views import MethodView

from application.eventstore.event_sourced_application import Written
from domain.calendar import Calendar
from domain.errors import Busy, CalendarArchived, CalendarNotFound, StaleVersion
from interface.api.decorators import Blueprint, caller, requires, shows, with_log_position
from interface.api.openapi import ETAG, LOCATION, LOG_POSITION, reads_header, refuses
from interface.api.response_schemas import CalendarOutput, CalendarPage
from interface.web.calendar_mapping import changed_terms, new_terms
from interface.web.problems import PreconditionRequired
from interface.web.request_context import services
from interface.web.request_schemas import CalendarChange, CalendarInput, NoFields
from projections.views import calendar_list

blueprint = Blueprint(
    "calendars", __name__, url_prefix="/api/v1/calendars", description="What can be booked."
)


@blueprint.route("")
class Calendars(MethodView):
    """All calendars of an owner."""

    @requires("calendars")
    @shows(calendar_list.NAME)
    @blueprint.response(200, CalendarPage)
    def get(self) -> Any:
        """List calendars, in the order they were created, the archived ones too."""
        return {"items": calendar_list.calendars_of(services().database, caller().account_id)}

    @requires("calendars")
    @blueprint.arguments(CalendarInput)
    @refuses(Busy)
    @blueprint.response(201, CalendarOutput, headers=LOG_POSITION | ETAG | LOCATION)
    def post(self, given: dict[str, Any]) -> Any:
        """Create a calendar."""
        current = services()
        created = current.calendars.create(
            owner_id=caller().account_id,
            terms=new_terms(given),
            actor=caller().actor,
            now=current.now(),
        )
        location = url_for("calendars.OneCalendar", calendar_id=created.value.id)
        calendar, headers = _response(created)
        return calendar, headers | {"Location": location}


@blueprint.route("/<uuid:calendar_id>")
class OneCalendar(MethodView):
    """One calendar."""

    @requires("calendars")
    @shows(calendar_list.NAME)
    @refuses(CalendarNotFound)
    @blueprint.response(200, CalendarOutput, headers=ETAG)
    def get(self, calendar_id: UUID) -> Any:
        """Read a calendar; its ETag is what a change has to name."""
        found = calendar_list.calendar_of(services().database, caller().account_id, calendar_id)
        return found, {"ETag": f'"{found.version}"'}

    @requires("calendars")
    @blueprint.arguments(CalendarChange)
    @reads_header(
        "If-Match",
        "The ETag of the version that you know, or * for any.",
        required=True,
        schema={"type": "string"},
    )
    @refuses(CalendarNotFound, CalendarArchived, PreconditionRequired, StaleVersion, Busy)
    @blueprint.response(200, CalendarOutput, headers=LOG_POSITION | ETAG)
    def patch(self, given: dict[str, Any], calendar_id: UUID) -> Any:
        """Change the fields that are given; the others stay."""
        current = services()
        changed = current.calendars.change(
            calendar_id=calendar_id,
            owner_id=caller().account_id,
            change=lambda terms: changed_terms(terms, given),
            version=_known_version(),
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
    """Archive a calendar: no new links; those already sent work until they end."""
    current = services()
    archived = current.calendars.archive(
        calendar_id=calendar_id,
        owner_id=caller().account_id,
        actor=caller().actor,
        now=current.now(),
    )
    return _response(archived)


def _response(result: Written[Calendar]) -> tuple[Calendar, dict[str, str]]:
    return result.value, with_log_position(result, {"ETag": f'"{result.value.version}"'})


def _known_version() -> int | None:
    """The version named in If-Match, the newest of several; None for *, which is any."""
    if "If-Match" not in request.headers:
        raise PreconditionRequired
    if request.if_match.star_tag:
        return None
    # Weak tags are not in here: they never match. Neither does version 0.
    tags = (tag for tag in request.if_match if tag.isascii() and tag.isdigit() and len(tag) < 19)
    return max(map(int, tags), default=0)
