"""What webhooks are told: the link or the booking of an event, in the forms of the API.

Links and bookings are as the event left them. What people typed is read when a message is sent,
so that it says nothing about anybody who is forgotten by then.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec

from application.deliveries.delivery import Delivery
from application.people import personal_data
from application.people.personal_data import Invitee
from domain.booking import Booking
from domain.calendar import Calendar
from domain.link import SingleUseLink
from interface.bootstrap import Services
from interface.web.fields import in_utc
from interface.web.response_schemas import BookingOutput, LinkOutput
from projections.views import booking_calendar, link_list
from projections.views.link_list import LinkBooking

REFERENCE = "reference"
TRIAL = "webhook.test"


def message_id(delivery: Delivery) -> str:
    """Returns an id that is the same whenever one webhook is told of one event."""
    return f"msg_{uuid5(UUID(delivery.target), str(delivery.fact)).hex}"


def trial_message(at: datetime) -> str:
    """Returns the body of a message that tells of nothing."""
    return _body(TRIAL, at, {})


def message(services: Services, delivery: Delivery, *, with_personal_data: bool) -> str:
    """Returns the body of the message of a delivery: JSON.

    Without personal data, all that was typed is null, except the link's reference.
    """
    if delivery.booking_id is None:
        data = _link(services, delivery, with_personal_data=with_personal_data)
    else:
        data = _booking(services, delivery, delivery.booking_id, with_personal_data)
    return _body(delivery.kind, delivery.due_at, data)


def _body(kind: str, at: datetime, data: dict[str, Any]) -> str:
    message = {"type": kind, "timestamp": in_utc(at), "data": data}
    return msgspec.json.encode(message).decode()


def _link(services: Services, delivery: Delivery, *, with_personal_data: bool) -> dict[str, Any]:
    link = services.event_store.get(
        SingleUseLink, _link_id(delivery), version=delivery.fact_version
    )
    typed = _typed(services, link)
    if not with_personal_data:
        typed = {REFERENCE: typed[REFERENCE]} if REFERENCE in typed else {}
    details = link_list.details_of(link, typed, now=delivery.due_at)
    if link.booking_id is not None:
        booking = services.event_store.get(Booking, link.booking_id, version=1)
        made = personal_data.find(services.database, booking.id) if with_personal_data else None
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
    data: dict[str, Any] = LinkOutput().dump(details)
    return data


def _booking(
    services: Services, delivery: Delivery, booking_id: UUID, with_personal_data: bool
) -> dict[str, Any]:
    store = services.event_store
    booking = store.get(Booking, booking_id, version=delivery.fact_version)
    terms = store.get(Calendar, booking.calendar_id, version=booking.calendar_version).terms
    typed = personal_data.texts_of(services.database, booking_id) if with_personal_data else {}
    reference = _typed(services, store.get(SingleUseLink, _link_id(delivery))).get(REFERENCE)
    data: dict[str, Any] = BookingOutput().dump(booking_calendar.row_of(booking, terms, typed))
    return data | {REFERENCE: reference}


def _typed(services: Services, link: SingleUseLink) -> dict[str, str]:
    row = personal_data.find(services.database, link.id, link.typed_version)
    return row.data if row else {}


def _link_id(delivery: Delivery) -> UUID:
    if delivery.link_id is None:
        raise LookupError("a message to a webhook is about a link")
    return delivery.link_id
