"""Schemas of the API's responses to invitees, and of slots, which owners read as well."""

from typing import Any

from marshmallow import fields

from domain.booking import BookingStatus
from domain.link import LinkStatus
from interface.web.fields import Instant, in_utc
from interface.web.request_schemas import InviteeSchema, PrefillSchema
from interface.web.response_schema import BOOKING_ID, PUBLIC_URL, TOKEN, ResponseSchema, example_of


class CalendarShown(ResponseSchema):
    """A calendar as an invitee sees it."""

    name = fields.String(metadata=example_of("Intro call"))
    description = fields.String(metadata=example_of("Half an hour to get to know each other."))
    location = fields.String(metadata=example_of("Video call"))
    duration_minutes = fields.Integer(attribute="rules.duration_minutes", metadata=example_of(30))
    time_zone = fields.String(attribute="rules.time_zone", metadata=example_of("Europe/Paris"))


class Host(ResponseSchema):
    """The owner of the calendar, as invitees see them."""

    name = fields.String(metadata=example_of("Olivia Owner"))


class BookingLinkOutput(ResponseSchema):
    """An active link as its bearer sees it."""

    status = fields.Enum(LinkStatus, by_value=True, metadata=example_of("active"))
    calendar = fields.Nested(CalendarShown)
    host = fields.Nested(Host)
    expires_at = Instant(metadata=example_of("2027-01-25T08:00:00Z"))
    prefill = fields.Nested(PrefillSchema, allow_none=True)


class SlotOutput(ResponseSchema):
    """A half-open interval in UTC that can be booked."""

    start = Instant(metadata=example_of("2027-01-18T09:00:00Z"))
    end = Instant(metadata=example_of("2027-01-18T09:30:00Z"))


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
        metadata=example_of(None, "The first day that is left out; null when none is."),
    )


class RedemptionOutput(ResponseSchema):
    """The booking, and the invitee's own addresses for it."""

    booking_id = fields.UUID(metadata=example_of(BOOKING_ID))
    start = Instant(metadata=example_of("2027-01-18T09:00:00Z"))
    end = Instant(metadata=example_of("2027-01-18T09:30:00Z"))
    calendar = fields.Nested(CalendarShown)
    invitee = fields.Nested(InviteeSchema)
    manage_url = fields.String(
        metadata=example_of(f"{PUBLIC_URL}/m/{TOKEN}", "The invitee's page about the booking.")
    )
    ics_url = fields.String(
        metadata=example_of(
            f"{PUBLIC_URL}/m/{TOKEN}/booking.ics", "The booking as an iCalendar file."
        )
    )


class ManagedBookingOutput(ResponseSchema):
    """A booking as its invitee sees it. Invitee and notes are null once forgotten."""

    booking_id = fields.UUID(metadata=example_of(BOOKING_ID))
    status = fields.Enum(BookingStatus, by_value=True, metadata=example_of("confirmed"))
    start = Instant(metadata=example_of("2027-01-18T09:00:00Z"))
    end = Instant(metadata=example_of("2027-01-18T09:30:00Z"))
    calendar = fields.Nested(CalendarShown)
    host = fields.Nested(Host)
    location = fields.String(
        allow_none=True, metadata=example_of("Room 2", "Where to meet. It may have changed.")
    )
    invitee = fields.Nested(InviteeSchema, allow_none=True)
    notes = fields.String(
        allow_none=True, metadata=example_of("I would like to talk about the engine.")
    )
    can_cancel = fields.Boolean(metadata=example_of(True))
    cancel_until = Instant(metadata=example_of("2027-01-18T07:00:00Z"))
    can_reschedule = fields.Boolean(metadata=example_of(True))
    reschedule_until = Instant(
        allow_none=True,
        metadata=example_of("2027-01-18T07:00:00Z", "Null while the host asks for another time."),
    )
    reschedules_left = fields.Integer(
        metadata=example_of(3, "How many more times the invitee can move it of their own accord.")
    )
    reschedule_requested = fields.Boolean(
        metadata=example_of(False, "Whether the host asks the invitee to pick another time.")
    )
    message = fields.String(
        allow_none=True, metadata=example_of(None, "What the host wrote when asking for that.")
    )
    reason = fields.String(
        allow_none=True, metadata=example_of(None, "Why it was cancelled, if somebody said so.")
    )
    contact = fields.String(
        metadata=example_of("Call 555-0100.", "How to reach the host; may be empty.")
    )
    manage_url = fields.String(metadata=example_of(f"{PUBLIC_URL}/m/{TOKEN}"))
    ics_url = fields.String(metadata=example_of(f"{PUBLIC_URL}/m/{TOKEN}/booking.ics"))
