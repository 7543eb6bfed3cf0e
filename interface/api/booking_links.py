"""Endpoints for invitees; the token is the only credential."""

from typing import Any

from application.people.rate_limits import TooManyAttempts
from domain.errors import (
    Busy,
    LinkExpired,
    LinkNotFound,
    LinkRedeemed,
    LinkRevoked,
    SlotNotOffered,
    SlotTaken,
)
from interface.api.decorators import (
    Blueprint,
    idempotency_key,
    takes_idempotency_key,
    with_log_position,
)
from interface.api.free_slots import free_slots
from interface.api.openapi import LOG_POSITION, has_etag, refuses
from interface.web.invitation import active_invitation
from interface.web.invitee_response_schemas import BookingLinkOutput, RedemptionOutput, SlotsOutput
from interface.web.rate_limits import limiting_invalid_redemptions
from interface.web.redemption import confirmation, counting_refusals, recording_refusals, redeem
from interface.web.request_schemas import RedeemInput, SlotsQuery

blueprint = Blueprint(
    "booking-links",
    __name__,
    url_prefix="/api/v1/booking-links",
    description="What an invitee can do with a link. The token is the only credential.",
)

REFUSED = (LinkNotFound, LinkRedeemed, LinkExpired, LinkRevoked, TooManyAttempts)


@blueprint.route("/<token>")
@refuses(*REFUSED)
@blueprint.response(200, BookingLinkOutput)
def read(token: str) -> Any:
    """Read an active link.

    Says what can be booked, with whom, and until when. `prefill` has the details of the invitee
    that the owner gave, to fill in a form with. A link that has ended answers 410.
    """
    return active_invitation(token).shown()


@blueprint.route("/<token>/slots")
@blueprint.arguments(SlotsQuery, location="query")
@refuses(*REFUSED)
@has_etag
@blueprint.response(200, SlotsOutput)
def slots(query: dict[str, Any], token: str) -> Any:
    """List the free slots.

    `from` and `to` are dates in `time_zone` and both are included, at most 62 days. By default
    they are today and the 13 days after it, in the calendar's zone. A response has at most 2,000
    slots, of whole days: `next_from` is the `from` of the request for the rest, or null.
    """
    return free_slots(active_invitation(token).open_slots, query)


@blueprint.route("/<token>/redeem", methods=["POST"])
@counting_refusals
@limiting_invalid_redemptions
@blueprint.arguments(RedeemInput)
@takes_idempotency_key
@refuses(*REFUSED, SlotTaken, SlotNotOffered, Busy)
@blueprint.response(201, RedemptionOutput, headers=LOG_POSITION)
def redeem_link(body: dict[str, Any], token: str) -> Any:
    """Book a slot.

    Uses the link up for good. `slot-taken` and `slot-not-offered` leave it active: pick another
    slot. Send an `Idempotency-Key` so that the request can be repeated safely: the same key with
    the same body gets the first response again.
    """
    with recording_refusals(token):
        redeemed = redeem(token, idempotency_key=idempotency_key(), **body)
    return confirmation(redeemed.value), with_log_position(redeemed)
