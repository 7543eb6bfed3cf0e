"""Turns the fields of a request into the terms of a calendar, for the API and the pages."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from domain.booking_rules import Availability, BookingRules, sorted_availability
from domain.calendar import CalendarTerms

_OWN = {field.name for field in fields(CalendarTerms)} - {"rules"}


def new_terms(sent: Mapping[str, Any]) -> CalendarTerms:
    """Returns the terms of a new calendar. By default a slot starts every duration."""
    values = {"start_increment_minutes": sent["duration_minutes"]} | dict(sent)
    own = {name: values.pop(name) for name in _OWN & values.keys()}
    values["availability"] = sorted_availability(Availability(**values["availability"]))
    return CalendarTerms(rules=BookingRules(**values), **own)


def changed_terms(terms: CalendarTerms, sent: Mapping[str, Any]) -> CalendarTerms:
    """Returns the terms with these fields changed. Weekly hours and overrides count as two."""
    own = {name: sent[name] for name in _OWN & sent.keys()}
    rules = {name: value for name, value in sent.items() if name not in _OWN}
    hours = replace(terms.rules.availability, **sent.get("availability", {}))
    rules["availability"] = sorted_availability(hours)
    return replace(terms, rules=replace(terms.rules, **rules), **own)
