"""Turns the fields of a request into the terms of a calendar or of a schedule."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from domain.booking_rules import Availability, BookingRules, sorted_availability
from domain.calendar import CalendarTerms
from domain.schedule import ScheduleTerms

_NO_HOURS = {"time_zone": "UTC", "availability": {"weekly": {}, "overrides": {}}}
_OWN = {field.name for field in fields(CalendarTerms)} - {"rules"}


def new_terms(sent: Mapping[str, Any]) -> CalendarTerms:
    """Returns the terms of a new calendar. By default a slot starts every duration.

    The hours of a calendar that follows a schedule are empty until it gets those of the schedule.
    """
    values = _NO_HOURS | {"start_increment_minutes": sent["duration_minutes"]} | dict(sent)
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


def new_schedule_terms(sent: Mapping[str, Any]) -> ScheduleTerms:
    """Returns the terms of a new schedule."""
    availability = sorted_availability(Availability(**sent["availability"]))
    return ScheduleTerms(**dict(sent) | {"availability": availability})


def changed_schedule_terms(terms: ScheduleTerms, sent: Mapping[str, Any]) -> ScheduleTerms:
    """Returns the terms with these fields changed. Weekly hours and overrides count as two."""
    hours = replace(terms.availability, **sent.get("availability", {}))
    return replace(terms, **dict(sent) | {"availability": sorted_availability(hours)})
