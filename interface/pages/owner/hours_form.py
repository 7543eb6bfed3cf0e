"""The parts that the forms of calendars and of schedules have in common."""

from collections.abc import Collection
from typing import Any, Protocol, Self, TypeVar

from flask import request

from domain.booking_rules import WEEKDAYS
from interface.pages.owner.calendar_form import FIELDS, WEEKLY, override_field
from interface.pages.owner.calendar_labels import label
from interface.web.time_zone_lookup import selectable_time_zones


class HoursForm(Protocol):
    """A form with weekly hours."""

    def with_hours_copied(self, source: str, days: str) -> Self:
        """Returns the form with a weekday's hours copied to other days."""


F = TypeVar("F", bound=HoursForm)


def after_helper_button(form: F) -> F | None:
    """Returns the form to show again if a button was pressed that saves nothing, else None."""
    match request.form.get("do"):
        case "copy":
            return form.with_hours_copied(
                request.form.get("copy_from", ""), request.form.get("copy_to", "")
            )
        case "preview":
            return form
        case _:
            return None


def fields_context() -> dict[str, Any]:
    """Returns what the template of the hours needs, beside a form and its errors."""
    return {
        "label": label,
        "weekly": WEEKLY,
        "weekdays": WEEKDAYS,
        "override_field": override_field,
        "zones": selectable_time_zones(),
    }


def labels_of(errors: Collection[str]) -> list[str]:
    """Returns the labels of the fields with errors, which prevent a preview."""
    labels = [label(field) for field in FIELDS if field in errors]
    is_in_overrides = any(field not in FIELDS for field in errors)
    return [*labels, label("overrides")] if is_in_overrides else labels


def version_sent() -> str:
    """Returns the version that the form was filled in from; 0, which never exists, if malformed."""
    version = request.form.get("version", "")
    return version if version.isascii() and version.isdigit() and len(version) < 10 else "0"
