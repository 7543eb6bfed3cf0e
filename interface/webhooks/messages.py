"""The messages to webhooks: the link or the booking of an event, in the forms of the API.

Links and bookings are as the event left them. What people typed is read when a message is sent,
so that it says nothing about anybody who is forgotten by then.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

import msgspec
from marshmallow import Schema

from application.deliveries.delivery import Delivery
from application.delivery_facts import Facts
from application.eventstore.loading import Wanted
from application.people.personal_data import Invitee
from application.webhooks.webhooks import WebhookEvent
from domain.booking import Booking
from domain.link import SingleUseLink
from interface.webhooks.message_schemas import TRIAL, BookingMessage, LinkMessage, TrialMessage
from projections.views import booking_calendar, link_list
from projections.views.booking_calendar import BookingRow
from projections.views.link_list import LinkBooking, LinkDetails

REFERENCE = "reference"


_LINK, _BOOKING, _TRIAL = LinkMessage(), BookingMessage(), TrialMessage()


@dataclass(frozen=True)
class _ToldBooking(BookingRow):
    """A booking and the reference of its link."""

    reference: str | None


def message_id(delivery: Delivery) -> str:
    """Returns an id that is the same whenever one webhook is told of one event."""
    return f"msg_{uuid5(UUID(delivery.target), str(delivery.fact)).hex}"


def trial_message(at: datetime) -> str:
    """Returns the body of a message that tells of nothing."""
    return _body(_TRIAL, TRIAL, at, {})


def wanted_by(delivery: Delivery) -> Iterator[Wanted[Booking] | Wanted[SingleUseLink]]:
    """Yields the versions of its link and of its booking that a message tells of."""
    link_id = _link_id(delivery)
    if delivery.booking_id is None:
        yield Wanted(SingleUseLink, link_id, delivery.fact_version)
        if delivery.kind == WebhookEvent.LINK_REDEEMED:
            yield Wanted(Booking, Booking.id_for(link_id), 1)
    else:
        yield Wanted(SingleUseLink, link_id)
        yield Wanted(Booking, delivery.booking_id, delivery.fact_version)


def message(facts: Facts, delivery: Delivery, *, with_personal_data: bool) -> str:
    """Returns the body of the message of a delivery, JSON, written from what was read for it.

    Without personal data, all that was typed is null, except the link's reference.
    """
    if delivery.booking_id is None:
        link = _link(facts, delivery, with_personal_data)
        return _body(_LINK, delivery.kind, delivery.due_at, link)
    booking = _booking(facts, delivery, delivery.booking_id, with_personal_data)
    return _body(_BOOKING, delivery.kind, delivery.due_at, booking)


def _body(schema: Schema, kind: str, at: datetime, data: object) -> str:
    message = schema.dump({"type": kind, "timestamp": at, "data": data})
    return msgspec.json.encode(message).decode()


def _link(facts: Facts, delivery: Delivery, with_personal_data: bool) -> LinkDetails:
    link = facts.link(_link_id(delivery), delivery.fact_version)
    typed = _typed(facts, link)
    if not with_personal_data:
        typed = {REFERENCE: typed[REFERENCE]} if REFERENCE in typed else {}
    details = link_list.details_of(link, typed, now=delivery.due_at)
    if link.booking_id is not None:
        booking = facts.booking(link.booking_id, 1)
        made = facts.rows_of(booking.id).get(1) if with_personal_data else None
        details = replace(
            details,
            redeemed_at=link.modified_on,
            booking=LinkBooking(
                id=booking.id,
                start=booking.slot.start,
                end=booking.slot.end,
                status=booking.status,
                invitee=Invitee.from_data(made and made.data),
            ),
        )
    return details


def _booking(
    facts: Facts, delivery: Delivery, booking_id: UUID, with_personal_data: bool
) -> _ToldBooking:
    booking = facts.booking(booking_id, delivery.fact_version)
    typed = facts.texts_of(booking_id) if with_personal_data else {}
    reference = _typed(facts, facts.link(_link_id(delivery))).get(REFERENCE)
    row = booking_calendar.row_of(booking, facts.agreed_terms(booking), typed)
    return _ToldBooking(**vars(row), reference=reference)


def _typed(facts: Facts, link: SingleUseLink) -> dict[str, str]:
    row = facts.rows_of(link.id).get(link.typed_version)
    return row.data if row else {}


def _link_id(delivery: Delivery) -> UUID:
    if delivery.link_id is None:
        raise LookupError("a message to a webhook is about a link")
    return delivery.link_id
