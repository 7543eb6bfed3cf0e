"""Endpoints about links, for their owner."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import url_for

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
    "links",
    __name__,
    url_prefix="/api/v1",
    description="Single-use links: invitations, each for one booking.",
)


_EXAMPLE = {"recipient": "Ada Lovelace", "note": "First interview", "expires_in_days": 14}


@blueprint.route("/calendars/<uuid:calendar_id>/links", methods=["POST"])
@requires("links")
@blueprint.arguments(LinkInput, required=False, example=_EXAMPLE)
@refuses(CalendarNotFound, CalendarArchived, Busy)
@blueprint.response(201, LinkOutput, headers=LOG_POSITION | LOCATION)
def issue(body: dict[str, Any], calendar_id: UUID) -> Any:
    """Issue a single-use link.

    The response holds its `url`, for the invitee's browser, and its `token`, for programs. A link
    expires after 90 days unless the body says otherwise. Recipient and note are for the owner
    alone: invitees never see them.
    """
    try:
        issued = _issue(calendar_id, [body])
    except Invalid as invalid:
        raise Invalid(
            {field.removeprefix("links.0."): why for field, why in invalid.errors.items()}
        ) from None
    (link,) = issued.value
    return _present(link, body), with_log_position(issued, _location(link))


@blueprint.route("/calendars/<uuid:calendar_id>/links/batch", methods=["POST"])
@requires("links")
@blueprint.arguments(LinkBatchInput, example={"links": [_EXAMPLE, {"recipient": "Grace Hopper"}]})
@refuses(CalendarNotFound, CalendarArchived, Busy)
@blueprint.response(201, LinkBatchOutput, headers=LOG_POSITION)
def issue_batch(body: dict[str, Any], calendar_id: UUID) -> Any:
    """Issue up to 500 links.

    Issues all of them or none. They are returned in the order of the request.
    """
    issued = _issue(calendar_id, body["links"])
    links = zip(issued.value, body["links"], strict=True)
    return {"items": [_present(link, typed) for link, typed in links]}, with_log_position(issued)


@blueprint.route("/links")
@requires("links")
@shows(link_list.NAME)
@blueprint.arguments(LinkQuery, location="query")
@blueprint.response(200, LinkPage)
def list_links(query: dict[str, Any]) -> Any:
    """List links.

    Newest first. `url` and `token` are there only while a link is active.
    """
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
    has_more = len(rows) > len(page)
    return {
        "items": [present_link(row) for row in page],
        "next_cursor": cursor(page[-1].position) if has_more else None,
    }


@blueprint.route("/links/<uuid:link_id>")
@requires("links")
@shows(link_list.NAME)
@refuses(LinkNotFound)
@blueprint.response(200, LinkOutput)
def read(link_id: UUID) -> Any:
    """Read a link.

    `booking` is null until the link is redeemed, and its `invitee` once that person was forgotten.
    """
    return present_link(_own(link_id))


@blueprint.route("/links/<uuid:link_id>/refused-attempts")
@requires("links")
@shows(link_list.NAME)
@refuses(LinkNotFound)
@blueprint.response(200, RefusedAttemptList)
def refused_attempts(link_id: UUID) -> Any:
    """List refused attempts to book with a link.

    The newest 100, newest first. They are stored for `ADMITONE_ATTEMPTS_DAYS`, 90 by default.
    """
    return {"items": services().refused_attempts.newest(_own(link_id).id)}


@blueprint.route("/links/revoke", methods=["POST"])
@requires("links")
@blueprint.arguments(BulkRevokeInput)
@refuses(Busy)
@blueprint.response(200, BulkRevocationOutput, headers=LOG_POSITION)
def revoke_many(body: dict[str, Any]) -> Any:
    """Revoke up to 500 links.

    A link that can't be revoked does not stop the others: `unchanged` names it with the reason,
    which is `link-redeemed`, `link-revoked` or `not-found`. The others are revoked together.
    """
    current = services()
    result = current.links.revoke_many(
        link_ids=body["ids"],
        owner_id=caller().account_id,
        reason=body["reason"],
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
def revoke(body: dict[str, Any], link_id: UUID) -> Any:
    """Revoke a link.

    It can no longer book. A link that was used can't be revoked. Revoking again changes nothing.
    """
    current = services()
    revoked = current.links.revoke(
        link_id=link_id,
        owner_id=caller().account_id,
        reason=body["reason"],
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
    """Replace a link.

    Revokes the link and issues one with the same recipient and note that is valid for as long, in
    one step.
    """
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
        links=[_new_link(fields, now) for fields in links],
        actor=caller().actor,
        now=now,
    )


def _new_link(fields: dict[str, Any], now: datetime) -> NewLink:
    expires_at = fields.get("expires_at")
    if "expires_in_days" in fields:
        expires_at = now + timedelta(days=fields["expires_in_days"])
    return NewLink(fields.get("recipient"), fields.get("note"), expires_at)


def _typed(link_id: UUID) -> dict[str, str]:
    row = personal_data.find(services().database, link_id)
    return row.data if row else {}


def _present(link: SingleUseLink, typed: dict[str, Any]) -> dict[str, Any]:
    """Returns the output of a link that was just written. It has no booking."""
    return present_link(link_list.details_of(link, typed, now=services().now()))


def _location(link: SingleUseLink) -> dict[str, str]:
    return {"Location": url_for("links.read", link_id=link.id)}
