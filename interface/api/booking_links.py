"""Calls of the invitee: no account, the token is the right."""

from typing import Any

from flask import request

from domain.errors import (
    Busy,
    IdempotencyMismatch,
    Invalid,
    LinkExpired,
    LinkNotFound,
    LinkRedeemed,
    LinkRevoked,
    SlotNotOffered,
    SlotTaken,
    ViewBehind,
)
from interface.api.answers import BookingLinkOutput, RedemptionOutput, SlotsOutput
from interface.api.calls import Blueprint, written
from interface.api.document import LOG_POSITION, reads_header, refuses
from interface.api.schemas import RedeemInput, SlotsQuery
from interface.invitation import confirmation, free_slots, invitation, redeem

blueprint = Blueprint(
    "booking-links",
    __name__,
    url_prefix="/api/v1/booking-links",
    description="What the bearer of a link can do with it.",
)

LONGEST_IDEMPOTENCY_KEY = 255
ENDED = (LinkNotFound, LinkRedeemed, LinkExpired, LinkRevoked)


@blueprint.route("/<token>")
@refuses(*ENDED, ViewBehind)
@blueprint.response(200, BookingLinkOutput)
def read(token: str) -> Any:
    """Read an active link: what can be booked, and with whom."""
    invited = invitation(token)
    invited.must_be_active()
    return {
        "status": invited.link.status,
        "calendar": invited.calendar.terms,
        "host": {"name": invited.host_name},
        "expires_at": invited.link.expires_at,
    }


@blueprint.route("/<token>/slots")
@blueprint.arguments(SlotsQuery, location="query")
@refuses(*ENDED, ViewBehind)
@blueprint.response(200, SlotsOutput)
def slots(query: dict[str, Any], token: str) -> Any:
    """List the free slots."""
    invited = invitation(token)
    invited.must_be_active()
    return {"slots": free_slots(invited, **query)}


@blueprint.route("/<token>/redeem", methods=["POST"])
@blueprint.arguments(RedeemInput)
@reads_header(
    "Idempotency-Key",
    "A repeated key with the same body gets the first answer again.",
    schema={"type": "string", "minLength": 1, "maxLength": LONGEST_IDEMPOTENCY_KEY},
)
@refuses(*ENDED, SlotTaken, SlotNotOffered, IdempotencyMismatch, Invalid, Busy)
@blueprint.response(201, RedemptionOutput, headers=LOG_POSITION)
def redeem_link(given: dict[str, Any], token: str) -> Any:
    """Book a slot; the link is then used up for ever."""
    return confirmation(written(redeem(token, idempotency_key=_idempotency_key(), **given)))


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_IDEMPOTENCY_KEY or not (key.isascii() and key.isprintable()):
        raise Invalid(
            {"Idempotency-Key": [f"Must be 1 to {LONGEST_IDEMPOTENCY_KEY} printable characters."]}
        )
    return key
