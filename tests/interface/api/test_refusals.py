"""The OpenAPI document has every refusal that the code of a call can raise, and no other."""

from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from application.busy_calendars.busy_calendars import BusyCalendarNotFound
from application.people.accounts import AccountNotFound
from application.webhooks.webhooks import WebhookNotFound
from domain import errors
from domain.errors import AdmitOneError, Invalid
from interface.web.problems import INVITEE_BLUEPRINTS, Malformed, problem_of
from tests.interface.api.openapi import operations, slugs
from tests.support.raised_refusals import refusals_of

Kinds = set[type[AdmitOneError]]

# Refusals that the code names but a call can't meet: links, bookings and accounts are never
# deleted, and what was just created is there.
OF_OTHER_AGGREGATES: Kinds = {
    errors.CalendarNotFound,
    errors.BookingNotFound,
    errors.ScheduleNotFound,
}
"""Raised by a function that looks up other aggregates as well."""
ONLY_FOR_INVITEES: Kinds = {errors.TooLate, errors.RescheduleLimitReached}
ONLY_SHOWN: Kinds = {
    errors.BookingCancelled,
    errors.RescheduleLimitReached,
    errors.NoOtherTimes,
}
"""Trying finds which changes a manage link still allows; a refusal is only shown."""
NEVER: dict[str, Kinds] = {
    "key.read": {AccountNotFound},
    "calendars.create": {errors.ScheduleNotFound},
    "busy-calendars.create": {BusyCalendarNotFound},
    "webhooks.create": {WebhookNotFound},
    "links.revoke": {errors.LinkRevoked},  # only replacing a revoked link is refused
    "bookings.cancel": {errors.TooLate, errors.BookingCancelled},
    "bookings.reschedule": ONLY_FOR_INVITEES,
    "booking-links.read": OF_OTHER_AGGREGATES | {AccountNotFound},
    "booking-links.slots": OF_OTHER_AGGREGATES | {AccountNotFound},
    "booking-links.redeem_link": OF_OTHER_AGGREGATES,
    "manage.read": ONLY_SHOWN | {errors.LinkNotFound, errors.TooLate},
    "manage.slots": {errors.LinkNotFound},
    "manage.cancel": ONLY_SHOWN | {errors.LinkNotFound},
    "manage.reschedule": {errors.LinkNotFound, errors.NoOtherTimes},
    "manage.forget": ONLY_SHOWN | {errors.LinkNotFound, errors.TooLate},
}

OF_BODIES = (Invalid, Malformed, RequestEntityTooLarge, UnsupportedMediaType)
"""The refusals that reading a body by its schema can raise."""


def test_the_document_has_the_refusals_that_the_code_of_a_call_can_raise(app: Flask) -> None:
    views = {name: view for name, view in app.view_functions.items() if hasattr(view, "_apidoc")}
    raised = refusals_of(layer for view in views.values() for layer in _layers(view))
    calls = _documented(app)
    missing, groundless, impossible = [], [], []
    for name, view in views.items():
        call = calls.pop(view._apidoc["names"][-1])
        documented = {
            (int(status), slug)
            for status, response in call["responses"].items()
            if status[0] in "45"
            for slug in slugs(response)
        }
        is_owner = name.rpartition(".")[0] not in INVITEE_BLUEPRINTS
        by_code = {kind for layer in _layers(view) for kind in raised[layer]}
        never = NEVER.get(name, set())
        kinds = {*(by_code - never), *_of_arguments(call)}
        possible = {problem_of(kind, owner=is_owner)[:2] for kind in kinds}
        missing += [(name, problem) for problem in possible - documented]
        groundless += [(name, problem) for problem in documented - possible]
        impossible += [(name, kind) for kind in never - by_code]
    assert missing == []
    assert groundless == []
    assert impossible == []
    assert calls == {}


def _documented(app: Flask) -> dict[str, dict[str, Any]]:
    """Returns the calls that the document has by their names."""
    document: Any = app.test_client().get("/api/openapi.json").json
    return {call["operationId"]: call for call in operations(document).values()}


def _of_arguments(call: dict[str, Any]) -> Iterable[type[Exception]]:
    """Returns the refusals that reading the arguments of a call by their schemas can raise."""
    if "requestBody" in call:
        return OF_BODIES
    is_query = any(parameter["in"] == "query" for parameter in call.get("parameters", ()))
    return [Invalid] if is_query else []


def _layers(view: Any) -> Iterator[Any]:
    """Yields a view with all that is around it, from the outside."""
    yield view
    while view := getattr(view, "__wrapped__", None):
        yield view
