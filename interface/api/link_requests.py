"""Endpoints about requests for a new link, for their owner."""

from typing import Any
from uuid import UUID

from application.link_requests import LinkRequestNotFound
from domain.errors import Busy, CalendarArchived, IdempotencyMismatch
from interface.api.calls import address_of
from interface.api.decorators import (
    Blueprint,
    caller,
    requires,
    version_tag,
    with_log_position,
)
from interface.api.issuing_refusals import ERASED, LIMITS
from interface.api.openapi import ETAG, LOCATION, LOG_POSITION, refuses
from interface.web.link_presenter import present_issued, typed_for
from interface.web.owner_response_schemas import LinkOutput, LinkRequestList
from interface.web.request_context import services
from interface.web.request_schemas import NoFields

blueprint = Blueprint(
    "link-requests",
    __name__,
    url_prefix="/api/v1/link-requests",
    description="People who ask for a new link, because theirs has ended or nothing is free.",
)


@blueprint.route("")
@requires("links")
@blueprint.response(200, LinkRequestList)
def list_requests() -> Any:
    """List requests for a new link.

    The oldest 100, the oldest first, at most one for each link. A request is stored until it is
    answered or dismissed, and for 90 days at most. Whoever has a link can ask, so its name and
    address are what somebody has typed, and not proved.
    """
    return {"items": services().link_requests.all(caller().account_id)}


@blueprint.route("/<uuid:link_id>/answer", methods=["POST"])
@requires("links")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(LinkRequestNotFound, CalendarArchived, *ERASED, IdempotencyMismatch, *LIMITS, Busy)
@blueprint.response(201, LinkOutput, headers=LOG_POSITION | ETAG | LOCATION)
def answer(link_id: UUID) -> Any:
    """Answer a request with a new link.

    Issues a link of the same calendar and duration that is valid for as long as the old one was,
    and sends it to the address of the request, if there is one. It offers all slots of the
    calendar. If the response is lost, look for the link in the list: answering again is refused
    with 404 and issues nothing.
    """
    current = services()
    request = current.link_requests.one(caller().account_id, link_id)
    with current.agent_limits.issuing(caller(), 1, request=request.key, now=current.now()):
        answered = current.request_answers.answer(request, actor=caller().actor, now=current.now())
    link = answered.value
    headers = version_tag(link) | {"Location": address_of("links.read", link_id=link.id)}
    return present_issued(link, typed_for(link)), with_log_position(answered, headers)


@blueprint.route("/<uuid:link_id>", methods=["DELETE"])
@requires("links")
@refuses(LinkRequestNotFound)
@blueprint.response(204)
def dismiss(link_id: UUID) -> None:
    """Dismiss a request.

    Deletes it without a new link. Nobody is told.
    """
    requests, owner_id = services().link_requests, caller().account_id
    requests.dismiss(owner_id, requests.one(owner_id, link_id).link_id)
