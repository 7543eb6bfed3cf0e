"""The shapes of what the API answers."""

from typing import Any

from marshmallow import Schema, fields

from domain.booking import BookingStatus
from domain.link import LinkStatus
from interface.api.schemas import AvailabilitySchema, InviteeSchema
from interface.fields import Instant


class Answer(Schema):
    """A JSON object that always has all of its fields, but for the `sometimes` ones."""

    sometimes: tuple[str, ...] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """What is always there is required, as the document says it."""
        field_obj.required = field_name not in self.sometimes


class CalendarOutput(Answer):
    """A calendar; its ETag names the version."""

    id = fields.UUID()
    name = fields.String(attribute="terms.name")
    time_zone = fields.String(attribute="terms.rules.time_zone")
    duration_minutes = fields.Integer(attribute="terms.rules.duration_minutes")
    availability = fields.Nested(AvailabilitySchema, attribute="terms.rules.availability")
    start_increment_minutes = fields.Integer(attribute="terms.rules.start_increment_minutes")
    buffer_before_minutes = fields.Integer(attribute="terms.rules.buffer_before_minutes")
    buffer_after_minutes = fields.Integer(attribute="terms.rules.buffer_after_minutes")
    minimum_notice_minutes = fields.Integer(attribute="terms.rules.minimum_notice_minutes")
    booking_window_days = fields.Integer(attribute="terms.rules.booking_window_days")
    location = fields.String(attribute="terms.location")
    description = fields.String(attribute="terms.description")
    archived = fields.Boolean(attribute="is_archived")


class CalendarPage(Answer):
    """All calendars of the owner."""

    items = fields.List(fields.Nested(CalendarOutput))


class LinkBookingOutput(Answer):
    """The booking behind a link. The invitee is null once forgotten."""

    id = fields.UUID()
    start = Instant()
    end = Instant()
    status = fields.Enum(BookingStatus, by_value=True)
    invitee = fields.Nested(InviteeSchema, allow_none=True)


class LinkOutput(Answer):
    """A link. `url` and `token` are there only while it is active."""

    sometimes = ("url", "token")

    id = fields.UUID()
    url = fields.String()
    token = fields.String()
    status = fields.Enum(LinkStatus, by_value=True)
    calendar_id = fields.UUID()
    recipient = fields.String(allow_none=True)
    note = fields.String(allow_none=True)
    issued_at = Instant()
    expires_at = Instant()
    redeemed_at = Instant(allow_none=True)
    revoked_at = Instant(allow_none=True)
    replaced_by = fields.UUID(allow_none=True)
    booking = fields.Nested(LinkBookingOutput, allow_none=True)


class RefusedAttempt(Answer):
    """Somebody tried to book; `reason` is the name of the problem they were told."""

    at = Instant()
    reason = fields.String()


class RefusedAttempts(Answer):
    """Attempts with one link, newest first."""

    items = fields.List(fields.Nested(RefusedAttempt))


class LinkBatchOutput(Answer):
    """The links that were issued, in the order of the wishes."""

    items = fields.List(fields.Nested(LinkOutput))


class LinkPage(LinkBatchOutput):
    """Links, newest first; `next_cursor` is null on the last page."""

    next_cursor = fields.String(allow_none=True)


class BookingOutput(Answer):
    """A booking. Invitee and notes are null once forgotten."""

    id = fields.UUID()
    link_id = fields.UUID()
    calendar_id = fields.UUID()
    start = Instant()
    end = Instant()
    status = fields.Enum(BookingStatus, by_value=True)
    invitee = fields.Nested(InviteeSchema, allow_none=True)
    notes = fields.String(allow_none=True)


class BookingPage(Answer):
    """Bookings by start; `next_cursor` is null on the last page."""

    items = fields.List(fields.Nested(BookingOutput))
    next_cursor = fields.String(allow_none=True)


class CalendarShown(Answer):
    """What an invitee sees of a calendar."""

    name = fields.String()
    description = fields.String()
    location = fields.String()
    duration_minutes = fields.Integer(attribute="rules.duration_minutes")
    time_zone = fields.String(attribute="rules.time_zone")


class Host(Answer):
    """Who invites."""

    name = fields.String()


class BookingLinkOutput(Answer):
    """An active link as its bearer sees it."""

    status = fields.Enum(LinkStatus, by_value=True)
    calendar = fields.Nested(CalendarShown)
    host = fields.Nested(Host)
    expires_at = Instant()


class SlotOutput(Answer):
    """A half-open interval in UTC."""

    start = Instant()
    end = Instant()


class SlotsOutput(Answer):
    """The free slots, in order."""

    slots = fields.List(fields.Nested(SlotOutput))


class RedemptionOutput(Answer):
    """The booking, and the invitee's own links to it."""

    booking_id = fields.UUID()
    start = Instant()
    end = Instant()
    calendar = fields.Nested(CalendarShown)
    invitee = fields.Nested(InviteeSchema)
    manage_url = fields.String()
    ics_url = fields.String()
