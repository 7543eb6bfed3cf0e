"""The terms of a calendar from the fields of a request; shared by the API and the pages."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from domain.booking_rules import Availability, BookingRules, sorted_availability
from domain.calendar import CalendarTerms

_WORDS = ("name", "location", "description")


def new_terms(given: Mapping[str, Any]) -> CalendarTerms:
    """Terms from all fields of a calendar; a slot starts every duration unless said otherwise."""
    values = {"start_increment_minutes": given["duration_minutes"]} | dict(given)
    words = {name: values.pop(name) for name in _WORDS if name in values}
    values["availability"] = sorted_availability(Availability(**values["availability"]))
    return CalendarTerms(rules=BookingRules(**values), **words)


def changed_terms(terms: CalendarTerms, given: Mapping[str, Any]) -> CalendarTerms:
    """Terms with the given fields instead of their own; weekly hours and overrides are two."""
    words = {name: given[name] for name in _WORDS if name in given}
    rules = {name: value for name, value in given.items() if name not in _WORDS}
    hours = replace(terms.rules.availability, **given.get("availability", {}))
    rules["availability"] = sorted_availability(hours)
    return replace(terms, rules=replace(terms.rules, **rules), **words)
