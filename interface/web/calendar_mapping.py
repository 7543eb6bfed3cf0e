"""Turns the fields of a request into the terms of a calendar, for the API and the pages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.booking_rules import Availability, BookingRules, sorted_availability
from domain.calendar import CalendarTerms

_WORDS = ("name", "location", "description")


def new_terms(fields: Mapping[str, Any]) -> CalendarTerms:
    """Returns the terms of a new calendar. By default a slot starts every duration."""
    values = {"start_increment_minutes": fields["duration_minutes"]} | dict(fields)
    words = {name: values.pop(name) for name in _WORDS if name in values}
    values["availability"] = sorted_availability(Availability(**values["availability"]))
    return CalendarTerms(rules=BookingRules(**values), **words)


def changed_terms(terms: CalendarTerms, fields: Mapping[str, Any]) -> CalendarTerms:
    """Returns the terms with these fields changed. Weekly hours and overrides count as two."""
    words = {name: fields[name] for name in _WORDS if name in fields}
    rules = {name: value for name, value in fields.items() if name not in _WORDS}
    hours = replace(terms.rules.availability, **fields.get("availability", {}))
    rules["availability"] = sorted_availability(hours)
    return replace(terms, rules=replace(terms.rules, **rules), **words)
