"""Schemas of the messages to owners' programs, from which messages and their document are made."""

from marshmallow import fields, validate

from application.webhooks.webhooks import WebhookEvent
from interface.web.fields import Instant
from interface.web.owner_response_schemas import BookingOutput, LinkOutput
from interface.web.response_schema import ResponseSchema

TRIAL = "webhook.test"


class ToldLink(LinkOutput):
    """A link as an event left it, without what lets somebody book."""

    class Meta:
        """Leaves out what only the owner sees."""

        exclude = ("url", "token")


class ToldBooking(BookingOutput):
    """A booking as an event left it, with the reference of its link."""

    reference = fields.String(allow_none=True, metadata={"example": "candidate-4711"})


class Message(ResponseSchema):
    """The fields that all messages have in common."""

    type = fields.String()
    timestamp = Instant(
        metadata={"example": "2027-01-18T09:00:00Z", "description": "When it happened."}
    )


class LinkMessage(Message):
    """Tells of a link. Unless the webhook takes personal data, what was typed is null."""

    type = fields.String(
        validate=validate.OneOf([each.value for each in WebhookEvent if each.is_about_links]),
        metadata={"example": WebhookEvent.LINK_ISSUED.value},
    )
    data = fields.Nested(ToldLink)


class BookingMessage(Message):
    """Tells of a booking. Unless the webhook takes personal data, what was typed is null."""

    type = fields.String(
        validate=validate.OneOf([each.value for each in WebhookEvent if not each.is_about_links]),
        metadata={"example": WebhookEvent.BOOKING_MADE.value},
    )
    data = fields.Nested(ToldBooking)


class TrialMessage(Message):
    """Tells of nothing: its owner wants to see whether it arrives."""

    type = fields.String(validate=validate.OneOf([TRIAL]), metadata={"example": TRIAL})
    data = fields.Dict(metadata={"example": {}})
