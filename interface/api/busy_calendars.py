"""Endpoints about calendars elsewhere, for the owner who wants to keep their busy times free."""

from typing import Any
from uuid import UUID

from application.busy_calendars.busy_calendars import BusyCalendarNotFound
from application.outgoing import AddressNotAllowed
from domain.errors import Invalid
from interface.api.calls import address_of
from interface.api.decorators import Blueprint, caller, requires
from interface.api.openapi import LOCATION, refuses
from interface.web.connection_response_schemas import BusyCalendarList, BusyCalendarOutput
from interface.web.request_context import services
from interface.web.request_schemas import BusyCalendarInput, NoFields

blueprint = Blueprint(
    "busy-calendars",
    __name__,
    url_prefix="/api/v1/busy-calendars",
    description="Calendars elsewhere. At their busy times, no slots are offered.",
)


@blueprint.route("")
@requires("calendars")
@blueprint.response(200, BusyCalendarList)
def list_calendars() -> Any:
    """List calendars elsewhere.

    In the order in which they were added.
    """
    return {"items": services().busy_calendars.all(caller().account_id)}


@blueprint.route("", methods=["POST"])
@requires("calendars")
@blueprint.arguments(BusyCalendarInput)
@refuses(AddressNotAllowed, Invalid)
@blueprint.response(201, BusyCalendarOutput, headers=LOCATION)
def create(body: dict[str, Any]) -> Any:
    """Add a calendar elsewhere.

    `url` is the address of an iCalendar file, with http, https or webcal. It is a secret and is
    never shown in full again. The calendar is read within seconds, and then about every ten
    minutes: its busy times of the next 366 days count. An owner has at most 10.
    """
    current = services()
    added = current.busy_calendars.add(
        owner_id=caller().account_id, url=body["url"], name=body["name"], now=current.now()
    )
    return added, {"Location": address_of("busy-calendars.read", calendar_id=added.id)}


@blueprint.route("/<uuid:calendar_id>")
@requires("calendars")
@refuses(BusyCalendarNotFound)
@blueprint.response(200, BusyCalendarOutput)
def read(calendar_id: UUID) -> Any:
    """Read what is known of a calendar elsewhere.

    While `problem` is not null, the calendar can't be read; what was read at `last_read_at` counts.
    """
    return services().busy_calendars.one(caller().account_id, calendar_id)


@blueprint.route("/<uuid:calendar_id>", methods=["DELETE"])
@requires("calendars")
@refuses(BusyCalendarNotFound)
@blueprint.response(204)
def remove(calendar_id: UUID) -> None:
    """Remove a calendar elsewhere.

    Its busy times no longer count.
    """
    services().busy_calendars.remove(caller().account_id, calendar_id)


@blueprint.route("/<uuid:calendar_id>/read", methods=["POST"])
@requires("calendars")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(BusyCalendarNotFound)
@blueprint.response(202, BusyCalendarOutput)
def read_now(calendar_id: UUID) -> Any:
    """Read a calendar elsewhere now.

    It is read within seconds after this response: `last_read_at` or `problem` tells the outcome.
    """
    current = services()
    current.busy_calendars.ask_to_read(caller().account_id, calendar_id, now=current.now())
    return current.busy_calendars.one(caller().account_id, calendar_id)
