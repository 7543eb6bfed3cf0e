"""Schemas of the API's responses about deliveries, webhooks, feeds and busy calendars."""

from marshmallow import fields, validate

from application.busy_calendars.busy_calendars import ReadProblem
from application.calendar_feeds import FeedDetail
from application.deliveries.delivery import Audience, DeliveryState
from application.webhooks.webhooks import GONE, WebhookEvent
from interface.web.fields import Instant
from interface.web.response_schema import (
    BOOKING_ID,
    CALENDAR_ID,
    LINK_ID,
    PUBLIC_URL,
    TOKEN,
    ResponseSchema,
    cursor_of_next_page,
    example_of,
)

_FEED_ID = "d7a5e0b4-1c92-4b7e-8f36-6e0c2a9d7f77"
_DELIVERY_ID = "8a4d0a1c-93c8-4f7e-8d5f-2b9f0f6d5e44"


class DeliveryOutput(ResponseSchema):
    """A mail to one person, or a message to a webhook, about one thing.

    It says nothing about who that person is.
    """

    id = fields.UUID(metadata=example_of(_DELIVERY_ID))
    channel = fields.String(metadata=example_of("mail"))
    kind = fields.String(metadata=example_of("confirmation"))
    audience = fields.Enum(Audience, by_value=True, metadata=example_of("invitee"))
    booking_id = fields.UUID(
        allow_none=True, metadata=example_of(BOOKING_ID, "Null: it is about the account itself.")
    )
    link_id = fields.UUID(allow_none=True, metadata=example_of(LINK_ID))
    status = fields.Enum(
        DeliveryState, by_value=True, attribute="state", metadata=example_of("sent")
    )
    due_at = Instant(metadata=example_of("2027-01-04T10:12:00Z"))
    attempts = fields.Integer(metadata=example_of(1))
    next_attempt_at = Instant(
        allow_none=True,
        attribute="next_due_at",
        metadata=example_of(None, "Null unless it is still due."),
    )
    answer = fields.String(
        allow_none=True,
        metadata=example_of("250 2.0.0 Ok: queued", "What the other side said last."),
    )
    sent_at = Instant(allow_none=True, metadata=example_of("2027-01-04T10:12:01Z"))


class DeliveryPage(ResponseSchema):
    """Deliveries, those that are due last first."""

    items = fields.List(fields.Nested(DeliveryOutput))
    next_cursor = cursor_of_next_page()


class WebhookOutput(ResponseSchema):
    """A webhook. Its `secret` is there only when it is new."""

    sometimes = ("secret",)

    id = fields.UUID(metadata=example_of("2f9d1c47-6a0b-4f7e-9b1d-5c8e3a7f6d22"))
    url = fields.String(metadata=example_of("https://crm.example.org/hooks/booking"))
    events = fields.List(
        fields.Enum(WebhookEvent, by_value=True),
        metadata=example_of(["booking.made", "booking.cancelled"]),
    )
    personal_data = fields.Boolean(metadata=example_of(False))
    active = fields.Boolean(
        attribute="is_active", metadata=example_of(True, "A paused one is told of nothing.")
    )
    problem = fields.String(
        allow_none=True,
        validate=validate.OneOf((GONE,)),
        metadata=example_of(None, "Why the service has paused it: the receiver has answered 410."),
    )
    created_at = Instant(metadata=example_of("2027-01-11T08:00:00Z"))
    previous_secret_until = Instant(
        allow_none=True,
        metadata=example_of(None, "Until when messages are also signed with the previous secret."),
    )
    secret = fields.String(
        metadata=example_of("whsec_…", "What signatures are checked with. It is not shown again.")
    )


class WebhookList(ResponseSchema):
    """All webhooks of the owner."""

    items = fields.List(fields.Nested(WebhookOutput))


class WebhookTrialOutput(ResponseSchema):
    """The outcome of a message that tells of nothing."""

    accepted = fields.Boolean(attribute="is_accepted", metadata=example_of(True))
    answer = fields.String(
        metadata=example_of("HTTP 204", "What the receiver answered, or why it got no message.")
    )


class ReplayOutput(ResponseSchema):
    """The number of messages that are sent again."""

    count = fields.Integer(metadata=example_of(12))


class BusyCalendarOutput(ResponseSchema):
    """A calendar elsewhere."""

    id = fields.UUID(metadata=example_of("e3b8a1c2-7d54-4f0a-9c1e-2b6f4d8a5e66"))
    name = fields.String(metadata=example_of("Family"))
    url = fields.String(
        attribute="masked_url",
        metadata=example_of("https://calendar.example.org/…", "Without what is secret in it."),
    )
    created_at = Instant(metadata=example_of("2027-01-11T08:00:00Z"))
    last_read_at = Instant(
        allow_none=True,
        metadata=example_of("2027-01-18T09:00:00Z", "When it was last read without a problem."),
    )
    problem = fields.Enum(
        ReadProblem,
        by_value=True,
        allow_none=True,
        metadata=example_of(None, "Why it can't be read at the moment."),
    )
    problem_since = Instant(allow_none=True, metadata=example_of(None))


class BusyCalendarList(ResponseSchema):
    """All calendars elsewhere of the owner."""

    items = fields.List(fields.Nested(BusyCalendarOutput))


class FeedOutput(ResponseSchema):
    """A calendar feed."""

    id = fields.UUID(metadata=example_of(_FEED_ID))
    url = fields.String(
        metadata=example_of(
            f"{PUBLIC_URL}/api/v1/feeds/{TOKEN}.ics", "Whoever has this address can read the feed."
        )
    )
    calendar_id = fields.UUID(
        allow_none=True, metadata=example_of(CALENDAR_ID, "Null: the bookings of all calendars.")
    )
    detail = fields.Enum(FeedDetail, by_value=True, metadata=example_of("busy"))
    created_at = Instant(metadata=example_of("2027-01-11T08:00:00Z"))


class FeedList(ResponseSchema):
    """All calendar feeds of the owner."""

    items = fields.List(fields.Nested(FeedOutput))
