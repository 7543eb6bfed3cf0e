"""Endpoints about links, for their owner."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import url_for
from flask.views import MethodView

from application.commands.links import NewLink
from application.eventstore.event_sourced_application import Written
from application.people import personal_data
from domain.errors import (
    Busy,
    CalendarArchived,
    CalendarNotFound,
    Invalid,
    LinkNotFound,
    LinkRedeemed,
    LinkRevoked,
)
from domain.link import SingleUseLink
from interface.api.decorators import Blueprint, caller, requires, shows, with_log_position
from interface.api.openapi import LOCATION, LOG_POSITION, refuses
from interface.api.response_schemas import (
    BulkRevocationOutput,
    LinkBatchOutput,
    LinkOutput,
    LinkPage,
    RefusedAttemptList,
)
from interface.web.link_presenter import present_link
from interface.web.pagination import cursor, position_of
from interface.web.problems import problem_of
from interface.web.request_context import services
from interface.web.request_schemas import (
    BulkRevokeInput,
    LinkBatchInput,
    LinkInput,
    LinkQuery,
    NoFields,
    RevokeInput,
)
from projections.views import link_list
from projections.views.link_list import LinkRow

blueprint = Blueprint(
    "links", __name__, url_prefix="/api/v1", description="Invitations, each for one booking."
)


@blueprint.route("/calendars/<uuid:calendar_id>/links", methods=["POST"])
@requires("links")
@blueprint.arguments(LinkInput, required=False)
@refuses(CalendarNotFound, CalendarArchived, Busy)
@blueprint.response(201, LinkOutput, headers=LOG_POSITION | LOCATION)
def issue(given: dict[str, Any], calendar_id: UUID) -> Any:
    """Issue a link."""
    try:
        issued = _issue(calendar_id, [given])
    except Invalid as invalid:
        raise Invalid(
            {field.removeprefix("links.0."): why for field, why in invalid.errors.items()}
        ) from None
    (link,) = issued.value
    return _present(link, given), with_log_position(issued, _location(link))


@blueprint.route("/calendars/<uuid:calendar_id>/links/batch", methods=["POST"])
@requires("links")
@blueprint.arguments(LinkBatchInput)
@refuses(CalendarNotFound, CalendarArchived, Busy)
@blueprint.response(201, LinkBatchOutput, headers=LOG_POSITION)
def issue_batch(given: dict[str, Any], calendar_id: UUID) -> Any:
    """Issue up to 500 links, all or none."""
    issued = _issue(calendar_id, given["links"])
    links = zip(issued.value, given["links"], strict=True)
    return {"items": [_present(link, typed) for link, typed in links]}, with_log_position(issued)


@blueprint.route("/links")
class Links(MethodView):
    """The owner's list of links."""

    @requires("links")
    @shows(link_list.NAME)
    @blueprint.arguments(LinkQuery, location="query")
    @blueprint.response(200, LinkPage)
    def get(self, query: dict[str, Any]) -> Any:
        """List links, newest first."""
        current = services()
        rows = link_list.links_of(
            current.database,
            caller().account_id,
            now=current.now(),
            limit=query["limit"] + 1,
            status=query["status"],
            calendar_id=query["calendar_id"],
            q=query["q"],
            before=position_of(query["cursor"]),
        )
        page = rows[: query["limit"]]
        more = len(rows) > len(page)
        return {
            "items": [present_link(row) for row in page],
            "next_cursor": cursor(page[-1].position) if more else None,
        }


@blueprint.route("/links/<uuid:link_id>")
@requires("links")
@shows(link_list.NAME)
@refuses(LinkNotFound)
@blueprint.response(200, LinkOutput)
def read(link_id: UUID) -> Any:
    """Read a link."""
    return present_link(_own(link_id))


@blueprint.route("/links/<uuid:link_id>/refused-attempts")
@requires("links")
@shows(link_list.NAME)
@refuses(LinkNotFound)
@blueprint.response(200, RefusedAttemptList)
def refused_attempts(link_id: UUID) -> Any:
    """List refused attempts to book with a link: the newest 100, stored for a limited time."""
    return {"items": services().refused_attempts.newest(_own(link_id).id)}


@blueprint.route("/links/revoke", methods=["POST"])
@requires("links")
@blueprint.arguments(BulkRevokeInput)
@refuses(Busy)
@blueprint.response(200, BulkRevocationOutput, headers=LOG_POSITION)
def revoke_many(given: dict[str, Any]) -> Any:
    """Revoke up to 500 links, each on its own; those that can't be are named with the reason."""
    current = services()
    result = current.links.revoke_many(
        link_ids=given["ids"],
        owner_id=caller().account_id,
        reason=given["reason"],
        actor=caller().actor,
        now=current.now(),
    )
    unchanged = [
        {"id": link_id, "reason": problem_of(type(refusal), owner=True).slug}
        for link_id, refusal in result.value.unchanged.items()
    ]
    return {"revoked": result.value.revoked, "unchanged": unchanged}, with_log_position(result)


@blueprint.route("/links/<uuid:link_id>/revoke", methods=["POST"])
@requires("links")
@blueprint.arguments(RevokeInput, required=False)
@refuses(LinkNotFound, LinkRedeemed, Busy)
@blueprint.response(200, LinkOutput, headers=LOG_POSITION)
def revoke(given: dict[str, Any], link_id: UUID) -> Any:
    """Revoke a link before it is used. A revoked link stays as it is."""
    current = services()
    revoked = current.links.revoke(
        link_id=link_id,
        owner_id=caller().account_id,
        reason=given["reason"],
        actor=caller().actor,
        now=current.now(),
    )
    return _present(revoked.value, _typed(link_id)), with_log_position(revoked)


@blueprint.route("/links/<uuid:link_id>/replace", methods=["POST"])
@requires("links")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(LinkNotFound, LinkRedeemed, LinkRevoked, CalendarArchived, Busy)
@blueprint.response(201, LinkOutput, headers=LOG_POSITION | LOCATION)
def replace(link_id: UUID) -> Any:
    """Revoke a link and issue one like it, valid for as long."""
    current = services()
    replaced = current.links.replace(
        link_id=link_id,
        owner_id=caller().account_id,
        actor=caller().actor,
        now=current.now(),
    )
    new = replaced.value
    return _present(new, _typed(new.id)), with_log_position(replaced, _location(new))


def _own(link_id: UUID) -> LinkRow:
    current = services()
    return link_list.link_of(current.database, caller().account_id, link_id, now=current.now())


def _issue(calendar_id: UUID, links: list[dict[str, Any]]) -> Written[list[SingleUseLink]]:
    current = services()
    now = current.now()
    return current.links.issue(
        calendar_id=calendar_id,
        owner_id=caller().account_id,
        links=[_new_link(given, now) for given in links],
        actor=caller().actor,
        now=now,
    )


def _new_link(given: dict[str, Any], now: datetime) -> NewLink:
    expires_at = given.get("expires_at")
    if "expires_in_days" in given:
        expires_at = now + timedelta(days=given["expires_in_days"])
    return NewLink(given.get("recipient"), given.get("note"), expires_at)


def _typed(link_id: UUID) -> dict[str, str]:
    row = personal_data.find(services().database, link_id)
    return row.data if row else {}


def _present(link: SingleUseLink, typed: dict[str, Any]) -> dict[str, Any]:
    """Presents a link that was just written. None of these has a booking."""
    return present_link(link_list.details_of(link, typed, now=services().now()))


def _location(link: SingleUseLink) -> dict[str, str]:
    return {"Location": url_for("links.read", link_id=link.id)}
