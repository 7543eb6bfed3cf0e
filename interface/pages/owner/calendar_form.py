"""The form of a calendar: its terms as texts in fields, and back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import zip_longest
from typing import Any, NamedTuple
from uuid import UUID

from werkzeug.datastructures import MultiDict

from domain.booking_rules import WEEKDAYS, Availability, BookingRules, Hours
from domain.calendar import NUMBER_LIMITS, CalendarTerms
from domain.errors import Invalid, ScheduleNotFound, Sentence
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.pages.owner.shown_hours import shown_hours
from interface.pages.shared.forms import errors_of, load
from interface.web.calendar_mapping import new_terms
from interface.web.calendar_schemas import CalendarInput
from interface.web.opening_hours import (
    CLOSED,
    UnreadableHours,
    is_night,
    joined_nights,
    parse_hours,
    split_at_midnight,
    split_nights,
)
from interface.web.time_zone_lookup import resolve_time_zone
from projections.views.schedule_list import ScheduleRow

Errors = dict[str, list[str]]

WORDS = ("name", "location", "description", "contact")
WEEKLY = {day: f"availability.weekly.{day}" for day in WEEKDAYS}
BLANK_OVERRIDES = 3
MOST_DAYS_IN_A_ROW = 366
_DAY = timedelta(days=1)

_OFFICE_HOURS: Hours = (("09:00", "17:00"),)
NUMBERS = (
    "duration_minutes",
    "start_increment_minutes",
    "buffer_before_minutes",
    "buffer_after_minutes",
    "minimum_notice_minutes",
    "booking_window_days",
    "cancel_notice_minutes",
    "reschedule_notice_minutes",
    "reschedule_limit",
    "reminder_minutes",
)
UNIT_OF = {
    name: name.removesuffix("minutes") + "unit"
    for name in (
        "minimum_notice_minutes",
        "cancel_notice_minutes",
        "reschedule_notice_minutes",
        "reminder_minutes",
    )
}
"""The fields with the unit of a number, by the field of the number."""

FIELDS = (*WORDS, "schedule_id", "time_zone", *NUMBERS, *UNIT_OF.values(), *WEEKLY.values())
_END_OF_DAY = "24:00"
_MINUTES_IN = {"days": 1440, "hours": 60, "minutes": 1}

# Stand-ins for fields that can't be read, so that all other fields are checked.
_STAND_INS = {
    "name": "-",
    "time_zone": "UTC",
    "duration_minutes": 30,
    "availability": {"weekly": {}, "overrides": {}},
}

_MISSING = {
    "name": _("Enter a name."),
    "time_zone": _("Choose a time zone."),
    "duration_minutes": _("Enter a duration."),
}
_NOT_WHOLE = _("Enter a whole number.")
_UNREADABLE = _("Enter hours such as 9:00–12:00, 13:00–17:00, or leave the field empty.")
_NO_DATE = _("Choose a date for these hours.")
_TWICE = _("This date appears twice.")
_BACKWARDS = _("The last day must not be before the first.")
_LAST_ALONE = _("Choose a first day, too.")


class Override(NamedTuple):
    """A row of the form: a date or several, and the hours that replace those of their weekdays.

    `until` is the last of several dates, else empty.
    """

    date: str
    hours: str
    until: str = ""

    @property
    def dates(self) -> list[str]:
        """Returns all dates; only the first if the last one can't be used."""
        if self.fault:
            return [self.date]
        first, last = date.fromisoformat(self.date), date.fromisoformat(self.until or self.date)
        return [(first + n * _DAY).isoformat() for n in range((last - first).days + 1)]

    @property
    def fault(self) -> str | None:
        """Returns what is wrong with the dates, apart from what the domain itself checks."""
        if not self.date:
            return _LAST_ALONE if self.until else _NO_DATE
        first, last = _date(self.date), _date(self.until or self.date)
        if first is None or last is None:
            return Sentence("Must be a real date, written as YYYY-MM-DD.")
        if last < first:
            return _BACKWARDS
        if (last - first).days >= MOST_DAYS_IN_A_ROW:
            return Sentence("Must have at most {most} dates.", most=MOST_DAYS_IN_A_ROW)
        return None


class ParsedTerms(NamedTuple):
    """The terms that a form describes, or the sentences about its errors by field."""

    terms: CalendarTerms | None
    errors: Errors


class ParsedRules(NamedTuple):
    """The booking rules that a form describes, or the sentences about its errors by field."""

    rules: BookingRules | None
    errors: Errors


@dataclass(frozen=True)
class CalendarForm:
    """The texts in the fields: as somebody typed them, or as they describe existing terms."""

    typed: Mapping[str, str]
    overrides: tuple[Override, ...] = ()

    @classmethod
    def blank(cls, time_zone: str) -> "CalendarForm":
        """Returns the form for a new calendar: half an hour, Monday to Friday from nine to five."""
        weekly = {WEEKLY[day]: shown_hours(_OFFICE_HOURS) for day in WEEKDAYS[:5]}
        return cls(
            {
                "schedule_id": "",
                "time_zone": time_zone,
                "duration_minutes": "30",
                "buffer_before_minutes": str(BookingRules.buffer_before_minutes),
                "buffer_after_minutes": str(BookingRules.buffer_after_minutes),
                "booking_window_days": str(BookingRules.booking_window_days),
                "reschedule_limit": str(CalendarTerms.reschedule_limit),
                **_texts_with_unit("minimum_notice_minutes", BookingRules.minimum_notice_minutes),
                **_texts_with_unit("cancel_notice_minutes", CalendarTerms.cancel_notice_minutes),
                **_texts_with_unit(
                    "reschedule_notice_minutes", CalendarTerms.reschedule_notice_minutes
                ),
                **_texts_with_unit("reminder_minutes", CalendarTerms.reminder_minutes),
                **weekly,
            }
        )

    @classmethod
    def of(cls, terms: CalendarTerms) -> "CalendarForm":
        """Returns the form filled in with existing terms."""
        rules = terms.rules
        numbers: dict[str, str] = {}
        for name in NUMBERS:
            number = getattr(rules if hasattr(rules, name) else terms, name)
            numbers |= _texts_with_unit(name, number) if name in UNIT_OF else {name: str(number)}
        if rules.start_increment_minutes == rules.duration_minutes:
            numbers["start_increment_minutes"] = ""
        weekly = _weekly_texts(rules.availability)
        return cls(
            {name: getattr(terms, name) for name in WORDS}
            | {"schedule_id": "" if terms.schedule_id is None else str(terms.schedule_id)}
            | {"time_zone": rules.time_zone}
            | numbers
            | weekly,
            tuple(_rows_of(rules.availability.overrides)),
        )

    @classmethod
    def sent(cls, form: MultiDict[str, str]) -> "CalendarForm":
        """Returns the form as a browser sent it."""
        columns = (form.getlist(f"override_{name}") for name in ("date", "hours", "until"))
        rows = zip_longest(*columns, fillvalue="")
        overrides = tuple(Override(*(text.strip() for text in row)) for row in rows)
        return cls(
            {name: form.get(name, "") for name in FIELDS},
            tuple(row for row in overrides if any(row)),
        )

    def with_hours_copied(self, source: str, days: str) -> "CalendarForm":
        """Returns the form with a weekday's hours copied to Monday to Friday, or to `all` days."""
        targets = WEEKDAYS if days == "all" else WEEKDAYS[:5]
        hours = self.typed.get(WEEKLY.get(source, ""), "")
        return replace(self, typed={**self.typed, **{WEEKLY[day]: hours for day in targets}})

    def with_hours_of(self, schedules: Iterable[ScheduleRow]) -> "CalendarForm":
        """Returns the form with the hours of the schedule that was chosen, if it is one of these.

        They stand in the same fields as hours of its own.
        """
        for schedule in schedules:
            if str(schedule.id) == self.typed.get("schedule_id"):
                hours = {"time_zone": schedule.terms.time_zone} | _weekly_texts(
                    schedule.terms.availability
                )
                rows = _rows_of(schedule.terms.availability.overrides)
                return replace(self, typed={**self.typed, **hours}, overrides=tuple(rows))
        return self

    @property
    def rows(self) -> tuple[Override, ...]:
        """Returns the overrides, and some empty rows for more."""
        return self.overrides + (Override("", ""),) * BLANK_OVERRIDES

    def parse(self) -> ParsedTerms:
        """Returns the terms that the form describes, or what is wrong with it."""
        terms, errors = _load_terms(self._values())
        if not self.typed.get("start_increment_minutes", "").strip():
            errors.pop("start_increment_minutes", None)  # it follows the duration
        errors = self._at_rows(errors) | dict(self._faults())
        try:
            chosen = self.typed.get("schedule_id", "")
            terms = replace(terms, schedule_id=UUID(chosen) if chosen else None)
        except ValueError:
            errors["schedule_id"] = [Sentence(str(ScheduleNotFound()))]
        return ParsedTerms(None if errors else terms, errors)

    def parse_rules(self) -> ParsedRules:
        """Like `parse`, but ignores the texts.

        The preview is made from it, and works before these are filled in.
        """
        form = replace(self, typed={**self.typed, **dict.fromkeys(WORDS, "-")})
        terms, errors = form.parse()
        return ParsedRules(terms.rules if terms else None, errors)

    def _values(self) -> dict[str, Any]:
        """Returns the fields as the API takes them, without those that can't be read."""
        numbers = {name: number for name in NUMBERS if (number := self._number(name)) is not None}
        weekly = {day: _hours(self.typed.get(field, "")) or () for day, field in WEEKLY.items()}
        overrides = {
            each: _hours(row.hours) or ()
            for row in self.overrides
            if row.date
            for each in row.dates
        }
        availability = _without_nights(Availability(weekly, overrides))
        return {
            **{name: self.typed.get(name, "") for name in WORDS},
            "time_zone": resolve_time_zone(self.typed.get("time_zone", "")),
            **numbers,
            "availability": {
                "weekly": {day: hours for day, hours in availability.weekly.items() if hours},
                "overrides": availability.overrides,
            },
        }

    def _faults(self) -> Iterator[tuple[str, list[str]]]:
        """Yields the fields whose text is missing or can't be read, with a sentence for each."""
        for name, message in _MISSING.items():
            if not self.typed.get(name, "").strip():
                yield name, [message]
        yield from self._faults_of_numbers()
        for field in WEEKLY.values():
            if faults := _faults_of_hours(self.typed.get(field, "")):
                yield field, faults
        times = Counter(each for row in self.overrides for each in row.dates)
        for row in self.overrides:
            if row.fault:
                yield override_field(row.date), [row.fault]
            elif any(times[each] > 1 for each in row.dates):
                yield override_field(row.date), [_TWICE]
            elif faults := _faults_of_hours(row.hours):
                yield override_field(row.date), faults

    def _at_rows(self, errors: Errors) -> Errors:
        """Returns the errors with those of each date at its row, or at that of the night before."""
        rows = {each: row for row in reversed(self.overrides) for each in reversed(row.dates)}
        moved: Errors = {}
        for field, sentences in errors.items():
            day = _date(field.removeprefix(override_field("")))
            row = (
                day
                and day > date.min
                and (rows.get(day.isoformat()) or rows.get((day - _DAY).isoformat()))
            )
            at = override_field(row.date) if row else field
            moved[at] = list(dict.fromkeys(moved.get(at, []) + sentences))
        return moved

    def _faults_of_numbers(self) -> Iterator[tuple[str, list[str]]]:
        for name in NUMBERS:
            number = self._number(name)
            least, most = NUMBER_LIMITS[name]
            if number is None:
                if self.typed.get(name, "").strip():
                    yield name, [_NOT_WHOLE]
            elif not least <= number <= most:
                if self.typed.get(UNIT_OF.get(name, ""), "minutes") != "minutes":
                    yield name, [Sentence("Enter 0 to {most} days.", most=most // 1440)]
                else:
                    limits = Sentence("Must be between {least} and {most}.", least=least, most=most)
                    yield name, [limits]

    def _number(self, name: str) -> int | None:
        """Returns a number in minutes or days, as the API takes it; None if it can't be read."""
        text = self.typed.get(name, "").strip()
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            return None
        return int(text) * _MINUTES_IN.get(self.typed.get(UNIT_OF.get(name, ""), ""), 1)


def _weekly_texts(availability: Availability) -> dict[str, str]:
    """Returns the fields of the weekly hours, a night where it begins."""
    hours = joined_nights(availability.weekly)
    return {field: shown_hours(hours[day]) for day, field in WEEKLY.items()}


def override_field(date: str) -> str:
    """Returns the field under which errors of a date's hours are listed."""
    return f"availability.overrides.{date}"


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-12-24") else None
    except ValueError:
        return None


def _rows_of(overrides: Mapping[str, Hours]) -> Iterator[Override]:
    """Yields a row for each run of dates that follow one another with the same hours."""
    dates = sorted(overrides)
    first = 0
    for number, each in enumerate(dates):
        hours = overrides[each]
        following = dates[number + 1] if number + 1 < len(dates) else None
        goes_on = (
            following == (date.fromisoformat(each) + _DAY).isoformat()
            and overrides[following] == hours
            and number + 1 - first < MOST_DAYS_IN_A_ROW
        )
        if not goes_on:
            until = each if number > first else ""
            yield Override(dates[first], shown_hours(hours) or gettext("closed"), until)
            first = number + 1


def _without_nights(availability: Availability) -> Availability:
    """Returns the availability with nights such as 22:00–02:00 split over two days.

    The day after an override with a night gets an override, too, with its weekly hours.
    """
    overrides, later = dict[str, Hours](), dict[date, Hours]()
    for text, hours in availability.overrides.items():
        overrides[text], night = split_at_midnight(hours)
        day_before = _date(text)
        if night and day_before and day_before < date.max:
            later[day_before + _DAY] = night
    # That night takes the place of the one before the weekday.
    own = {
        day: split_at_midnight(hours).until_midnight for day, hours in availability.weekly.items()
    }
    usual = Availability(own, overrides)
    return Availability(
        split_nights(availability.weekly),
        overrides | {day.isoformat(): night + usual.hours_on(day) for day, night in later.items()},
    )


def _load_terms(values: dict[str, Any]) -> tuple[CalendarTerms, Errors]:
    """Returns the terms, and the errors by field.

    Stand-ins replace fields that the schema refuses, so that the domain checks all the others.
    """
    loaded = load(CalendarInput(), values)
    errors = loaded.errors
    if errors:
        unusable = {field.partition(".")[0] for field in errors}
        usable = {name: value for name, value in values.items() if name not in unusable}
        loaded = load(CalendarInput(), _STAND_INS | usable)
    terms = new_terms(loaded.values)
    try:
        terms.check()
    except Invalid as refusal:
        errors = errors_of(refusal) | errors
    return terms, errors


def _hours(text: str) -> Hours | None:
    """Returns the hours in a text, none for a closed day; None if it can't be read."""
    try:
        return parse_hours(text, closed=(CLOSED, gettext("closed").casefold()))
    except UnreadableHours:
        return None


def _faults_of_hours(text: str) -> list[str]:
    """Returns what is wrong with the hours of a day, apart from what the domain itself checks."""
    hours = _hours(text)
    if hours is None:
        return [_UNREADABLE]
    return [
        _ends_before_it_starts(opens, closes)
        for opens, closes in hours
        if closes < opens < _END_OF_DAY and not is_night(opens, closes)
    ]


def _ends_before_it_starts(opens: str, closes: str) -> Sentence:
    """Returns a sentence about such hours; 12–9 was probably meant as 12–21."""
    hour, _, minute = closes.partition(":")
    in_the_evening = f"{int(hour) + 12:02d}:{minute}"
    if opens < in_the_evening < _END_OF_DAY:
        return Sentence(
            "{hours} ends before it starts. Did you mean {guess}?",
            hours=shown_hours(((opens, closes),)),
            guess=shown_hours(((opens, in_the_evening),)),
        )
    return Sentence("{hours} ends before it starts.", hours=shown_hours(((opens, closes),)))


def _texts_with_unit(name: str, minutes: int) -> dict[str, str]:
    """Returns the fields of a number of minutes, in the largest unit that expresses it exactly."""
    exact = (unit for unit, length in _MINUTES_IN.items() if minutes % length == 0)
    unit = next(exact) if minutes else "hours"
    return {name: str(minutes // _MINUTES_IN[unit]), UNIT_OF[name]: unit}
