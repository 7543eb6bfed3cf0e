"""Schemas of calendars and schedules that the API takes."""

from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from domain.booking_rules import WEEKDAYS, Hours
from domain.calendar import (
    LONGEST_CONTACT,
    LONGEST_DESCRIPTION,
    LONGEST_LOCATION,
    LONGEST_NAME,
    NUMBER_LIMITS,
)
from interface.web.body_reading import Body
from interface.web.fields import Flag, Name, Text, TimeZone

_MISSING = "Missing data for required field."
_OF_THE_SCHEDULE = "Leave this out: that of the schedule is used."
_TIME_PATTERN = r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$"


def _hours_by(day: fields.String, example: dict[str, Any], description: str) -> fields.Dict:
    """Returns a field of intervals by day, for example [["09:00", "17:00"]]."""
    time = fields.String(metadata={"example": "09:00", "pattern": _TIME_PATTERN})
    interval = fields.List(time, validate=validate.Length(equal=2, error="Must be two times."))
    return fields.Dict(
        keys=day,
        values=fields.List(interval),
        load_default=dict,
        metadata={"example": example, "description": description},
    )


class AvailabilitySchema(Body):
    """Weekly hours and exceptions from them, in the calendar's time zone."""

    weekly = _hours_by(
        fields.String(validate=validate.OneOf(WEEKDAYS, error="Not a day of the week.")),
        example={"monday": [["09:00", "12:00"], ["13:00", "17:00"]]},
        description="Intervals by weekday, from 00:00 to 24:00. A weekday left out is closed.",
    )
    overrides = _hours_by(
        fields.String(),
        example={"2026-12-24": [], "2027-01-18": [["10:00", "14:00"]]},
        description="Intervals by date. They replace the weekly hours; none means closed.",
    )

    @post_load
    def _in_tuples(self, data: dict[str, Any], **_: Any) -> dict[str, dict[str, Hours]]:
        """Turns lists into tuples. A change holds only the fields that it names."""
        return {half: {day: _hours(hours) for day, hours in data[half].items()} for half in data}


def _hours(intervals: list[list[str]]) -> Hours:
    return tuple((opens, closes) for opens, closes in intervals)


def whole_number(name: str, example: int, description: str, **kwargs: Any) -> fields.Integer:
    """Returns a field for a whole number within the domain's limits for it."""
    metadata = {"example": example, "description": description}
    least, most = NUMBER_LIMITS[name]
    limits = validate.Range(least, most, error="Must be between {min} and {max}.")
    return fields.Integer(strict=True, validate=limits, metadata=metadata, **kwargs)


class CalendarInput(Body):
    """A calendar as an owner describes it."""

    name = Name(
        longest=LONGEST_NAME,
        required=True,
        metadata={"example": "Intro call", "description": "What invitees see."},
    )
    time_zone = TimeZone(
        metadata={
            "example": "Europe/Paris",
            "description": "Required, unless the calendar follows a schedule.",
        }
    )
    duration_minutes = whole_number("duration_minutes", 30, "The length of a slot.", required=True)
    availability = fields.Nested(
        AvailabilitySchema,
        metadata={"description": "Required, unless the calendar follows a schedule."},
    )
    schedule_id = fields.UUID(
        allow_none=True,
        metadata={
            "example": None,
            "description": "The schedule that the calendar follows. Its time zone and hours take"
            " the place of `time_zone` and `availability`, which are left out. Null: the calendar"
            " has hours of its own.",
        },
    )
    start_increment_minutes = whole_number(
        "start_increment_minutes",
        30,
        "From one start to the next, counted from the start of an interval. Default: the duration.",
    )
    buffer_before_minutes = whole_number(
        "buffer_before_minutes", 0, "Time reserved before a booking. Default: 0."
    )
    buffer_after_minutes = whole_number(
        "buffer_after_minutes", 10, "Time reserved after a booking. Default: 0."
    )
    minimum_notice_minutes = whole_number(
        "minimum_notice_minutes",
        240,
        "How long before its start a slot is last offered. Default: 240.",
    )
    booking_window_days = whole_number(
        "booking_window_days", 60, "How many days ahead slots are offered. Default: 60."
    )
    location = Text(
        longest=LONGEST_LOCATION,
        metadata={"example": "Video call", "description": "Where to meet. Invitees see it."},
    )
    description = Text(
        longest=LONGEST_DESCRIPTION,
        several_lines=True,
        metadata={"example": "Half an hour to get to know each other."},
    )
    cancel_notice_minutes = whole_number(
        "cancel_notice_minutes",
        120,
        "How long before the start an invitee can last cancel. Default: 0, until the start.",
    )
    reschedule_notice_minutes = whole_number(
        "reschedule_notice_minutes",
        120,
        "How long before the start an invitee can last move it. Default: 0, until the start.",
    )
    reschedule_limit = whole_number(
        "reschedule_limit", 3, "How many times an invitee can move a booking. Default: 3."
    )
    contact = Text(
        longest=LONGEST_CONTACT,
        metadata={
            "example": "Call 555-0100.",
            "description": "A line for invitees who can no longer change their booking themselves.",
        },
    )
    reminder_minutes = whole_number(
        "reminder_minutes",
        1440,
        "How long before the start to remind people. Default: 1440. 0: not at all.",
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _has_hours_from_one_place(self, _data: Any, data: Any, **_: Any) -> None:
        if not isinstance(data, dict):
            return
        follows = data.get("schedule_id") is not None
        hours = ("time_zone", "availability")
        if follows:
            wrong, sentence = [name for name in hours if name in data], _OF_THE_SCHEDULE
        else:
            wrong, sentence = [name for name in hours if name not in data], _MISSING
        if wrong and (follows or not self.partial):
            raise ValidationError({name: [sentence] for name in wrong})


class CalendarChange(CalendarInput):
    """The fields of a calendar to change."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"partial": True} | kwargs)


class ScheduleInput(Body):
    """Availability with a name, which several calendars can follow."""

    name = Name(
        longest=LONGEST_NAME,
        required=True,
        metadata={"example": "Mornings", "description": "Only the owner sees it."},
    )
    time_zone = TimeZone(required=True, metadata={"example": "Europe/Paris"})
    availability = fields.Nested(AvailabilitySchema, required=True)


class ScheduleChange(ScheduleInput):
    """The fields of a schedule to change."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"partial": True} | kwargs)


class ScheduleArchiveInput(Body):
    """The choice of what the calendars that follow the schedule keep."""

    release_calendars = Flag(
        load_default=False,
        metadata={
            "example": True,
            "description": "Whether each calendar that follows the schedule gets a copy of its"
            " hours. Without it, a schedule that calendars follow is not archived.",
        },
    )
