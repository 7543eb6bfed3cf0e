"""The decision to redeem a link, as a function of everything that it depends on.

The order of refusals is fixed, because people are told the first one: a repeated request is
answered as before; then the link's own state, then what the calendar offers, then the
owner's agenda. Whoever lost the link hears of that, and not of the slot.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from domain.agenda import AgendaDay
from domain.availability import is_offered
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import IdempotencyMismatch, LinkRedeemed, SlotNotOffered, SlotTaken
from domain.link import SingleUseLink
from domain.offer import EVERYTHING, Offer
from domain.slot import Reservation


class RedemptionRequest(NamedTuple):
    """The request of the bearer of a link. `start` and `now` are UTC.

    `personal_data` commits to what the invitee typed; `idempotency_key` is the SHA-256 of
    the key that came with the request, if any.
    """

    start: datetime
    personal_data: str
    idempotency_key: str | None
    actor: str
    now: datetime


def offered_reservation(
    calendar: Calendar, offer: Offer | None, request: RedemptionRequest
) -> Reservation | None:
    """Returns the slot asked for with its buffers, or None if it is not offered.

    It has to be offered by the calendar, and by the link, whose `offer` never changes.
    """
    offer = offer or EVERYTHING
    rules = offer.rules(calendar.terms.rules)
    try:
        slot = rules.slot_at(request.start)
    except SlotNotOffered:
        return None
    if not is_offered(rules, slot, now=request.now, offer=offer):
        return None
    return rules.reservation(slot)


def is_repeat(link: SingleUseLink, request: RedemptionRequest) -> bool:
    """Returns True if the link was redeemed by this very request, as its idempotency key says."""
    return request.idempotency_key is not None and link.idempotency_key == request.idempotency_key


def confirm_repeat(made: Booking, *, start: datetime, personal_data: str | None) -> None:
    """Checks that a repeated request asks for the same slot and person as the first one.

    `made` is the first version of the booking. `personal_data` commits to what the invitee
    typed this time, with the salt of the first time. It is None once the invitee is forgotten:
    nobody can be recognised as them any more, and to everybody the link is simply used.

    Raises `LinkRedeemed` or `IdempotencyMismatch`.
    """
    if personal_data is None:
        raise LinkRedeemed
    if made.slot.start != start or made.personal_data != personal_data:
        raise IdempotencyMismatch


def redeem(
    request: RedemptionRequest,
    *,
    link: SingleUseLink,
    calendar: Calendar,
    reservation: Reservation | None,
    agenda: Iterable[AgendaDay],
    is_busy_elsewhere: bool,
) -> Booking:
    """Uses the link up, reserves the time and makes the booking.

    `reservation` comes from `offered_reservation`, and `agenda` holds the owner's agenda of
    every UTC day that it touches. `is_busy_elsewhere` says that another calendar of the owner's
    has something at the time of the reservation. All aggregates are changed together or, when
    this raises, must be thrown away together.

    Raises `LinkRedeemed`, `LinkRevoked`, `LinkExpired`, `SlotNotOffered` or `SlotTaken`.
    """
    link.must_be_active(request.now)
    if reservation is None:
        raise SlotNotOffered
    booking_id = Booking.id_for(link.id)
    for day in agenda:
        day.reserve(booking_id, reservation, actor=request.actor, now=request.now)
    if is_busy_elsewhere:
        raise SlotTaken
    link.redeem(
        booking_id,
        reservation.slot,
        idempotency_key=request.idempotency_key,
        actor=request.actor,
        now=request.now,
    )
    return Booking.make(
        link_id=link.id,
        owner_id=calendar.owner_id,
        calendar_id=calendar.id,
        calendar_version=calendar.version,
        slot=reservation.slot,
        personal_data=request.personal_data,
        actor=request.actor,
        now=request.now,
    )
