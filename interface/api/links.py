"""Endpoints about links, for their owner."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from application.commands.new_link import DEFAULT_LINK_LIFE, NewLink
from application.eventstore.event_sourced_application import Written
from domain.errors import (
    Busy,
    CalendarArchived,
    CalendarNotFound,
    Invalid,
    LinkExpired,
    LinkNotFound,
    LinkRedeemed,
    LinkRevoked,
)
from domain.link import SingleUseLink
from domain.offer import EVERYTHING
from interface.api.calls import address_of
from interface.api.decorators import (
    Blueprint,
    caller,
    idempotency_key,
    may_be_old,
    names_version,
    requires,
    revalidates,
    shows,
    takes_idempotency_key,
    version_read,
    version_tag,
    with_log_position,
)
from interface.api.issuing_refusals import ERASED, LIMITS
from interface.api.openapi import ETAG, LOCATION, LOG_POSITION, refuses
from interface.web.link_presenter import present_issued, present_link, typed_for
from interface.web.owner_response_schemas import (
    BulkRevocationOutput,
    LinkBatchOutput,
    LinkOutput,
    LinkPage,
    RefusedAttemptList,
)
from interface.web.pagination import cursor, position_of
from interface.web.problems import problem_of
from interface.web.request_context import read_database, services
from interface.web.request_schemas import (
    BulkRevokeInput,
    LinkBatchInput,
    LinkChange,
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

_EXAMPLE = {
    "recipient": "Ada Lovelace",
    "note": "First interview",
    "expires_in_days": 14,
    "reference": "candidate-4711",
    "prefill": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "offer": {"duration_minutes": 45},
}


@blueprint.route("/calendars/<uuid:calendar_id>/links", methods=["POST"])
@requires("links")
@blueprint.arguments(LinkInput, required=False, example=_EXAMPLE)
@takes_idempotency_key
@refuses(CalendarNotFound, CalendarArchived, *ERASED, *LIMITS, Busy)
@blueprint.response(201, LinkOutput, headers=LOG_POSITION | ETAG | LOCATION)
def issue(body: dict[str, Any], calendar_id: UUID) -> Any:
    """Issue a single-use link.

    The response holds its `url`, for the invitee's browser, and its `token`, for programs. A link
    expires after 90 days unless the body says otherwise. Recipient, note and reference are for the
    owner alone: invitees never see them. `prefill` is for the invitee: the booking form is filled
    in with it. By default a link offers all slots of its calendar; `offer` limits it to some of
    them, and may give it a duration of its own. Send an `Idempotency-Key` so that the request can
    be repeated safely: the same key of the same account with the same body gets the first response
    again.
    """
    new = _new_link(body)
    try:
        issued = _issue(calendar_id, [new])
    except Invalid as invalid:
        raise Invalid(
            {field.removeprefix("links.0."): why for field, why in invalid.errors.items()}
        ) from None
    (link,) = issued.value
    headers = with_log_position(issued, version_tag(link) | _location(link))
    return present_issued(link, new.typed), headers


@blueprint.route("/calendars/<uuid:calendar_id>/links/batch", methods=["POST"])
@requires("links")
@blueprint.arguments(LinkBatchInput, example={"links": [_EXAMPLE, {"recipient": "Grace Hopper"}]})
@takes_idempotency_key
@refuses(CalendarNotFound, CalendarArchived, *ERASED, *LIMITS, Busy)
@blueprint.response(201, LinkBatchOutput, headers=LOG_POSITION)
def issue_batch(body: dict[str, Any], calendar_id: UUID) -> Any:
    """Issue up to 500 links.

    Issues all of them or none. They are returned in the order of the request. Send an
    `Idempotency-Key` so that the request can be repeated safely.
    """
    new = [_new_link(fields) for fields in body["links"]]
    issued = _issue(calendar_id, new)
    links = zip(issued.value, new, strict=True)
    items = [present_issued(link, each.typed) for link, each in links]
    return {"items": items}, with_log_position(issued)


@blueprint.route("/links")
@requires("links")
@shows(link_list.NAME)
@may_be_old
@revalidates(link_list.NAME, by_the_minute=True)
@blueprint.arguments(LinkQuery, location="query")
@blueprint.response(200, LinkPage)
def list_links(query: dict[str, Any]) -> Any:
    """List links.

    Newest first. `url` and `token` are there only while a link is active.
    """
    current = services()
    rows = link_list.links_of(
        read_database(),
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
@revalidates(link_list.NAME, by_the_minute=True)
@refuses(LinkNotFound)
@blueprint.response(200, LinkOutput, headers=ETAG)
def read(link_id: UUID) -> Any:
    """Read a link.

    `booking` is null until the link is redeemed, and its `invitee` once that person was forgotten.
    The `ETag` of the response names the link's version. A change has to name it, too.
    """
    link = _own(link_id)
    return present_link(link), version_tag(link)


@blueprint.route("/links/<uuid:link_id>", methods=["PATCH"])
@requires("links")
@blueprint.arguments(LinkChange, required=False, example={"note": "Second interview"})
@names_version
@refuses(LinkNotFound, LinkRedeemed, LinkExpired, LinkRevoked, Busy)
@blueprint.response(200, LinkOutput, headers=LOG_POSITION | ETAG)
def change(body: dict[str, Any], link_id: UUID) -> Any:
    """Change a link.

    Fields that the body does not name stay as they are, and null empties a text. What a link
    offers never changes. A link that has ended can't be changed.
    """
    current = services()
    changed = current.links.change(
        link_id=link_id,
        owner_id=caller().account_id,
        expires_at=body.pop("expires_at", None),
        typed=body,
        version=version_read(),
        actor=caller().actor,
        now=current.now(),
    )
    link = changed.value
    return _present(link, typed_for(link)), with_log_position(changed, version_tag(link))


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
    link = revoked.value
    return _present(link, typed_for(link)), with_log_position(revoked)


@blueprint.route("/links/<uuid:link_id>/replace", methods=["POST"])
@requires("links")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@takes_idempotency_key
@refuses(LinkNotFound, LinkRedeemed, LinkRevoked, CalendarArchived, *LIMITS, Busy)
@blueprint.response(201, LinkOutput, headers=LOG_POSITION | ETAG | LOCATION)
def replace(link_id: UUID) -> Any:
    """Replace a link.

    Revokes the link and issues one with the same texts and the same offer that is valid for as
    long, in one step. Send an `Idempotency-Key` so that the request can be repeated safely: without
    one, the link that is replaced was revoked the second time.
    """
    current, now = services(), services().now()
    with current.agent_limits.issuing(
        caller(), 1, request=idempotency_key(), now=now, replaced=link_id
    ) as key:
        replaced = current.links.replace(
            link_id=link_id,
            owner_id=caller().account_id,
            actor=caller().actor,
            now=now,
            idempotency_key=key,
        )
    new = replaced.value
    headers = with_log_position(replaced, version_tag(new) | _location(new))
    return present_issued(new, typed_for(new)), headers


def _own(link_id: UUID) -> LinkRow:
    current = services()
    return link_list.link_of(current.database, caller().account_id, link_id, now=current.now())


def _issue(calendar_id: UUID, links: list[NewLink]) -> Written[list[SingleUseLink]]:
    current, owner = services(), caller()
    now = current.now()
    with current.agent_limits.issuing(owner, len(links), request=idempotency_key(), now=now) as key:
        return current.links.issue(
            calendar_id=calendar_id,
            owner_id=owner.account_id,
            links=links,
            actor=owner.actor,
            now=now,
            idempotency_key=key,
        )


def _new_link(fields: dict[str, Any]) -> NewLink:
    return NewLink(
        recipient=fields.get("recipient"),
        note=fields.get("note"),
        expires_at=fields.get("expires_at"),
        life=timedelta(days=fields.get("expires_in_days", DEFAULT_LINK_LIFE.days)),
        reference=fields.get("reference"),
        prefill=fields.get("prefill"),
        offer=fields.get("offer") or EVERYTHING,
    )


def _present(link: SingleUseLink, typed: dict[str, str]) -> dict[str, Any]:
    """Returns the output of a link that was just written. It has no booking."""
    return present_link(link_list.details_of(link, typed, now=services().now()))


def _location(link: SingleUseLink) -> dict[str, str]:
    return {"Location": address_of("links.read", link_id=link.id)}
