"""Endpoints about what was sent because of bookings, for their owner."""

from typing import Any

from interface.api.decorators import Blueprint, caller, requires, shows
from interface.web.connection_response_schemas import DeliveryPage
from interface.web.pagination import cursor, start_and_id_of
from interface.web.request_context import services
from interface.web.request_schemas import DeliveryQuery
from projections.reactions.mail import MailReaction
from projections.reactions.webhooks import WebhookReaction

blueprint = Blueprint(
    "deliveries",
    __name__,
    url_prefix="/api/v1/deliveries",
    description="Mails and messages to webhooks: what was sent, what waits, what was given up.",
)


@blueprint.route("")
@requires("bookings")
@shows(MailReaction.name, WebhookReaction.name)
@blueprint.arguments(DeliveryQuery, location="query")
@blueprint.response(200, DeliveryPage)
def list_deliveries(query: dict[str, Any]) -> Any:
    """List deliveries.

    Those that are due last come first. A delivery is `due` until it was `sent`, or `ended` because
    nobody needs it any more. It is `parked` after too many attempts, or one that was refused for
    good, until an operator retries it.
    """
    return page_of_deliveries(query, owner_id=caller().account_id)


def page_of_deliveries(query: dict[str, Any], **which: Any) -> dict[str, Any]:
    """Returns one page of the deliveries that `which` names, as `Deliveries.newest` does."""
    limit = query.pop("limit")
    after = start_and_id_of(query.pop("cursor"))
    found = services().deliveries.newest(limit=limit + 1, after=after, **query, **which)
    page = found[:limit]
    has_more = len(found) > len(page)
    return {
        "items": page,
        "next_cursor": cursor(page[-1].due_at, page[-1].id) if has_more else None,
    }
