"""The decision to issue a link for a calendar, as a function of everything that it depends on.

A repeated request is recognised by its idempotency key, and is answered as before.
"""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.availability import is_offered
from domain.booking_rules import LIMITS, BookingRules
from domain.calendar import Calendar
from domain.errors import IdempotencyMismatch, Invalid, Sentence, SlotNotOffered
from domain.link import SingleUseLink
from domain.offer import EVERYTHING, MOST_OFFERED_SLOTS, Offer


def issue(
    calendar: Calendar,
    *,
    link_id: UUID,
    expires_at: datetime,
    offer: Offer,
    personal_data: str | None,
    actor: str,
    now: datetime,
    idempotency_key: str | None = None,
) -> SingleUseLink:
    """Issues a link that offers the part of the calendar that `offer` describes.

    Raises `CalendarArchived`, or `Invalid` as `SingleUseLink.issue` and `check_offer` do.
    """
    calendar.must_take_links()
    check_offer(offer, calendar.terms.rules, now=now)
    return SingleUseLink.issue(
        link_id=link_id,
        owner_id=calendar.owner_id,
        calendar_id=calendar.id,
        expires_at=expires_at,
        offer=None if offer == EVERYTHING else offer,
        personal_data=personal_data,
        idempotency_key=idempotency_key,
        actor=actor,
        now=now,
    )


def confirm_repeat(
    first: SingleUseLink,
    *,
    idempotency_key: str,
    calendar_id: UUID,
    expires_at: datetime,
    offer: Offer,
    personal_data: str | None,
) -> None:
    """Checks that a repeated request asks for the same link as the first one.

    `first` is the first version of the link. `personal_data` commits to what was typed this time,
    with the salt of the first time; `expires_at` counts from when the link was issued.

    Raises `IdempotencyMismatch`.
    """
    issued = first.issuing_key, first.calendar_id, first.expires_at, first.personal_data
    if issued != (idempotency_key, calendar_id, expires_at, personal_data):
        raise IdempotencyMismatch
    if (first.offer or EVERYTHING) != offer:
        raise IdempotencyMismatch


def check_offer(offer: Offer, rules: BookingRules, *, now: datetime) -> None:
    """Checks the limits of an offer, and that the calendar offers each slot, reserved or not.

    Raises `Invalid` with every fault, by the dotted path of its field. Slots are checked once
    days and duration are right, because they depend on both.
    """
    errors = _faults_of_limits(offer, rules, now) or _faults_of_slots(offer, rules, now)
    if errors:
        raise Invalid(errors)


def _faults_of_limits(offer: Offer, rules: BookingRules, now: datetime) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    least, most = LIMITS["duration_minutes"]
    if offer.duration_minutes is not None and not least <= offer.duration_minutes <= most:
        errors["offer.duration_minutes"] = [
            Sentence("Must be between {least} and {most}.", least=least, most=most)
        ]
    if offer.last_day is not None:
        if offer.first_day is not None and offer.last_day < offer.first_day:
            errors["offer.to"] = [Sentence("Must not lie before the first day.")]
        elif offer.last_day < now.astimezone(ZoneInfo(rules.time_zone)).date():
            errors["offer.to"] = [Sentence("Must not lie in the past.")]
    if offer.slots is not None and not 1 <= len(offer.slots) <= MOST_OFFERED_SLOTS:
        errors["offer.slots"] = [Sentence("Must be 1 to {most} slots.", most=MOST_OFFERED_SLOTS)]
    return errors


def _faults_of_slots(offer: Offer, rules: BookingRules, now: datetime) -> dict[str, list[str]]:
    """Returns the faults of single slots, by their place in the list."""
    return {
        f"offer.slots.{place}": [Sentence("The calendar does not offer this slot.")]
        for place, start in enumerate(offer.slots or ())
        if not _is_possible(offer, rules, start, now)
    }


def _is_possible(offer: Offer, rules: BookingRules, start: datetime, now: datetime) -> bool:
    try:
        slot = offer.rules(rules).slot_at(start)
    except SlotNotOffered:
        return False
    return is_offered(rules, slot, now=now, offer=offer)
