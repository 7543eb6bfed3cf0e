"""The OpenAPI document has every refusal that the code of a call can raise, and no other."""

from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from application.busy_calendars.busy_calendars import BusyCalendarNotFound
from application.people.accounts import AccountNotFound
from application.webhooks.webhooks import WebhookNotFound
from domain import errors
from domain.errors import AdmitOneError, Invalid, Unavailable
from interface.web.problems import INVITEE_BLUEPRINTS, Malformed, problem_of
from tests.support.raised_refusals import refusals_of

Kinds = set[type[AdmitOneError]]

# What the code names and can't happen. What belongs to a link, a booking or an account is never
# deleted, and what was just created is there.
OTHER_KINDS: Kinds = {errors.CalendarNotFound, errors.BookingNotFound, errors.ScheduleNotFound}
"""Of links and bookings, which the same function looks up."""
ONLY_FOR_INVITEES: Kinds = {errors.TooLate, errors.RescheduleLimitReached}
ONLY_SHOWN: Kinds = {errors.BookingCancelled, errors.RescheduleLimitReached}
"""What a manage link can still do is found by trying."""
NEVER: dict[str, Kinds] = {
    "key.read": {AccountNotFound},
    "calendars.create": {errors.ScheduleNotFound},
    "busy-calendars.create": {BusyCalendarNotFound},
    "webhooks.create": {WebhookNotFound},
    "links.revoke": {errors.LinkRevoked},  # only replacing a revoked link is refused
    "bookings.cancel": {errors.TooLate, errors.BookingCancelled},
    "bookings.reschedule": ONLY_FOR_INVITEES,
    "booking-links.read": OTHER_KINDS | {AccountNotFound},
    "booking-links.slots": OTHER_KINDS | {AccountNotFound},
    "booking-links.redeem_link": OTHER_KINDS,
    "manage.read": ONLY_SHOWN | {errors.LinkNotFound, errors.TooLate},
    "manage.slots": {errors.LinkNotFound},
    "manage.cancel": ONLY_SHOWN | {errors.LinkNotFound},
    "manage.reschedule": {errors.LinkNotFound},
    "manage.forget": ONLY_SHOWN | {errors.LinkNotFound, errors.TooLate},
}

OF_BODIES = {
    problem_of(kind, owner=True)[:2]
    for kind in (Invalid, Malformed, RequestEntityTooLarge, UnsupportedMediaType)
}
"""The refusals that reading a body by its schema can raise."""


def test_the_document_has_the_refusals_that_the_code_of_a_call_can_raise(app: Flask) -> None:
    views = {name: view for name, view in app.view_functions.items() if hasattr(view, "_apidoc")}
    raised = refusals_of(layer for view in views.values() for layer in _layers(view))
    missing, groundless, impossible = [], [], []
    for name, view in views.items():
        is_owner = name.rpartition(".")[0] not in INVITEE_BLUEPRINTS
        documented = {problem_of(kind, owner=is_owner)[:2] for kind in _documented(view)}
        by_code = {kind for layer in _layers(view) for kind in raised[layer]}
        never = NEVER.get(name, set())
        possible = {problem_of(kind, owner=is_owner)[:2] for kind in by_code - never}
        missing += [(name, problem) for problem in possible - documented]
        groundless += [(name, problem) for problem in documented - possible - OF_BODIES]
        impossible += [(name, kind) for kind in never - by_code]
    assert missing == []
    assert groundless == []
    assert impossible == []


def _documented(view: Any) -> set[type[Exception]]:
    """Returns the refusals that the document has of a call."""
    return {Unavailable, *view._apidoc.get("refusals", ())}


def _layers(view: Any) -> Iterator[Any]:
    """Yields a view with all that is around it, from the outside."""
    yield view
    while view := getattr(view, "__wrapped__", None):
        yield view
