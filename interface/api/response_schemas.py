"""Schemas of the API's responses."""

from typing import Any

from marshmallow import Schema, fields, validate

from domain.booking import BookingStatus
from domain.link import LinkStatus
from interface.web.fields import Instant
from interface.web.request_schemas import AvailabilitySchema, InviteeSchema
from projections.rebuild.jobs import KINDS, STATES


class ResponseSchema(Schema):
    """A JSON object that always has all of its fields, except those in `sometimes`."""

    sometimes: tuple[str, ...] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Marks a field that is always there as required, for the OpenAPI document."""
        field_obj.required = field_name not in self.sometimes


class CalendarOutput(ResponseSchema):
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


class CalendarPage(ResponseSchema):
    """All calendars of the owner."""

    items = fields.List(fields.Nested(CalendarOutput))


class LinkBookingOutput(ResponseSchema):
    """The booking behind a link. The invitee is null once forgotten."""

    id = fields.UUID()
    start = Instant()
    end = Instant()
    status = fields.Enum(BookingStatus, by_value=True)
    invitee = fields.Nested(InviteeSchema, allow_none=True)


class LinkOutput(ResponseSchema):
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


class RefusedAttemptOutput(ResponseSchema):
    """Somebody tried to book; `reason` is the name of the problem they were told."""

    at = Instant()
    reason = fields.String()


class RefusedAttemptList(ResponseSchema):
    """Attempts with one link, newest first."""

    items = fields.List(fields.Nested(RefusedAttemptOutput))


class LinkBatchOutput(ResponseSchema):
    """The links that were issued, in the order of the wishes."""

    items = fields.List(fields.Nested(LinkOutput))


class UnchangedLink(ResponseSchema):
    """A link that was not revoked; `reason` is the name of a problem."""

    id = fields.UUID()
    reason = fields.String()


class BulkRevocationOutput(ResponseSchema):
    """Which links were revoked, and why the others were not."""

    revoked = fields.List(fields.UUID())
    unchanged = fields.List(fields.Nested(UnchangedLink))


class LinkPage(LinkBatchOutput):
    """Links, newest first; `next_cursor` is null on the last page."""

    next_cursor = fields.String(allow_none=True)


class BookingOutput(ResponseSchema):
    """A booking. Invitee and notes are null once forgotten."""

    id = fields.UUID()
    link_id = fields.UUID()
    calendar_id = fields.UUID()
    start = Instant()
    end = Instant()
    status = fields.Enum(BookingStatus, by_value=True)
    invitee = fields.Nested(InviteeSchema, allow_none=True)
    notes = fields.String(allow_none=True)


class BookingPage(ResponseSchema):
    """Bookings by start; `next_cursor` is null on the last page."""

    items = fields.List(fields.Nested(BookingOutput))
    next_cursor = fields.String(allow_none=True)


class CalendarShown(ResponseSchema):
    """What an invitee sees of a calendar."""

    name = fields.String()
    description = fields.String()
    location = fields.String()
    duration_minutes = fields.Integer(attribute="rules.duration_minutes")
    time_zone = fields.String(attribute="rules.time_zone")


class Host(ResponseSchema):
    """Who invites."""

    name = fields.String()


class BookingLinkOutput(ResponseSchema):
    """An active link as its bearer sees it."""

    status = fields.Enum(LinkStatus, by_value=True)
    calendar = fields.Nested(CalendarShown)
    host = fields.Nested(Host)
    expires_at = Instant()


class SlotOutput(ResponseSchema):
    """A half-open interval in UTC."""

    start = Instant()
    end = Instant()


class SlotsOutput(ResponseSchema):
    """The free slots, in order."""

    slots = fields.List(fields.Nested(SlotOutput))


class RedemptionOutput(ResponseSchema):
    """The booking, and the invitee's own links to it."""

    booking_id = fields.UUID()
    start = Instant()
    end = Instant()
    calendar = fields.Nested(CalendarShown)
    invitee = fields.Nested(InviteeSchema)
    manage_url = fields.String()
    ics_url = fields.String()


class DifferenceOutput(ResponseSchema):
    """A row that was not alike: the columns that differ, or null for a row that is not there."""

    table = fields.String()
    key = fields.String()
    live = fields.Dict(keys=fields.String(), allow_none=True)
    built = fields.Dict(keys=fields.String(), allow_none=True)


class RebuildOutput(ResponseSchema):
    """A rebuild or verification. `progress` is the part of the log that it has seen, 0 to 1.

    `differing` counts the rows that were not as in the live view, and `differences` are the
    first of them; both are null until they were compared.
    """

    id = fields.UUID()
    kind = fields.String(validate=validate.OneOf(KINDS))
    state = fields.String(validate=validate.OneOf(STATES))
    progress = fields.Float()
    events = fields.Integer()
    seconds = fields.Float()
    rows = fields.Integer(allow_none=True)
    differing = fields.Integer(allow_none=True)
    differences = fields.List(fields.Nested(DifferenceOutput), allow_none=True)
    error = fields.String(allow_none=True)
    requested_at = Instant()
    finished_at = Instant(allow_none=True)


class ProjectionOutput(ResponseSchema):
    """A view. `parked` events could not be applied, `waiting` ones stand behind those."""

    name = fields.String()
    position = fields.Integer()
    head = fields.Integer()
    lag_events = fields.Integer()
    lag_seconds = fields.Float()
    state = fields.String(validate=validate.OneOf(("live", "behind", "parked")))
    parked = fields.Integer()
    waiting = fields.Integer()
    rebuild = fields.Nested(RebuildOutput, allow_none=True)


class ProjectionPage(ResponseSchema):
    """All views of this version, and whether a projector keeps them up."""

    items = fields.List(fields.Nested(ProjectionOutput))
    projector_at_work = fields.Boolean()


class RetryOutput(ResponseSchema):
    """What became of the parked events, and of those that waited behind them."""

    applied = fields.Integer()
    parked = fields.Integer()
