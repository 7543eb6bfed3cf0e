"""Calls about links, for their owner."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import url_for
from flask.views import MethodView

from application import personal_data
from application.bookings import NewLink
from domain.errors import (
    Busy,
    CalendarArchived,
    CalendarNotFound,
    Invalid,
    LinkNotFound,
    LinkRedeemed,
    LinkRevoked,
)
from domain.link import LinkStatus, SingleUseLink
from interface.api.answers import LinkBatchOutput, LinkOutput, LinkPage, RefusedAttempts
from interface.api.calls import Blueprint, caller, requires, shows, written
from interface.api.document import LOCATION, LOG_POSITION, refuses
from interface.api.paging import cursor, position_of
from interface.api.schemas import LinkBatchInput, LinkInput, LinkQuery, NoFields, RevokeInput
from interface.current import services
from projections import link_list
from projections.link_list import LinkRow

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
        (link,) = _issued(calendar_id, [given])
    except Invalid as invalid:
        raise Invalid(
            {field.removeprefix("links.0."): why for field, why in invalid.errors.items()}
        ) from None
    return link, {"Location": url_for("links.read", link_id=link["id"])}


@blueprint.route("/calendars/<uuid:calendar_id>/links/batch", methods=["POST"])
@requires("links")
@blueprint.arguments(LinkBatchInput)
@refuses(CalendarNotFound, CalendarArchived, Busy)
@blueprint.response(201, LinkBatchOutput, headers=LOG_POSITION)
def issue_batch(given: dict[str, Any], calendar_id: UUID) -> Any:
    """Issue up to 500 links, all or none."""
    return {"items": list(_issued(calendar_id, given["links"]))}


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
            "items": [shown_row(row) for row in page],
            "next_cursor": cursor(page[-1].position) if more else None,
        }


@blueprint.route("/links/<uuid:link_id>")
@requires("links")
@shows(link_list.NAME)
@refuses(LinkNotFound)
@blueprint.response(200, LinkOutput)
def read(link_id: UUID) -> Any:
    """Read a link."""
    return shown_row(_own(link_id))


@blueprint.route("/links/<uuid:link_id>/refused-attempts")
@requires("links")
@shows(link_list.NAME)
@refuses(LinkNotFound)
@blueprint.response(200, RefusedAttempts)
def refused_attempts(link_id: UUID) -> Any:
    """List the attempts to book with a link that were refused: the newest 100, for a time."""
    return {"items": services().attempts.newest(_own(link_id).id)}


@blueprint.route("/links/<uuid:link_id>/revoke", methods=["POST"])
@requires("links")
@blueprint.arguments(RevokeInput, required=False)
@refuses(LinkNotFound, LinkRedeemed, Busy)
@blueprint.response(200, LinkOutput, headers=LOG_POSITION)
def revoke(given: dict[str, Any], link_id: UUID) -> Any:
    """End a link before it is used. Again: unchanged."""
    current = services()
    revoked = current.bookings.revoke_link(
        link_id=link_id,
        owner_id=caller().account_id,
        reason=given["reason"],
        actor=caller().actor,
        now=current.now(),
    )
    return _shown(written(revoked), **_typed(link_id))


@blueprint.route("/links/<uuid:link_id>/replace", methods=["POST"])
@requires("links")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(LinkNotFound, LinkRedeemed, LinkRevoked, CalendarArchived, Busy)
@blueprint.response(201, LinkOutput, headers=LOG_POSITION | LOCATION)
def replace(link_id: UUID) -> Any:
    """Revoke a link and issue one like it, with as long a life."""
    current = services()
    link = written(
        current.bookings.replace_link(
            link_id=link_id,
            owner_id=caller().account_id,
            actor=caller().actor,
            now=current.now(),
        )
    )
    return _shown(link, **_typed(link.id)), {"Location": url_for("links.read", link_id=link.id)}


def link_url(token: str) -> str:
    """Where the bearer of a link's token books."""
    return f"{services().settings.public_url}/b/{token}"


def shown_row(row: LinkRow) -> dict[str, Any]:
    """A link of the list, as an owner sees it."""
    shown = {name: getattr(row, name) for name in row.__dataclass_fields__}
    return shown | _right_to_book(row.id, row.status)


def _own(link_id: UUID) -> LinkRow:
    current = services()
    return link_list.link_of(current.database, caller().account_id, link_id, now=current.now())


def _issued(calendar_id: UUID, wishes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    current = services()
    now = current.now()
    issued = written(
        current.bookings.issue_links(
            calendar_id=calendar_id,
            owner_id=caller().account_id,
            links=[_wish(given, now) for given in wishes],
            actor=caller().actor,
            now=now,
        )
    )
    for link, given in zip(issued, wishes, strict=True):
        yield _shown(link, recipient=given.get("recipient"), note=given.get("note"))


def _wish(given: dict[str, Any], now: datetime) -> NewLink:
    expires_at = given.get("expires_at")
    if "expires_in_days" in given:
        expires_at = now + timedelta(days=given["expires_in_days"])
    return NewLink(given.get("recipient"), given.get("note"), expires_at)


def _typed(link_id: UUID) -> dict[str, str | None]:
    row = personal_data.find(services().database, link_id)
    data = row.data if row else {}
    return {"recipient": data.get("recipient"), "note": data.get("note")}


def _shown(link: SingleUseLink, *, recipient: str | None, note: str | None) -> dict[str, Any]:
    """A link that was just written. None of these has a booking: they are no longer revocable."""
    status = link.status(services().now())
    return {
        "id": link.id,
        "status": status,
        "calendar_id": link.calendar_id,
        "recipient": recipient or None,
        "note": note or None,
        "issued_at": link.created_on,
        "expires_at": link.expires_at,
        "redeemed_at": None,
        "revoked_at": link.modified_on if link.is_revoked else None,
        "replaced_by": link.replaced_by,
        "booking": None,
    } | _right_to_book(link.id, status)


def _right_to_book(link_id: UUID, status: LinkStatus) -> dict[str, str]:
    if status is not LinkStatus.ACTIVE:
        return {}
    token = services().tokens.for_link(link_id)
    return {"url": link_url(token), "token": token}
