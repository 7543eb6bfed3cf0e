"""Schemas of the API's responses."""

from typing import Any

from marshmallow import Schema, fields, validate

from application.busy_calendars.busy_calendars import ReadProblem
from application.calendar_feeds import FeedDetail
from application.deliveries.delivery import Audience, DeliveryState
from application.webhooks.webhooks import GONE, WebhookEvent
from domain.booking import BookingStatus
from domain.link import LinkStatus
from interface.web.calendar_schemas import AvailabilitySchema
from interface.web.fields import Instant, in_utc
from interface.web.request_schemas import InviteeSchema, OfferSchema, PrefillSchema
from projections.rebuild.jobs import KINDS, STATES

_LINK_ID = "0b0f3c3e-6d0c-4c57-9c0e-2f6f1f0a7d11"
_CALENDAR_ID = "5b2c0a34-3f5e-4f0e-8f83-0f6d3c5f1a22"
_SCHEDULE_ID = "e29b7c15-4a0d-4d5c-9a3b-1f7e5c8d0b66"
_BOOKING_ID = "c1f4f1c8-2a66-5d0b-9a55-7b8f1d6e4c33"
_FEED_ID = "d7a5e0b4-1c92-4b7e-8f36-6e0c2a9d7f77"
_DELIVERY_ID = "8a4d0a1c-93c8-4f7e-8d5f-2b9f0f6d5e44"
_TOKEN = "TOKEN"  # noqa: S105 - an example
_URL = "https://book.example.org"


class ResponseSchema(Schema):
    """A JSON object that always has all of its fields, except those in `sometimes`."""

    sometimes: tuple[str, ...] = ()

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Marks a field that is always there as required, for the OpenAPI document."""
        field_obj.required = field_name not in self.sometimes


def _example(example: object, description: str | None = None) -> dict[str, Any]:
    """Returns metadata for the OpenAPI document."""
    return {"example": example} | ({"description": description} if description else {})


class CalendarOutput(ResponseSchema):
    """A calendar. The ETag of the response names its version."""

    id = fields.UUID(metadata=_example(_CALENDAR_ID))
    name = fields.String(attribute="terms.name", metadata=_example("Intro call"))
    time_zone = fields.String(attribute="terms.rules.time_zone", metadata=_example("Europe/Paris"))
    duration_minutes = fields.Integer(
        attribute="terms.rules.duration_minutes", metadata=_example(30)
    )
    availability = fields.Nested(AvailabilitySchema, attribute="terms.rules.availability")
    start_increment_minutes = fields.Integer(
        attribute="terms.rules.start_increment_minutes", metadata=_example(30)
    )
    buffer_before_minutes = fields.Integer(
        attribute="terms.rules.buffer_before_minutes", metadata=_example(0)
    )
    buffer_after_minutes = fields.Integer(
        attribute="terms.rules.buffer_after_minutes", metadata=_example(10)
    )
    minimum_notice_minutes = fields.Integer(
        attribute="terms.rules.minimum_notice_minutes", metadata=_example(240)
    )
    booking_window_days = fields.Integer(
        attribute="terms.rules.booking_window_days", metadata=_example(60)
    )
    location = fields.String(attribute="terms.location", metadata=_example("Video call"))
    description = fields.String(
        attribute="terms.description",
        metadata=_example("Half an hour to get to know each other."),
    )
    cancel_notice_minutes = fields.Integer(
        attribute="terms.cancel_notice_minutes", metadata=_example(120)
    )
    reschedule_notice_minutes = fields.Integer(
        attribute="terms.reschedule_notice_minutes", metadata=_example(120)
    )
    reschedule_limit = fields.Integer(attribute="terms.reschedule_limit", metadata=_example(3))
    contact = fields.String(attribute="terms.contact", metadata=_example("Call 555-0100."))
    reminder_minutes = fields.Integer(attribute="terms.reminder_minutes", metadata=_example(1440))
    schedule_id = fields.UUID(
        attribute="terms.schedule_id",
        allow_none=True,
        metadata=_example(None, "The schedule whose hours and time zone the calendar has."),
    )
    archived = fields.Boolean(attribute="is_archived", metadata=_example(False))


class CalendarPage(ResponseSchema):
    """All calendars of the owner."""

    items = fields.List(fields.Nested(CalendarOutput))


class ScheduleOutput(ResponseSchema):
    """A schedule, with the calendars that follow it. The ETag names its version."""

    id = fields.UUID(metadata=_example(_SCHEDULE_ID))
    name = fields.String(attribute="terms.name", metadata=_example("Mornings"))
    time_zone = fields.String(attribute="terms.time_zone", metadata=_example("Europe/Paris"))
    availability = fields.Nested(AvailabilitySchema, attribute="terms.availability")
    calendar_ids = fields.List(fields.UUID(metadata=_example(_CALENDAR_ID)))


class SchedulePage(ResponseSchema):
    """All schedules of the owner."""

    items = fields.List(fields.Nested(ScheduleOutput))


class LinkBookingOutput(ResponseSchema):
    """The booking made with a link. The invitee is null once forgotten."""

    id = fields.UUID(metadata=_example(_BOOKING_ID))
    start = Instant(metadata=_example("2027-01-18T09:00:00Z"))
    end = Instant(metadata=_example("2027-01-18T09:30:00Z"))
    status = fields.Enum(BookingStatus, by_value=True, metadata=_example("confirmed"))
    invitee = fields.Nested(InviteeSchema, allow_none=True)


class LinkOutput(ResponseSchema):
    """A link. `url` and `token` are there only while it is active."""

    sometimes = ("url", "token")

    id = fields.UUID(metadata=_example(_LINK_ID))
    url = fields.String(
        metadata=_example(f"{_URL}/b/{_TOKEN}", "Where the invitee books. Only while active.")
    )
    token = fields.String(
        metadata=_example(_TOKEN, "The credential of the invitee's endpoints. Only while active.")
    )
    status = fields.Enum(LinkStatus, by_value=True, metadata=_example("active"))
    calendar_id = fields.UUID(metadata=_example(_CALENDAR_ID))
    recipient = fields.String(allow_none=True, metadata=_example("Ada Lovelace"))
    note = fields.String(allow_none=True, metadata=_example("First interview"))
    reference = fields.String(allow_none=True, metadata=_example("candidate-4711"))
    prefill = fields.Nested(PrefillSchema, allow_none=True)
    offer = fields.Nested(OfferSchema, allow_none=True)
    issued_at = Instant(metadata=_example("2027-01-11T08:00:00Z"))
    expires_at = Instant(metadata=_example("2027-01-25T08:00:00Z"))
    redeemed_at = Instant(allow_none=True, metadata=_example(None))
    revoked_at = Instant(allow_none=True, metadata=_example(None))
    replaced_by = fields.UUID(
        allow_none=True, metadata=_example(None, "The id of the link that was issued instead.")
    )
    booking = fields.Nested(LinkBookingOutput, allow_none=True)


class RefusedAttemptOutput(ResponseSchema):
    """A refused attempt to book."""

    at = Instant(metadata=_example("2027-01-18T09:00:00Z"))
    reason = fields.String(metadata=_example("link-redeemed", "The slug of the problem."))


class RefusedAttemptList(ResponseSchema):
    """Refused attempts to book with one link, newest first."""

    items = fields.List(fields.Nested(RefusedAttemptOutput))


class LinkRequestOutput(ResponseSchema):
    """A person who asks for a new link in the place of one that they have."""

    link_id = fields.UUID(metadata=_example(_LINK_ID, "The link that they have."))
    calendar_id = fields.UUID(metadata=_example(_CALENDAR_ID))
    asked_at = Instant(metadata=_example("2027-01-26T10:12:00Z"))
    name = fields.String(metadata=_example("Ada Lovelace"))
    email = fields.String(allow_none=True, metadata=_example("ada@example.org"))
    message = fields.String(
        allow_none=True, metadata=_example("I was ill last week. Could we try again?")
    )
    language = fields.String(allow_none=True, metadata=_example("de", "Of the page they asked on."))


class LinkRequestList(ResponseSchema):
    """Requests for a new link, oldest first."""

    items = fields.List(fields.Nested(LinkRequestOutput))


class LinkBatchOutput(ResponseSchema):
    """The links that were issued, in the order of the request."""

    items = fields.List(fields.Nested(LinkOutput))


class UnchangedLink(ResponseSchema):
    """A link that was not revoked."""

    id = fields.UUID(metadata=_example(_LINK_ID))
    reason = fields.String(metadata=_example("link-redeemed", "The slug of the problem."))


class BulkRevocationOutput(ResponseSchema):
    """The links that were revoked, and the reasons why others were not."""

    revoked = fields.List(fields.UUID(), metadata=_example([_LINK_ID]))
    unchanged = fields.List(fields.Nested(UnchangedLink))


class LinkPage(LinkBatchOutput):
    """Links, newest first."""

    next_cursor = fields.String(
        allow_none=True, metadata=_example(None, "The `cursor` of the next page; null at the end.")
    )


class BookingOutput(ResponseSchema):
    """A booking. Invitee and notes are null once forgotten.

    `title` is the name that the calendar had when it was made.
    """

    id = fields.UUID(metadata=_example(_BOOKING_ID))
    link_id = fields.UUID(metadata=_example(_LINK_ID))
    calendar_id = fields.UUID(metadata=_example(_CALENDAR_ID))
    start = Instant(metadata=_example("2027-01-18T09:00:00Z"))
    end = Instant(metadata=_example("2027-01-18T09:30:00Z"))
    status = fields.Enum(BookingStatus, by_value=True, metadata=_example("confirmed"))
    title = fields.String(metadata=_example("Intro call"))
    location = fields.String(
        allow_none=True,
        metadata=_example(
            "Room 2", "Where to meet. Null if it was changed and the invitee is forgotten."
        ),
    )
    reschedule_requested = fields.Boolean(
        attribute="is_asked_to_reschedule",
        metadata=_example(False, "Whether the invitee is asked to pick another time."),
    )
    reason = fields.String(
        allow_none=True, metadata=_example(None, "Why it was cancelled, if somebody said so.")
    )
    invitee = fields.Nested(InviteeSchema, allow_none=True)
    notes = fields.String(
        allow_none=True, metadata=_example("I would like to talk about the engine.")
    )


class BookingPage(ResponseSchema):
    """Bookings by start."""

    items = fields.List(fields.Nested(BookingOutput))
    next_cursor = fields.String(
        allow_none=True, metadata=_example(None, "The `cursor` of the next page; null at the end.")
    )


class DeliveryOutput(ResponseSchema):
    """A mail to one person, or a message to a webhook, about one thing.

    It says nothing about who that person is.
    """

    id = fields.UUID(metadata=_example(_DELIVERY_ID))
    channel = fields.String(metadata=_example("mail"))
    kind = fields.String(metadata=_example("confirmation"))
    audience = fields.Enum(Audience, by_value=True, metadata=_example("invitee"))
    booking_id = fields.UUID(
        allow_none=True, metadata=_example(_BOOKING_ID, "Null: it is about the account itself.")
    )
    link_id = fields.UUID(allow_none=True, metadata=_example(_LINK_ID))
    status = fields.Enum(DeliveryState, by_value=True, attribute="state", metadata=_example("sent"))
    due_at = Instant(metadata=_example("2027-01-04T10:12:00Z"))
    attempts = fields.Integer(metadata=_example(1))
    next_attempt_at = Instant(
        allow_none=True,
        attribute="next_due_at",
        metadata=_example(None, "Null unless it is still due."),
    )
    answer = fields.String(
        allow_none=True,
        metadata=_example("250 2.0.0 Ok: queued", "What the other side said last."),
    )
    sent_at = Instant(allow_none=True, metadata=_example("2027-01-04T10:12:01Z"))


class DeliveryPage(ResponseSchema):
    """Deliveries, those that are due last first."""

    items = fields.List(fields.Nested(DeliveryOutput))
    next_cursor = fields.String(
        allow_none=True, metadata=_example(None, "The `cursor` of the next page; null at the end.")
    )


class WebhookOutput(ResponseSchema):
    """A webhook. Its `secret` is there only when it is new."""

    sometimes = ("secret",)

    id = fields.UUID(metadata=_example("2f9d1c47-6a0b-4f7e-9b1d-5c8e3a7f6d22"))
    url = fields.String(metadata=_example("https://crm.example.org/hooks/booking"))
    events = fields.List(
        fields.Enum(WebhookEvent, by_value=True),
        metadata=_example(["booking.made", "booking.cancelled"]),
    )
    personal_data = fields.Boolean(metadata=_example(False))
    active = fields.Boolean(
        attribute="is_active", metadata=_example(True, "A paused one is told of nothing.")
    )
    problem = fields.String(
        allow_none=True,
        validate=validate.OneOf((GONE,)),
        metadata=_example(None, "Why the service has paused it: the receiver has answered 410."),
    )
    created_at = Instant(metadata=_example("2027-01-11T08:00:00Z"))
    previous_secret_until = Instant(
        allow_none=True,
        metadata=_example(None, "Until when messages are also signed with the secret before."),
    )
    secret = fields.String(
        metadata=_example("whsec_…", "What signatures are checked with. It is not shown again.")
    )


class WebhookList(ResponseSchema):
    """All webhooks of the owner."""

    items = fields.List(fields.Nested(WebhookOutput))


class WebhookTrialOutput(ResponseSchema):
    """The outcome of a message that tells of nothing."""

    accepted = fields.Boolean(attribute="is_accepted", metadata=_example(True))
    answer = fields.String(
        metadata=_example("HTTP 204", "What the receiver answered, or why it got no message.")
    )


class ReplayOutput(ResponseSchema):
    """The number of messages that are sent again."""

    count = fields.Integer(metadata=_example(12))


class KeyAccount(ResponseSchema):
    """The account that a key acts for."""

    id = fields.UUID(metadata=_example(_BOOKING_ID))
    name = fields.String(metadata=_example("Olivia Owner"))


class KeyOutput(ResponseSchema):
    """An API key without its secret."""

    account = fields.Nested(KeyAccount)
    scopes = fields.List(fields.String(), metadata=_example(["calendars", "links"]))
    actor = fields.String(metadata=_example("key:1a2b3c4d", "How events name it."))
    is_agent = fields.Boolean(metadata=_example(False, "Whether an assistant acts with it."))
    links_a_day = fields.Integer(
        allow_none=True,
        metadata=_example(None, "How many links it may issue in a day; null: no limit."),
    )
    links_at_once = fields.Integer(
        allow_none=True,
        metadata=_example(None, "How many of its links may be open at a time; null: no limit."),
    )


class CalendarShown(ResponseSchema):
    """A calendar as an invitee sees it."""

    name = fields.String(metadata=_example("Intro call"))
    description = fields.String(metadata=_example("Half an hour to get to know each other."))
    location = fields.String(metadata=_example("Video call"))
    duration_minutes = fields.Integer(attribute="rules.duration_minutes", metadata=_example(30))
    time_zone = fields.String(attribute="rules.time_zone", metadata=_example("Europe/Paris"))


class Host(ResponseSchema):
    """The owner of the calendar, as invitees see them."""

    name = fields.String(metadata=_example("Olivia Owner"))


class BookingLinkOutput(ResponseSchema):
    """An active link as its bearer sees it."""

    status = fields.Enum(LinkStatus, by_value=True, metadata=_example("active"))
    calendar = fields.Nested(CalendarShown)
    host = fields.Nested(Host)
    expires_at = Instant(metadata=_example("2027-01-25T08:00:00Z"))
    prefill = fields.Nested(PrefillSchema, allow_none=True)


class SlotOutput(ResponseSchema):
    """A half-open interval in UTC that can be booked."""

    start = Instant(metadata=_example("2027-01-18T09:00:00Z"))
    end = Instant(metadata=_example("2027-01-18T09:30:00Z"))


class _Slots(fields.List[Any]):
    """Many slots, written directly: marshmallow takes five times as long, most of a response."""

    def _serialize(
        self, value: list[Any] | None, attr: str | None, obj: Any, **kwargs: Any
    ) -> list[Any] | None:
        if value is None:
            return None
        return [{"start": in_utc(slot.start), "end": in_utc(slot.end)} for slot in value]


class SlotsOutput(ResponseSchema):
    """The free slots, in order."""

    slots = _Slots(fields.Nested(SlotOutput))
    next_from = fields.Date(
        allow_none=True,
        metadata=_example(None, "The first day that is left out; null when none is."),
    )


class RedemptionOutput(ResponseSchema):
    """The booking, and the invitee's own addresses for it."""

    booking_id = fields.UUID(metadata=_example(_BOOKING_ID))
    start = Instant(metadata=_example("2027-01-18T09:00:00Z"))
    end = Instant(metadata=_example("2027-01-18T09:30:00Z"))
    calendar = fields.Nested(CalendarShown)
    invitee = fields.Nested(InviteeSchema)
    manage_url = fields.String(
        metadata=_example(f"{_URL}/m/{_TOKEN}", "The invitee's page about the booking.")
    )
    ics_url = fields.String(
        metadata=_example(f"{_URL}/m/{_TOKEN}/booking.ics", "The booking as an iCalendar file.")
    )


class ManagedBookingOutput(ResponseSchema):
    """A booking as its invitee sees it. Invitee and notes are null once forgotten."""

    booking_id = fields.UUID(metadata=_example(_BOOKING_ID))
    status = fields.Enum(BookingStatus, by_value=True, metadata=_example("confirmed"))
    start = Instant(metadata=_example("2027-01-18T09:00:00Z"))
    end = Instant(metadata=_example("2027-01-18T09:30:00Z"))
    calendar = fields.Nested(CalendarShown)
    host = fields.Nested(Host)
    location = fields.String(
        allow_none=True, metadata=_example("Room 2", "Where to meet. It may have changed.")
    )
    invitee = fields.Nested(InviteeSchema, allow_none=True)
    notes = fields.String(
        allow_none=True, metadata=_example("I would like to talk about the engine.")
    )
    can_cancel = fields.Boolean(metadata=_example(True))
    cancel_until = Instant(metadata=_example("2027-01-18T07:00:00Z"))
    can_reschedule = fields.Boolean(metadata=_example(True))
    reschedule_until = Instant(
        allow_none=True,
        metadata=_example("2027-01-18T07:00:00Z", "Null while the host asks for another time."),
    )
    reschedules_left = fields.Integer(
        metadata=_example(3, "How many more times the invitee can move it of their own accord.")
    )
    reschedule_requested = fields.Boolean(
        metadata=_example(False, "Whether the host asks the invitee to pick another time.")
    )
    message = fields.String(
        allow_none=True, metadata=_example(None, "What the host wrote when asking for that.")
    )
    reason = fields.String(
        allow_none=True, metadata=_example(None, "Why it was cancelled, if somebody said so.")
    )
    contact = fields.String(
        metadata=_example("Call 555-0100.", "How to reach the host; may be empty.")
    )
    manage_url = fields.String(metadata=_example(f"{_URL}/m/{_TOKEN}"))
    ics_url = fields.String(metadata=_example(f"{_URL}/m/{_TOKEN}/booking.ics"))


class BusyCalendarOutput(ResponseSchema):
    """A calendar elsewhere."""

    id = fields.UUID(metadata=_example("e3b8a1c2-7d54-4f0a-9c1e-2b6f4d8a5e66"))
    name = fields.String(metadata=_example("Family"))
    url = fields.String(
        attribute="masked_url",
        metadata=_example("https://calendar.example.org/…", "Without what is secret in it."),
    )
    created_at = Instant(metadata=_example("2027-01-11T08:00:00Z"))
    last_read_at = Instant(
        allow_none=True,
        metadata=_example("2027-01-18T09:00:00Z", "When it was last read without a problem."),
    )
    problem = fields.Enum(
        ReadProblem,
        by_value=True,
        allow_none=True,
        metadata=_example(None, "Why it can't be read at the moment."),
    )
    problem_since = Instant(allow_none=True, metadata=_example(None))


class BusyCalendarList(ResponseSchema):
    """All calendars elsewhere of the owner."""

    items = fields.List(fields.Nested(BusyCalendarOutput))


class FeedOutput(ResponseSchema):
    """A calendar feed."""

    id = fields.UUID(metadata=_example(_FEED_ID))
    url = fields.String(
        metadata=_example(
            f"{_URL}/api/v1/feeds/{_TOKEN}.ics", "Whoever has this address can read the feed."
        )
    )
    calendar_id = fields.UUID(
        allow_none=True, metadata=_example(_CALENDAR_ID, "Null: the bookings of all calendars.")
    )
    detail = fields.Enum(FeedDetail, by_value=True, metadata=_example("busy"))
    created_at = Instant(metadata=_example("2027-01-11T08:00:00Z"))


class FeedList(ResponseSchema):
    """All calendar feeds of the owner."""

    items = fields.List(fields.Nested(FeedOutput))


class DifferenceOutput(ResponseSchema):
    """A row that differs between the live view and the one built from the log."""

    table = fields.String(metadata=_example("link_list_v3"))
    key = fields.String(metadata=_example(_LINK_ID))
    live = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata=_example(
            {"revoked_at": None}, "The columns that differ; null if the live view lacks the row."
        ),
    )
    built = fields.Dict(
        keys=fields.String(),
        allow_none=True,
        metadata=_example(
            {"revoked_at": "2027-01-12T10:00:00+00:00"},
            "The columns that differ; null if the log does not lead to this row.",
        ),
    )


class RebuildOutput(ResponseSchema):
    """A rebuild or verification of a view."""

    id = fields.UUID(metadata=_example("7e0a5b54-93c1-4f55-8d5b-3f7a9f1b2c44"))
    kind = fields.String(validate=validate.OneOf(KINDS), metadata=_example("rebuild"))
    state = fields.String(validate=validate.OneOf(STATES), metadata=_example("done"))
    progress = fields.Float(metadata=_example(1.0, "How much of the log it has read, 0 to 1."))
    events = fields.Integer(metadata=_example(1200, "How many events it has applied."))
    seconds = fields.Float(metadata=_example(0.4, "How long it has worked."))
    rows = fields.Integer(
        allow_none=True, metadata=_example(310, "How many rows it has built; null until then.")
    )
    differing = fields.Integer(
        allow_none=True,
        metadata=_example(
            0, "How many rows differ from the live view; null if they were not compared."
        ),
    )
    differences = fields.List(
        fields.Nested(DifferenceOutput),
        allow_none=True,
        metadata={"description": "The first rows that differ; null if they were not compared."},
    )
    error = fields.String(allow_none=True, metadata=_example(None, "Why it failed."))
    requested_at = Instant(metadata=_example("2027-01-12T10:00:00Z"))
    finished_at = Instant(allow_none=True, metadata=_example("2027-01-12T10:00:02Z"))


class ProjectionOutput(ResponseSchema):
    """A view and how far it has come."""

    name = fields.String(metadata=_example("link_list_v3"))
    position = fields.Integer(metadata=_example(1200, "The position up to which it has read."))
    head = fields.Integer(metadata=_example(1200, "The position of the newest event."))
    lag_events = fields.Integer(
        metadata=_example(0, "Events that it has not read yet, counted up to 100,000.")
    )
    lag_seconds = fields.Float(metadata=_example(0.0, "The age of the oldest of these."))
    state = fields.String(
        validate=validate.OneOf(("live", "behind", "parked")), metadata=_example("live")
    )
    parked = fields.Integer(metadata=_example(0, "Events that it could not apply."))
    waiting = fields.Integer(metadata=_example(0, "Events that wait behind parked ones."))
    rebuild = fields.Nested(RebuildOutput, allow_none=True)


class ProjectionPage(ResponseSchema):
    """All views of this version."""

    items = fields.List(fields.Nested(ProjectionOutput))
    projector_at_work = fields.Boolean(
        metadata=_example(True, "Whether a projector keeps the views current.")
    )


class RetryOutput(ResponseSchema):
    """The outcome of a retry of parked events and of those that wait behind them."""

    applied = fields.Integer(metadata=_example(1, "How many were applied."))
    parked = fields.Integer(metadata=_example(0, "How many are still parked."))
