"""The shapes of what the API takes: bodies and queries."""

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

from application.commands.links import LARGEST_BATCH
from application.people.personal_data import Invitee
from domain.booking import BookingStatus
from domain.booking_rules import LIMITS, WEEKDAYS, Hours
from domain.calendar import LONGEST_DESCRIPTION, LONGEST_LOCATION, LONGEST_NAME
from domain.link import LONGEST_LIFE, LinkStatus
from interface.web.fields import Day, Email, Instant, InstantOrDay, Name, Text, TimeZone
from interface.web.pagination import DEFAULT_PAGE, LARGEST_PAGE

LONGEST_PERSON = 200
LONGEST_NOTE = 2000
LONGEST_LIFE_DAYS = LONGEST_LIFE.days


class Body(Schema):
    """A JSON object."""

    error_messages = {  # noqa: RUF012 - marshmallow's own way to set them
        "type": "Must be a JSON object.",
        "unknown": "Unknown field.",
    }


class Query(Schema):
    """Parameters in the address. An empty one is absent, one we do not know is passed over."""

    @pre_load
    def _empty_is_absent(self, data: Any, **_: Any) -> dict[str, Any]:
        return {name: value for name, value in data.items() if value != ""}


def _hours_by(day: fields.String, example: dict[str, Any]) -> fields.Dict:
    """Intervals as in [["09:00", "17:00"]], by day."""
    time = fields.String(metadata={"example": "09:00"})
    interval = fields.List(time, validate=validate.Length(equal=2, error="Must be two times."))
    return fields.Dict(
        keys=day,
        values=fields.List(interval),
        load_default=dict,
        metadata={"example": example},
    )


class AvailabilitySchema(Body):
    """Weekly hours and exceptions from them, in the calendar's zone."""

    weekly = _hours_by(
        fields.String(validate=validate.OneOf(WEEKDAYS, error="Not a day of the week.")),
        example={"monday": [["09:00", "17:00"]]},
    )
    overrides = _hours_by(fields.String(), example={"2026-12-24": []})

    @post_load
    def _in_tuples(self, data: dict[str, Any], **_: Any) -> dict[str, dict[str, Hours]]:
        """The fields of an `Availability`; of a change, only those that were given."""
        return {half: {day: _hours(given) for day, given in data[half].items()} for half in data}


def _hours(given: list[list[str]]) -> Hours:
    return tuple((opens, closes) for opens, closes in given)


def _whole(name: str, **kwargs: Any) -> fields.Integer:
    """A whole number within the limits that the domain has for it."""
    least, most = LIMITS[name]
    limits = validate.Range(least, most, error="Must be between {min} and {max}.")
    return fields.Integer(strict=True, validate=limits, **kwargs)


class CalendarInput(Body):
    """A calendar as an owner describes it. Lengths of time are minutes or days."""

    name = Name(longest=LONGEST_NAME, required=True)
    time_zone = TimeZone(required=True, metadata={"example": "Europe/Paris"})
    duration_minutes = _whole("duration_minutes", required=True)
    availability = fields.Nested(AvailabilitySchema, required=True)
    start_increment_minutes = _whole("start_increment_minutes")
    buffer_before_minutes = _whole("buffer_before_minutes")
    buffer_after_minutes = _whole("buffer_after_minutes")
    minimum_notice_minutes = _whole("minimum_notice_minutes")
    booking_window_days = _whole("booking_window_days")
    location = Text(longest=LONGEST_LOCATION)
    description = Text(longest=LONGEST_DESCRIPTION, several_lines=True)


class CalendarChange(CalendarInput):
    """The fields to change."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"partial": True} | kwargs)


class NoFields(Body):
    """A call that is complete without a body: none, or an empty object."""


class LinkInput(Body):
    """The wish for a link. Without an expiry it lives 90 days."""

    recipient = Text(longest=LONGEST_PERSON, allow_none=True)
    note = Text(longest=LONGEST_NOTE, several_lines=True, allow_none=True)
    expires_at = Instant()
    expires_in_days = fields.Integer(
        strict=True,
        validate=validate.Range(
            1, LONGEST_LIFE_DAYS, error=f"Must be between 1 and {LONGEST_LIFE_DAYS}."
        ),
    )

    @validates_schema
    def _one_expiry(self, data: dict[str, Any], **_: Any) -> None:
        if "expires_at" in data and "expires_in_days" in data:
            raise ValidationError("Use either this or expires_at, not both.", "expires_in_days")


class LinkBatchInput(Body):
    """Up to 500 wishes, granted all or none."""

    links = fields.List(
        fields.Nested(LinkInput),
        required=True,
        metadata={"minItems": 1, "maxItems": LARGEST_BATCH},
    )


class InviteeSchema(Body):
    """The person who books."""

    name = Name(longest=LONGEST_PERSON, required=True)
    email = Email(required=True)
    time_zone = TimeZone(allow_none=True, load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Invitee:
        return Invitee(**data)


class LimitedQuery(Query):
    """Which part of a long list."""

    limit = fields.Integer(
        load_default=DEFAULT_PAGE,
        validate=validate.Range(1, LARGEST_PAGE, error=f"Must be between 1 and {LARGEST_PAGE}."),
    )


class PageQuery(LimitedQuery):
    """Which part of an owner's list."""

    cursor = fields.String(load_default=None)
    q = Text(longest=200, load_default=None)
    calendar_id = fields.UUID(load_default=None)


class LinkQuery(PageQuery):
    """Which links."""

    status = fields.Enum(LinkStatus, by_value=True, load_default=None)


class BookingQuery(PageQuery):
    """Which bookings: those that meet the time from `from` to `to`."""

    since = InstantOrDay(data_key="from", load_default=None)
    until = InstantOrDay(data_key="to", load_default=None, whole_day=True)
    status = fields.Enum(BookingStatus, by_value=True, load_default=None)


class RevokeInput(Body):
    """Why, for the owner's own memory."""

    reason = Text(longest=LONGEST_NOTE, several_lines=True, allow_none=True, load_default=None)


class BulkRevokeInput(RevokeInput):
    """Up to 500 links by id, and why, for the owner's own memory."""

    ids = fields.List(
        fields.UUID(),
        required=True,
        metadata={"minItems": 1, "maxItems": LARGEST_BATCH},
    )


class SlotsQuery(Query):
    """Both days included, in `time_zone` (default: the calendar's); at most 62 days."""

    first = Day(data_key="from", load_default=None)
    last = Day(data_key="to", load_default=None)
    time_zone = TimeZone(load_default=None)


class RedeemInput(Body):
    """The wish to book."""

    start = Instant(required=True)
    invitee = fields.Nested(InviteeSchema, required=True)
    notes = Text(longest=LONGEST_NOTE, several_lines=True, allow_none=True, load_default=None)
