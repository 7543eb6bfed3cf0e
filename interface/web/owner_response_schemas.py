"""Schemas of the API's responses about an owner's calendars, links, bookings and keys."""

from marshmallow import fields

from domain.booking import BookingStatus
from domain.link import LinkStatus
from interface.web.calendar_schemas import AvailabilitySchema
from interface.web.fields import Instant
from interface.web.request_schemas import InviteeSchema, OfferSchema, PrefillSchema
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

_SCHEDULE_ID = "e29b7c15-4a0d-4d5c-9a3b-1f7e5c8d0b66"


class CalendarOutput(ResponseSchema):
    """A calendar. The ETag of the response names its version."""

    id = fields.UUID(metadata=example_of(CALENDAR_ID))
    name = fields.String(attribute="terms.name", metadata=example_of("Intro call"))
    time_zone = fields.String(
        attribute="terms.rules.time_zone", metadata=example_of("Europe/Paris")
    )
    duration_minutes = fields.Integer(
        attribute="terms.rules.duration_minutes", metadata=example_of(30)
    )
    availability = fields.Nested(AvailabilitySchema, attribute="terms.rules.availability")
    start_increment_minutes = fields.Integer(
        attribute="terms.rules.start_increment_minutes", metadata=example_of(30)
    )
    buffer_before_minutes = fields.Integer(
        attribute="terms.rules.buffer_before_minutes", metadata=example_of(0)
    )
    buffer_after_minutes = fields.Integer(
        attribute="terms.rules.buffer_after_minutes", metadata=example_of(10)
    )
    minimum_notice_minutes = fields.Integer(
        attribute="terms.rules.minimum_notice_minutes", metadata=example_of(240)
    )
    booking_window_days = fields.Integer(
        attribute="terms.rules.booking_window_days", metadata=example_of(60)
    )
    location = fields.String(attribute="terms.location", metadata=example_of("Video call"))
    description = fields.String(
        attribute="terms.description",
        metadata=example_of("Half an hour to get to know each other."),
    )
    cancel_notice_minutes = fields.Integer(
        attribute="terms.cancel_notice_minutes", metadata=example_of(120)
    )
    reschedule_notice_minutes = fields.Integer(
        attribute="terms.reschedule_notice_minutes", metadata=example_of(120)
    )
    reschedule_limit = fields.Integer(attribute="terms.reschedule_limit", metadata=example_of(3))
    contact = fields.String(attribute="terms.contact", metadata=example_of("Call 555-0100."))
    reminder_minutes = fields.Integer(attribute="terms.reminder_minutes", metadata=example_of(1440))
    schedule_id = fields.UUID(
        attribute="terms.schedule_id",
        allow_none=True,
        metadata=example_of(None, "The schedule whose hours and time zone the calendar has."),
    )
    archived = fields.Boolean(attribute="is_archived", metadata=example_of(False))


class CalendarPage(ResponseSchema):
    """All calendars of the owner."""

    items = fields.List(fields.Nested(CalendarOutput))


class ScheduleOutput(ResponseSchema):
    """A schedule, with the calendars that follow it. The ETag names its version."""

    id = fields.UUID(metadata=example_of(_SCHEDULE_ID))
    name = fields.String(attribute="terms.name", metadata=example_of("Mornings"))
    time_zone = fields.String(attribute="terms.time_zone", metadata=example_of("Europe/Paris"))
    availability = fields.Nested(AvailabilitySchema, attribute="terms.availability")
    calendar_ids = fields.List(fields.UUID(metadata=example_of(CALENDAR_ID)))


class SchedulePage(ResponseSchema):
    """All schedules of the owner."""

    items = fields.List(fields.Nested(ScheduleOutput))


class LinkBookingOutput(ResponseSchema):
    """The booking made with a link. The invitee is null once forgotten."""

    id = fields.UUID(metadata=example_of(BOOKING_ID))
    start = Instant(metadata=example_of("2027-01-18T09:00:00Z"))
    end = Instant(metadata=example_of("2027-01-18T09:30:00Z"))
    status = fields.Enum(BookingStatus, by_value=True, metadata=example_of("confirmed"))
    invitee = fields.Nested(InviteeSchema, allow_none=True)


class LinkOutput(ResponseSchema):
    """A link. `url` and `token` are there only while it is active."""

    sometimes = ("url", "token")

    id = fields.UUID(metadata=example_of(LINK_ID))
    url = fields.String(
        metadata=example_of(
            f"{PUBLIC_URL}/b/{TOKEN}", "Where the invitee books. Only while active."
        )
    )
    token = fields.String(
        metadata=example_of(TOKEN, "The credential of the invitee's endpoints. Only while active.")
    )
    status = fields.Enum(LinkStatus, by_value=True, metadata=example_of("active"))
    calendar_id = fields.UUID(metadata=example_of(CALENDAR_ID))
    recipient = fields.String(allow_none=True, metadata=example_of("Ada Lovelace"))
    note = fields.String(allow_none=True, metadata=example_of("First interview"))
    reference = fields.String(allow_none=True, metadata=example_of("candidate-4711"))
    prefill = fields.Nested(PrefillSchema, allow_none=True)
    offer = fields.Nested(OfferSchema, allow_none=True)
    issued_at = Instant(metadata=example_of("2027-01-11T08:00:00Z"))
    expires_at = Instant(metadata=example_of("2027-01-25T08:00:00Z"))
    redeemed_at = Instant(allow_none=True, metadata=example_of(None))
    revoked_at = Instant(allow_none=True, metadata=example_of(None))
    replaced_by = fields.UUID(
        allow_none=True, metadata=example_of(None, "The id of the link that was issued instead.")
    )
    booking = fields.Nested(LinkBookingOutput, allow_none=True)


class RefusedAttemptOutput(ResponseSchema):
    """A refused attempt to book."""

    at = Instant(metadata=example_of("2027-01-18T09:00:00Z"))
    reason = fields.String(metadata=example_of("link-redeemed", "The slug of the problem."))


class RefusedAttemptList(ResponseSchema):
    """Refused attempts to book with one link, newest first."""

    items = fields.List(fields.Nested(RefusedAttemptOutput))


class LinkRequestOutput(ResponseSchema):
    """A person who asks for a new link in the place of one that they have."""

    link_id = fields.UUID(metadata=example_of(LINK_ID, "The link that they have."))
    calendar_id = fields.UUID(metadata=example_of(CALENDAR_ID))
    asked_at = Instant(metadata=example_of("2027-01-26T10:12:00Z"))
    name = fields.String(metadata=example_of("Ada Lovelace"))
    email = fields.String(allow_none=True, metadata=example_of("ada@example.org"))
    message = fields.String(
        allow_none=True, metadata=example_of("I was ill last week. Could we try again?")
    )
    language = fields.String(
        allow_none=True, metadata=example_of("de", "Of the page they asked on.")
    )


class LinkRequestList(ResponseSchema):
    """Requests for a new link, oldest first."""

    items = fields.List(fields.Nested(LinkRequestOutput))


class LinkBatchOutput(ResponseSchema):
    """The links that were issued, in the order of the request."""

    items = fields.List(fields.Nested(LinkOutput))


class UnchangedLink(ResponseSchema):
    """A link that was not revoked."""

    id = fields.UUID(metadata=example_of(LINK_ID))
    reason = fields.String(metadata=example_of("link-redeemed", "The slug of the problem."))


class BulkRevocationOutput(ResponseSchema):
    """The links that were revoked, and the reasons why others were not."""

    revoked = fields.List(fields.UUID(), metadata=example_of([LINK_ID]))
    unchanged = fields.List(fields.Nested(UnchangedLink))


class LinkPage(LinkBatchOutput):
    """Links, newest first."""

    next_cursor = cursor_of_next_page()


class BookingOutput(ResponseSchema):
    """A booking. Invitee and notes are null once forgotten.

    `title` is the name that the calendar had when it was made.
    """

    id = fields.UUID(metadata=example_of(BOOKING_ID))
    link_id = fields.UUID(metadata=example_of(LINK_ID))
    calendar_id = fields.UUID(metadata=example_of(CALENDAR_ID))
    start = Instant(metadata=example_of("2027-01-18T09:00:00Z"))
    end = Instant(metadata=example_of("2027-01-18T09:30:00Z"))
    status = fields.Enum(BookingStatus, by_value=True, metadata=example_of("confirmed"))
    title = fields.String(metadata=example_of("Intro call"))
    location = fields.String(
        allow_none=True,
        metadata=example_of(
            "Room 2", "Where to meet. Null if it was changed and the invitee is forgotten."
        ),
    )
    reschedule_requested = fields.Boolean(
        attribute="is_asked_to_reschedule",
        metadata=example_of(False, "Whether the invitee is asked to pick another time."),
    )
    reason = fields.String(
        allow_none=True, metadata=example_of(None, "Why it was cancelled, if somebody said so.")
    )
    invitee = fields.Nested(InviteeSchema, allow_none=True)
    notes = fields.String(
        allow_none=True, metadata=example_of("I would like to talk about the engine.")
    )


class BookingPage(ResponseSchema):
    """Bookings by start."""

    items = fields.List(fields.Nested(BookingOutput))
    next_cursor = cursor_of_next_page()


class KeyAccount(ResponseSchema):
    """The account that a key acts for."""

    id = fields.UUID(metadata=example_of(BOOKING_ID))
    name = fields.String(metadata=example_of("Olivia Owner"))


class KeyOutput(ResponseSchema):
    """An API key without its secret."""

    account = fields.Nested(KeyAccount)
    scopes = fields.List(fields.String(), metadata=example_of(["calendars", "links"]))
    actor = fields.String(metadata=example_of("key:1a2b3c4d", "How events name it."))
    is_agent = fields.Boolean(metadata=example_of(False, "Whether an assistant acts with it."))
    links_a_day = fields.Integer(
        allow_none=True,
        metadata=example_of(None, "How many links it may issue in a day; null: no limit."),
    )
    links_at_once = fields.Integer(
        allow_none=True,
        metadata=example_of(None, "How many of its links may be open at a time; null: no limit."),
    )
