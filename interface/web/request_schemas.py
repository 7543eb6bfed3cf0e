"""Schemas of what the API takes: bodies and queries."""

from typing import Any

from marshmallow import (
    Schema,
    ValidationError,
    fields,
    post_load,
    pre_load,
    validate,
    validates_schema,
)

from application.calendar_feeds import FeedDetail
from application.commands.links import LARGEST_BATCH
from application.deliveries.delivery import DeliveryState
from application.people.personal_data import Invitee, Prefill
from application.webhooks.webhooks import WebhookEvent
from domain.booking import BookingStatus
from domain.calendar import LONGEST_LOCATION, LONGEST_NAME
from domain.link import LONGEST_LIFE, LinkStatus
from domain.offer import MOST_OFFERED_SLOTS, Offer
from interface.outgoing.outgoing_url import LONGEST_URL
from interface.web.body_reading import Body
from interface.web.calendar_schemas import whole_number
from interface.web.fields import Day, Email, Flag, Instant, InstantOrDay, Name, Text, TimeZone
from interface.web.pagination import DEFAULT_PAGE, LARGEST_PAGE
from interface.web.period import Period

LONGEST_PERSON = 200
LONGEST_NOTE = 2000
LONGEST_REFERENCE = 200
MOST_REPLAYED = 500
LONGEST_LIFE_DAYS = LONGEST_LIFE.days


class Query(Schema):
    """Parameters of the address. An empty one counts as absent, an unknown one is ignored."""

    @pre_load
    def _empty_is_absent(self, data: Any, **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value != ""}


class NoFields(Body):
    """No body, or an empty object."""


class FeedInput(Body):
    """A calendar feed that an owner wants."""

    calendar_id = fields.UUID(
        allow_none=True,
        load_default=None,
        metadata={"description": "Default: the bookings of all calendars.", "example": None},
    )
    detail = fields.Enum(
        FeedDetail,
        by_value=True,
        required=True,
        metadata={
            "example": "busy",
            "description": "Everything about each booking, or only that the owner is busy.",
        },
    )


class BusyCalendarInput(Body):
    """A calendar elsewhere, as its owner names it."""

    url = Name(
        longest=LONGEST_URL,
        required=True,
        metadata={
            "example": "https://calendar.example.org/private-3f9a/basic.ics",
            "description": "The address of an iCalendar file, with http, https or webcal.",
        },
    )
    name = Text(
        longest=LONGEST_NAME,
        allow_none=True,
        load_default=None,
        metadata={"example": "Family", "description": "Default: the host of the address."},
    )


class PrefillSchema(Body):
    """The details that the booking form is filled in with. The invitee can change it."""

    name = Text(longest=LONGEST_PERSON, allow_none=True, metadata={"example": "Ada Lovelace"})
    email = Email(allow_none=True, metadata={"example": "ada@example.org"})

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Prefill:
        return Prefill(**data)


class OfferSchema(Body):
    """The part of the calendar that a link offers, and how long its slot takes."""

    first_day = Day(
        data_key="from",
        allow_none=True,
        metadata={
            "example": "2027-01-18",
            "description": "The first day on which a slot may start, in the calendar's time zone.",
        },
    )
    last_day = Day(
        data_key="to",
        allow_none=True,
        metadata={"example": "2027-01-29", "description": "The last such day, included."},
    )
    slots = fields.List(
        Instant(),
        allow_none=True,
        metadata={
            "minItems": 1,
            "maxItems": MOST_OFFERED_SLOTS,
            "example": None,
            "description": "The starts of the only slots that are offered. The calendar has to"
            " offer each of them when the link is issued, whether it is booked or not.",
        },
    )
    duration_minutes = whole_number(
        "duration_minutes", 45, "Instead of the calendar's duration.", allow_none=True
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Offer:
        slots = data.pop("slots", None)
        return Offer(slots=None if slots is None else tuple(slots), **data)


class LinkChange(Body):
    """The fields of a link to change."""

    recipient = Text(
        longest=LONGEST_PERSON,
        allow_none=True,
        metadata={
            "example": "Ada Lovelace",
            "description": "Whom the link is meant for. Only the owner sees it.",
        },
    )
    note = Text(
        longest=LONGEST_NOTE,
        several_lines=True,
        allow_none=True,
        metadata={"example": "First interview", "description": "Only the owner sees it."},
    )
    reference = Text(
        longest=LONGEST_REFERENCE,
        allow_none=True,
        metadata={
            "example": "candidate-4711",
            "description": "An id of your own for the link. Only the owner sees it.",
        },
    )
    expires_at = Instant(
        metadata={
            "example": "2027-02-01T00:00:00Z",
            "description": "When the link stops working, at most 365 days from now.",
        }
    )


class LinkInput(LinkChange):
    """A link to issue. Without an expiry it is valid for 90 days."""

    expires_in_days = fields.Integer(
        strict=True,
        metadata={"example": 14, "description": "Instead of `expires_at`."},
        validate=validate.Range(
            1, LONGEST_LIFE_DAYS, error=f"Must be between 1 and {LONGEST_LIFE_DAYS}."
        ),
    )

    prefill = fields.Nested(PrefillSchema, allow_none=True)
    offer = fields.Nested(OfferSchema, allow_none=True)

    @validates_schema
    def _one_expiry(self, data: dict[str, Any], **_: Any) -> None:
        if "expires_at" in data and "expires_in_days" in data:
            raise ValidationError("Use either this or expires_at, not both.", "expires_in_days")


class LinkBatchInput(Body):
    """Up to 500 links to issue, all or none."""

    links = fields.List(
        fields.Nested(LinkInput),
        required=True,
        metadata={"minItems": 1, "maxItems": LARGEST_BATCH},
    )


class InviteeSchema(Body):
    """The person who books."""

    name = Name(longest=LONGEST_PERSON, required=True, metadata={"example": "Ada Lovelace"})
    email = Email(required=True, metadata={"example": "ada@example.org"})
    time_zone = TimeZone(
        allow_none=True,
        load_default=None,
        metadata={
            "example": "Europe/London",
            "description": "The time zone in which this person is shown times.",
        },
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Invitee:
        return Invitee(**data)


def _events(**kwargs: Any) -> fields.List[Any]:
    return fields.List(
        fields.Enum(WebhookEvent, by_value=True),
        validate=validate.Length(min=1, error="Name at least one event."),
        metadata={
            "example": ["booking.made", "booking.cancelled"],
            "description": "What it is told of.",
        },
        **kwargs,
    )


class WebhookInput(Body):
    """A webhook as its owner describes it."""

    url = Name(
        longest=LONGEST_URL,
        required=True,
        metadata={
            "example": "https://crm.example.org/hooks/booking",
            "description": "Where messages are sent, with http or https.",
        },
    )
    events = _events(required=True)
    personal_data = Flag(
        load_default=False,
        metadata={
            "example": False,
            "description": "Whether messages say what people typed: names, addresses, notes.",
        },
    )


class WebhookChange(Body):
    """Changes to a webhook. Fields that are left out stay as they are."""

    url = Name(longest=LONGEST_URL, metadata={"example": "https://crm.example.org/hooks/2"})
    events = _events()
    personal_data = Flag(metadata={"example": True})
    is_active = Flag(
        data_key="active",
        metadata={"example": True, "description": "False pauses it: it is told of nothing."},
    )


class ReplayInput(Body):
    """The messages to send again."""

    ids = fields.List(
        fields.UUID(),
        load_default=None,
        validate=validate.Length(1, MOST_REPLAYED, error="Name between 1 and {max} deliveries."),
        metadata={"description": "The ids of deliveries."},
    )
    after = Instant(
        load_default=None,
        metadata={"description": "Only about events from this time on."},
    )
    before = Instant(
        load_default=None,
        metadata={"description": "Only about events before this time."},
    )

    @validates_schema
    def _needs_a_choice(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("ids") is None and data.get("after") is None:
            raise ValidationError("Name ids, or a time with after.", "ids")


class LimitedQuery(Query):
    """The size of a page."""

    limit = fields.Integer(
        load_default=DEFAULT_PAGE,
        metadata={"description": f"How many items to return, at most {LARGEST_PAGE}."},
        validate=validate.Range(1, LARGEST_PAGE, error=f"Must be between 1 and {LARGEST_PAGE}."),
    )


class PageQuery(LimitedQuery):
    """The part of an owner's list to return."""

    cursor = fields.String(
        load_default=None,
        metadata={"description": "The `next_cursor` of the page before."},
    )
    q = Text(longest=200, load_default=None, metadata={"description": "Words to search for."})
    calendar_id = fields.UUID(
        load_default=None,
        metadata={"description": "Only items of this calendar."},
    )


class LinkQuery(PageQuery):
    """The links to return."""

    q = Text(
        longest=200,
        load_default=None,
        metadata={
            "description": "Words to search for, in any order: in recipient, note, reference, and"
            " the name and e-mail that the link fills in or the invitee gave."
            " In a list of more than 1,000 links, one or two letters are found where a word"
            " begins; if they begin words in very many texts, they are found anywhere in its"
            " first 100,000 links."
        },
    )
    status = fields.Enum(
        LinkStatus,
        by_value=True,
        load_default=None,
        metadata={"description": "Only links with this status."},
    )


class BookingQuery(PageQuery, Period):
    """The bookings to return."""

    q = Text(
        longest=200,
        load_default=None,
        metadata={
            "description": "Words to search for, in any order: in the invitee's name, e-mail"
            " and notes."
        },
    )
    since = InstantOrDay(
        data_key="from",
        load_default=None,
        metadata={"description": "Only bookings that end after this time or date (UTC)."},
    )
    until = InstantOrDay(
        data_key="to",
        load_default=None,
        whole_day=True,
        metadata={"description": "Only bookings that start before this time, or on this date."},
    )
    status = fields.Enum(
        BookingStatus,
        by_value=True,
        load_default=None,
        metadata={"description": "Only bookings with this status."},
    )


class WebhookDeliveryQuery(LimitedQuery):
    """The deliveries to one webhook to return."""

    cursor = fields.String(
        load_default=None,
        metadata={"description": "The `next_cursor` of the page before."},
    )
    state = fields.Enum(
        DeliveryState,
        by_value=True,
        data_key="status",
        load_default=None,
        metadata={"description": "Only deliveries with this status."},
    )


class DeliveryQuery(WebhookDeliveryQuery):
    """The deliveries to return."""

    booking_id = fields.UUID(
        load_default=None,
        metadata={"description": "Only deliveries about this booking."},
    )


def _message(example: str, description: str) -> Text:
    """Returns an optional field for some lines of text."""
    return Text(
        longest=LONGEST_NOTE,
        several_lines=True,
        allow_none=True,
        load_default=None,
        metadata={"example": example, "description": description},
    )


class RevokeInput(Body):
    """Why a link is revoked."""

    reason = _message("Sent to the wrong person", "Only the owner sees it.")


class BookingChange(Body):
    """A change of a booking."""

    location = Text(
        longest=LONGEST_LOCATION,
        required=True,
        metadata={"example": "Room 2", "description": "Where to meet. The invitee sees it."},
    )


class CancelInput(Body):
    """Why a booking is cancelled."""

    reason = _message("I have fallen ill.", "For the other person.")


class RescheduleInput(Body):
    """The time to which a booking is moved."""

    start = Instant(
        required=True,
        metadata={
            "example": "2027-01-18T09:00:00Z",
            "description": "The start of one of the free slots.",
        },
    )


class AskToRescheduleInput(Body):
    """A message to the invitee who is asked to pick another time."""

    message = _message("Could we meet in the afternoon?", "The invitee sees it.")


class BulkRevokeInput(RevokeInput):
    """Up to 500 links to revoke, by id, and why."""

    ids = fields.List(
        fields.UUID(),
        required=True,
        metadata={
            "minItems": 1,
            "maxItems": LARGEST_BATCH,
            "example": ["0b0f3c3e-6d0c-4c57-9c0e-2f6f1f0a7d11"],
        },
    )


class SlotsQuery(Query):
    """The days whose slots to return."""

    first = Day(
        data_key="from",
        load_default=None,
        metadata={"description": "The first day, a date in `time_zone`. Default: today."},
    )
    last = Day(
        data_key="to",
        load_default=None,
        metadata={"description": "The last day, included. Default: 13 days after the first."},
    )
    time_zone = TimeZone(
        load_default=None,
        metadata={"description": "The time zone of the two dates. Default: the calendar's."},
    )


class RedeemInput(RescheduleInput):
    """A slot to book, and for whom."""

    invitee = fields.Nested(InviteeSchema, required=True)
    notes = _message("I would like to talk about the engine.", "For the owner.")
