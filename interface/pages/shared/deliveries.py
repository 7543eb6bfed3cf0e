"""Deliveries in words, for owners and operators."""

from application.deliveries.delivery import Delivery
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _

_KINDS = {
    "confirmation": _("Confirmation"),
    "moved": _("New time"),
    "changed": _("New place"),
    "request": _("Request to pick another time"),
    "cancelled": _("Cancellation"),
    "reminder": _("Reminder"),
    "new-key": _("New API key"),
    "new-password": _("New password"),
}


def kind_text(delivery: Delivery) -> str:
    """Returns what a delivery says, such as Confirmation."""
    text = _KINDS.get(delivery.kind)
    return gettext(text) if text else delivery.kind


def shown(deliveries: list[Delivery]) -> list[Delivery]:
    """Returns the deliveries that say something to somebody, the earliest first."""
    return [each for each in reversed(deliveries) if each.kind in _KINDS]
