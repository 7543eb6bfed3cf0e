"""Calls about calendars, for their owner."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import request, url_for
from flask.views import MethodView

from application.log import Written
from domain.booking_rules import BookingRules, sorted_availability
from domain.calendar import Calendar, CalendarTerms
from domain.errors import StaleVersion
from interface.api.calls import Blueprint, caller, requires, shows, written
from interface.api.problems import PreconditionRequired
from interface.api.schemas import CalendarChange, CalendarInput, CalendarOutput, CalendarPage
from interface.current import services
from projections import calendar_list

blueprint = Blueprint(
    "calendars", __name__, url_prefix="/api/v1/calendars", description="What can be booked."
)

_WORDS = ("name", "location", "description")


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
    @blueprint.response(201, CalendarOutput)
    def post(self, given: dict[str, Any]) -> Any:
        """Create a calendar."""
        current = services()
        created = current.bookings.create_calendar(
            owner_id=caller().account_id,
            terms=new_terms(given),
            actor=caller().actor,
            now=current.now(),
        )
        calendar, headers = _answer(created)
        location = url_for("calendars.OneCalendar", calendar_id=calendar.id)
        return calendar, headers | {"Location": location}


@blueprint.route("/<uuid:calendar_id>")
class OneCalendar(MethodView):
    """One calendar."""

    @requires("calendars")
    @shows(calendar_list.NAME)
    @blueprint.response(200, CalendarOutput)
    def get(self, calendar_id: UUID) -> Any:
        """Read a calendar; its ETag is what a change has to name."""
        found = calendar_list.calendar_of(services().database, caller().account_id, calendar_id)
        return found, {"ETag": f'"{found.version}"'}

    @requires("calendars")
    @blueprint.arguments(CalendarChange)
    @blueprint.response(200, CalendarOutput)
    def patch(self, given: dict[str, Any], calendar_id: UUID) -> Any:
        """Change what is given and leave the rest; If-Match names the version you know."""
        current = services()
        changed = current.bookings.change_calendar(
            calendar_id=calendar_id,
            owner_id=caller().account_id,
            change=lambda terms: changed_terms(terms, given),
            version=_version_in_if_match(),
            actor=caller().actor,
            now=current.now(),
        )
        return _answer(changed)


@blueprint.route("/<uuid:calendar_id>/archive", methods=["POST"])
@requires("calendars")
@blueprint.response(200, CalendarOutput)
def archive(calendar_id: UUID) -> Any:
    """Take no new links; those already sent still work until they end."""
    current = services()
    archived = current.bookings.archive_calendar(
        calendar_id=calendar_id,
        owner_id=caller().account_id,
        actor=caller().actor,
        now=current.now(),
    )
    return _answer(archived)


def new_terms(given: dict[str, Any]) -> CalendarTerms:
    """Terms from all fields of a calendar; a slot starts every duration unless said otherwise."""
    values = {"start_increment_minutes": given["duration_minutes"]} | given
    words = {name: values.pop(name) for name in _WORDS if name in values}
    values["availability"] = sorted_availability(values["availability"])
    return CalendarTerms(rules=BookingRules(**values), **words)


def changed_terms(terms: CalendarTerms, given: dict[str, Any]) -> CalendarTerms:
    """Terms with the given fields instead of their own."""
    words = {name: given[name] for name in _WORDS if name in given}
    rules = {name: value for name, value in given.items() if name not in _WORDS}
    if "availability" in rules:
        rules["availability"] = sorted_availability(rules["availability"])
    return replace(terms, rules=replace(terms.rules, **rules), **words)


def _answer(result: Written[Calendar]) -> tuple[Calendar, dict[str, str]]:
    calendar = written(result)
    return calendar, {"ETag": f'"{calendar.version}"'}


def _version_in_if_match() -> int:
    if "If-Match" not in request.headers:
        raise PreconditionRequired
    tags = [tag for tag in request.if_match if tag.isascii() and tag.isdigit() and len(tag) < 19]
    if len(tags) != 1:
        raise StaleVersion  # a tag that was never given out matches no version
    return int(tags[0])
