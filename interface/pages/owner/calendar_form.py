"""The form of a calendar: terms as texts in fields, and back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict

from domain.booking_rules import WEEKDAYS, BookingRules, Hours
from domain.calendar import CalendarTerms
from domain.errors import Invalid
from interface.pages.shared.forms import errors_of, load
from interface.pages.shared.i18n import gettext
from interface.web.calendar_mapping import new_terms
from interface.web.opening_hours import CLOSED, UnreadableHours, hours_text, parse_hours
from interface.web.request_schemas import CalendarInput
from interface.web.time_zone_lookup import resolve_time_zone

Errors = dict[str, list[str]]


def _(message: str) -> str:
    """Marks a message for the catalogues; the template translates it."""
    return message


WORDS = ("name", "location", "description")
WEEKLY = {day: f"availability.weekly.{day}" for day in WEEKDAYS}
BLANK_OVERRIDES = 3

_OFFICE_HOURS: Hours = (("09:00", "17:00"),)
NUMBERS = (
    "duration_minutes",
    "start_increment_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "minimum_notice_minutes",
    "booking_window_days",
)
UNIT = "minimum_notice_unit"
FIELDS = (*WORDS, "time_zone", *NUMBERS, UNIT, *WEEKLY.values())
_MINUTES_IN = {"days": 1440, "hours": 60, "minutes": 1}

# For what can't be read, so that the rest is checked all the same.
_STAND_INS = {
    "name": "-",
    "time_zone": "UTC",
    "duration_minutes": 30,
    "availability": {"weekly": {}, "overrides": {}},
}

_EMPTY = _("Must not be empty.")
_NOT_WHOLE = _("Must be a whole number.")
_TOO_LONG_NOTICE = _("Must not be longer than 365 days.")
_UNREADABLE = _("Write hours as in 9:00–12:00, 13:00–17:00, or leave the day empty.")
_NO_DATE = _("Choose the date of these hours.")
_TWICE = _("This date is given twice.")


class Override(NamedTuple):
    """A row of the form: a date and the hours that replace those of its weekday."""

    date: str
    hours: str


@dataclass(frozen=True)
class CalendarForm:
    """What somebody typed, or would have to type for the terms that are there."""

    typed: Mapping[str, str]
    overrides: tuple[Override, ...] = ()

    @classmethod
    def blank(cls, time_zone: str) -> "CalendarForm":
        """For a new calendar: half an hour, on working days from nine to five."""
        weekly = {WEEKLY[day]: hours_text(_OFFICE_HOURS) for day in WEEKDAYS[:5]}
        return cls(
            {
                "time_zone": time_zone,
                "duration_minutes": "30",
                "buffer_before_minutes": str(BookingRules.buffer_before_minutes),
                "buffer_after_minutes": str(BookingRules.buffer_after_minutes),
                "booking_window_days": str(BookingRules.booking_window_days),
                **_notice_texts(BookingRules.minimum_notice_minutes),
                **weekly,
            }
        )

    @classmethod
    def of(cls, terms: CalendarTerms) -> "CalendarForm":
        """For terms as they are."""
        rules = terms.rules
        numbers = {name: str(getattr(rules, name)) for name in NUMBERS}
        if rules.start_increment_minutes == rules.duration_minutes:
            numbers["start_increment_minutes"] = ""
        weekly = {
            field: hours_text(rules.availability.weekly.get(day, ()))
            for day, field in WEEKLY.items()
        }
        return cls(
            {name: getattr(terms, name) for name in WORDS}
            | {"time_zone": rules.time_zone}
            | numbers
            | _notice_texts(rules.minimum_notice_minutes)
            | weekly,
            tuple(
                Override(date, hours_text(hours) or gettext("closed"))
                for date, hours in sorted(rules.availability.overrides.items())
            ),
        )

    @classmethod
    def sent(cls, form: MultiDict[str, str]) -> "CalendarForm":
        """As it was sent."""
        rows = zip(form.getlist("override_date"), form.getlist("override_hours"), strict=False)
        overrides = tuple(Override(date.strip(), hours.strip()) for date, hours in rows)
        return cls(
            {name: form.get(name, "") for name in FIELDS},
            tuple(row for row in overrides if any(row)),
        )

    def with_hours_copied(self, source: str, days: str) -> "CalendarForm":
        """The hours of one weekday on all days, or on all that most people work on."""
        targets = WEEKDAYS if days == "all" else WEEKDAYS[:5]
        hours = self.typed.get(WEEKLY.get(source, ""), "")
        return CalendarForm(
            {**self.typed, **{WEEKLY[day]: hours for day in targets}}, self.overrides
        )

    @property
    def rows(self) -> tuple[Override, ...]:
        """The overrides, and room for some more."""
        return self.overrides + (Override("", ""),) * BLANK_OVERRIDES

    @cached_property
    def reading(self) -> "Reading":
        """What the form says: terms, or what is wrong with it, by field."""
        values = self._values
        loaded = load(CalendarInput(), values)
        errors = loaded.errors
        if errors:
            wrong = {field.partition(".")[0] for field in errors}
            usable = {name: value for name, value in values.items() if name not in wrong}
            loaded = load(CalendarInput(), _STAND_INS | usable)
        terms = new_terms(loaded.values)
        try:
            terms.check()
        except Invalid as invalid:
            errors = errors_of(invalid) | errors
        errors = self._as_typed(errors) | dict(self._faults())
        return Reading(None if errors else terms, errors)

    @property
    def rules(self) -> "Reading":
        """As `reading`, whatever the words are: for a preview while they are being typed."""
        return CalendarForm({**self.typed, **dict.fromkeys(WORDS, "-")}, self.overrides).reading

    @cached_property
    def _values(self) -> dict[str, Any]:
        """The fields of the API, without those that can't be read."""
        numbers = {name: number for name in NUMBERS if (number := self._number(name)) is not None}
        if "minimum_notice_minutes" in numbers:
            numbers["minimum_notice_minutes"] *= _MINUTES_IN.get(self.typed.get(UNIT, ""), 1)
        weekly = {day: _hours(self.typed.get(field, "")) for day, field in WEEKLY.items()}
        overrides = {row.date: _hours(row.hours) or () for row in self.overrides if row.date}
        return {
            **{name: self.typed.get(name, "") for name in WORDS},
            "time_zone": resolve_time_zone(self.typed.get("time_zone", "")),
            **numbers,
            "availability": {
                "weekly": {day: hours for day, hours in weekly.items() if hours},
                "overrides": overrides,
            },
        }

    def _faults(self) -> Iterator[tuple[str, list[str]]]:
        for name in ("name", "time_zone", "duration_minutes"):
            if not self.typed.get(name, "").strip():
                yield name, [_EMPTY]
        for name in NUMBERS:
            if self.typed.get(name, "").strip() and self._number(name) is None:
                yield name, [_NOT_WHOLE]
        for field in WEEKLY.values():
            if _hours(self.typed.get(field, "")) is None:
                yield field, [_UNREADABLE]
        dates = [row.date for row in self.overrides]
        for row in self.overrides:
            if not row.date:
                yield override_field(row.date), [_NO_DATE]
            elif dates.count(row.date) > 1:
                yield override_field(row.date), [_TWICE]
            elif _hours(row.hours) is None:
                yield override_field(row.date), [_UNREADABLE]

    def _number(self, name: str) -> int | None:
        text = self.typed.get(name, "").strip()
        digits = text.removeprefix("-")
        return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None

    def _as_typed(self, errors: Errors) -> Errors:
        """The sentences about the units and the fields that were filled in."""
        if not self.typed.get("start_increment_minutes", "").strip():
            errors.pop("start_increment_minutes", None)  # it follows the duration
        if "minimum_notice_minutes" in errors and self.typed.get(UNIT) != "minutes":
            errors["minimum_notice_minutes"] = [_TOO_LONG_NOTICE]
        return errors


class Reading(NamedTuple):
    """Terms when all is well, else sentences by field."""

    terms: CalendarTerms | None
    errors: Errors


def override_field(date: str) -> str:
    """Where the sentences about a date's hours are."""
    return f"availability.overrides.{date}"


def _hours(text: str) -> Hours | None:
    try:
        return parse_hours(text, closed=(CLOSED, gettext("closed").casefold()))
    except UnreadableHours:
        return None


def _notice_texts(minutes: int) -> dict[str, str]:
    """In the largest unit that says it exactly."""
    exact = (unit for unit, length in _MINUTES_IN.items() if minutes % length == 0)
    unit = next(exact) if minutes else "hours"
    return {"minimum_notice_minutes": str(minutes // _MINUTES_IN[unit]), UNIT: unit}
