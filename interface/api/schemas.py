"""The shapes of the API: what is accepted, and what is answered."""

from typing import Any

from marshmallow import Schema, fields, post_load, pre_load, validate

from application.personal_data import Invitee
from domain.booking import BookingStatus
from domain.booking_rules import WEEKDAYS, Availability
from domain.calendar import LONGEST_DESCRIPTION, LONGEST_LOCATION, LONGEST_NAME
from domain.link import LinkStatus
from interface.api.paging import DEFAULT_PAGE, LARGEST_PAGE
from interface.fields import Day, Email, Instant, Name, Text, TimeZone

LONGEST_PERSON = 200
LONGEST_NOTE = 2000

Whole = fields.Integer


class Body(Schema):
    """A JSON object."""

    error_messages = {  # noqa: RUF012 - marshmallow's own way to set them
        "type": "Must be a JSON object.",
        "unknown": "Not a field of this call.",
    }


def hours() -> fields.List[Any]:
    """Intervals as in [["09:00", "17:00"]]."""
    times = fields.String(metadata={"example": "09:00"})
    return fields.List(fields.Tuple((times, times)))


class AvailabilitySchema(Body):
    """Weekly hours and exceptions from them, in the calendar's zone."""

    weekly = fields.Dict(
        keys=fields.String(validate=validate.OneOf(WEEKDAYS, error="Not a day of the week.")),
        values=hours(),
        load_default=dict,
        metadata={"example": {"monday": [["09:00", "17:00"]]}},
    )
    overrides = fields.Dict(
        keys=fields.String(),
        values=hours(),
        load_default=dict,
        metadata={"example": {"2026-12-24": []}},
    )

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Availability:
        return Availability(
            weekly={day: tuple(intervals) for day, intervals in data["weekly"].items()},
            overrides={day: tuple(intervals) for day, intervals in data["overrides"].items()},
        )


class CalendarInput(Body):
    """A calendar as an owner describes it. Lengths of time are minutes or days."""

    name = Name(longest=LONGEST_NAME, required=True)
    time_zone = TimeZone(required=True, metadata={"example": "Europe/Paris"})
    duration_minutes = Whole(strict=True, required=True)
    availability = fields.Nested(AvailabilitySchema, required=True)
    start_increment_minutes = Whole(strict=True)
    buffer_before_minutes = Whole(strict=True)
    buffer_after_minutes = Whole(strict=True)
    minimum_notice_minutes = Whole(strict=True)
    booking_window_days = Whole(strict=True)
    location = Text(longest=LONGEST_LOCATION)
    description = Text(longest=LONGEST_DESCRIPTION, several_lines=True)


class CalendarChange(CalendarInput):
    """The fields to change."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"partial": True} | kwargs)


class CalendarOutput(Schema):
    """A calendar; its ETag names the version."""

    id = fields.UUID()
    name = fields.String(attribute="terms.name")
    time_zone = fields.String(attribute="terms.rules.time_zone")
    duration_minutes = Whole(attribute="terms.rules.duration_minutes")
    availability = fields.Method("_availability")
    start_increment_minutes = Whole(attribute="terms.rules.start_increment_minutes")
    buffer_before_minutes = Whole(attribute="terms.rules.buffer_before_minutes")
    buffer_after_minutes = Whole(attribute="terms.rules.buffer_after_minutes")
    minimum_notice_minutes = Whole(attribute="terms.rules.minimum_notice_minutes")
    booking_window_days = Whole(attribute="terms.rules.booking_window_days")
    location = fields.String(attribute="terms.location")
    description = fields.String(attribute="terms.description")
    archived = fields.Boolean(attribute="is_archived")

    def _availability(self, calendar: Any) -> dict[str, Any]:
        availability: Availability = calendar.terms.rules.availability
        return {"weekly": availability.weekly, "overrides": availability.overrides}


class CalendarPage(Schema):
    """All calendars of the owner."""

    items = fields.List(fields.Nested(CalendarOutput))


class LinkInput(Body):
    """The wish for a link. Without an expiry it lives 90 days."""

    recipient = Text(longest=LONGEST_PERSON, allow_none=True)
    note = Text(longest=LONGEST_NOTE, several_lines=True, allow_none=True)
    expires_at = Instant()
    expires_in_days = Whole(strict=True, validate=validate.Range(1, 365, error="Must be 1 to 365."))


class LinkBatchInput(Body):
    """Up to 500 wishes, granted all or none."""

    links = fields.List(fields.Nested(LinkInput), required=True)


class InviteeSchema(Body):
    """The person who books."""

    name = Name(longest=LONGEST_PERSON, required=True)
    email = Email(required=True)
    time_zone = TimeZone(allow_none=True, load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Invitee:
        return Invitee(**data)


class LinkBookingOutput(Schema):
    """The booking behind a link. The invitee is null once forgotten."""

    id = fields.UUID()
    start = Instant()
    end = Instant()
    status = fields.Enum(BookingStatus, by_value=True)
    invitee = fields.Nested(InviteeSchema, allow_none=True)


class LinkOutput(Schema):
    """A link. `url` and `token` are there only while it is active."""

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


class LinkBatchOutput(Schema):
    """The links that were issued, in the order of the wishes."""

    items = fields.List(fields.Nested(LinkOutput))


class LinkPage(LinkBatchOutput):
    """Links, newest first; `next_cursor` is null on the last page."""

    next_cursor = fields.String(allow_none=True)


class PageQuery(Schema):
    """Which part of a long list."""

    limit = Whole(
        load_default=DEFAULT_PAGE,
        validate=validate.Range(1, LARGEST_PAGE, error=f"Must be 1 to {LARGEST_PAGE}."),
    )
    cursor = fields.String(load_default=None)
    q = Text(longest=200, load_default=None)
    calendar_id = fields.UUID(load_default=None)

    @pre_load
    def _empty_is_absent(self, data: Any, **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value != ""}


class LinkQuery(PageQuery):
    """Which links."""

    status = fields.Enum(LinkStatus, by_value=True, load_default=None)


class BookingQuery(PageQuery):
    """Which bookings: those that meet the time from `from` to `to`."""

    since = Instant(data_key="from", load_default=None)
    until = Instant(data_key="to", load_default=None)
    status = fields.Enum(BookingStatus, by_value=True, load_default=None)


class RevokeInput(Body):
    """Why, for the owner's own memory."""

    reason = Text(longest=LONGEST_NOTE, several_lines=True, allow_none=True, load_default=None)


class BookingOutput(Schema):
    """A booking. Invitee and notes are null once forgotten."""

    id = fields.UUID()
    link_id = fields.UUID()
    calendar_id = fields.UUID()
    start = Instant()
    end = Instant()
    status = fields.Enum(BookingStatus, by_value=True)
    invitee = fields.Nested(InviteeSchema, allow_none=True)
    notes = fields.String(allow_none=True)


class BookingPage(Schema):
    """Bookings by start; `next_cursor` is null on the last page."""

    items = fields.List(fields.Nested(BookingOutput))
    next_cursor = fields.String(allow_none=True)


class CalendarShown(Schema):
    """What an invitee sees of a calendar."""

    name = fields.String(attribute="name")
    description = fields.String(attribute="description")
    location = fields.String(attribute="location")
    duration_minutes = Whole(attribute="rules.duration_minutes")
    time_zone = fields.String(attribute="rules.time_zone")


class Host(Schema):
    """Who invites."""

    name = fields.String()


class BookingLinkOutput(Schema):
    """An active link as its bearer sees it."""

    status = fields.Enum(LinkStatus, by_value=True)
    calendar = fields.Nested(CalendarShown)
    host = fields.Nested(Host)
    expires_at = Instant()


class SlotsQuery(Schema):
    """Both days included, in `time_zone` (default: the calendar's); at most 62 days."""

    first = Day(data_key="from", load_default=None)
    last = Day(data_key="to", load_default=None)
    time_zone = TimeZone(load_default=None)


class SlotOutput(Schema):
    """A half-open interval in UTC."""

    start = Instant()
    end = Instant()


class SlotsOutput(Schema):
    """The free slots, in order."""

    slots = fields.List(fields.Nested(SlotOutput))


class RedeemInput(Body):
    """The wish to book."""

    start = Instant(required=True)
    invitee = fields.Nested(InviteeSchema, required=True)
    notes = Text(longest=LONGEST_NOTE, several_lines=True, allow_none=True, load_default=None)


class RedemptionOutput(Schema):
    """The booking, and the invitee's own links to it."""

    booking_id = fields.UUID()
    start = Instant()
    end = Instant()
    calendar = fields.Nested(CalendarShown)
    invitee = fields.Nested(InviteeSchema)
    manage_url = fields.String()
    ics_url = fields.String()
