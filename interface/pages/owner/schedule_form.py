"""The form of a schedule: a name, and hours in the fields of a calendar's form."""

from dataclasses import dataclass
from typing import NamedTuple

from werkzeug.datastructures import MultiDict

from domain.booking_rules import BookingRules
from domain.calendar import CalendarTerms
from domain.schedule import ScheduleTerms
from interface.pages.owner.calendar_form import WEEKLY, CalendarForm, Errors

_FIELDS = ("name", "time_zone", *WEEKLY.values())
_ANY_MINUTES = 30  # of a calendar that nobody sees


class ParsedSchedule(NamedTuple):
    """The terms that a form describes, or the sentences about its errors by field."""

    terms: ScheduleTerms | None
    errors: Errors


@dataclass(frozen=True)
class ScheduleForm:
    """The texts in the fields, as those of a calendar of which nothing else is asked."""

    calendar: CalendarForm

    @classmethod
    def blank(cls, time_zone: str) -> "ScheduleForm":
        """Returns the form for a new schedule: Monday to Friday from nine to five."""
        return cls(CalendarForm.blank(time_zone))

    @classmethod
    def of(cls, terms: ScheduleTerms) -> "ScheduleForm":
        """Returns the form filled in with existing terms."""
        return cls(CalendarForm.of(calendar_terms(terms)))

    @classmethod
    def sent(cls, form: MultiDict[str, str]) -> "ScheduleForm":
        """Returns the form as a browser sent it."""
        sent, blank = CalendarForm.sent(form), CalendarForm.blank("")
        typed = {**blank.typed, **{name: sent.typed[name] for name in _FIELDS}}
        return cls(CalendarForm(typed, sent.overrides))

    def with_hours_copied(self, source: str, days: str) -> "ScheduleForm":
        """Returns the form with a weekday's hours copied, as in `CalendarForm`."""
        return ScheduleForm(self.calendar.with_hours_copied(source, days))

    def parse(self) -> ParsedSchedule:
        """Returns the terms that the form describes, or what is wrong with it."""
        terms, errors = self.calendar.parse()
        return ParsedSchedule(None if terms is None else _schedule_terms(terms), errors)

    def parse_hours(self) -> ParsedSchedule:
        """Like `parse`, but ignores the name."""
        rules, errors = self.calendar.parse_rules()
        if rules is None:
            return ParsedSchedule(None, errors)
        return ParsedSchedule(ScheduleTerms("-", rules.time_zone, rules.availability), errors)


def calendar_terms(terms: ScheduleTerms) -> CalendarTerms:
    """Returns the terms of a calendar with the name and the hours of a schedule."""
    rules = BookingRules(terms.time_zone, _ANY_MINUTES, terms.availability, _ANY_MINUTES)
    return CalendarTerms(terms.name, rules)


def _schedule_terms(terms: CalendarTerms) -> ScheduleTerms:
    return ScheduleTerms(terms.name, terms.rules.time_zone, terms.rules.availability)
