"""Deliveries in words, for owners and operators."""

from application import link_requests
from application.deliveries.delivery import Delivery
from application.webhooks.webhooks import WebhookEvent
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _

EVENTS = {
    WebhookEvent.LINK_ISSUED: _("Link created"),
    WebhookEvent.LINK_CHANGED: _("Link changed"),
    WebhookEvent.LINK_REDEEMED: _("Link used"),
    WebhookEvent.LINK_REVOKED: _("Link revoked"),
    WebhookEvent.BOOKING_MADE: _("Booking made"),
    WebhookEvent.BOOKING_RESCHEDULED: _("Booking moved"),
    WebhookEvent.BOOKING_CHANGED: _("Location changed"),
    WebhookEvent.BOOKING_CANCELLED: _("Booking cancelled"),
}
"""The events that webhooks are told of, in words."""

_KINDS = {
    **{event.value: label for event, label in EVENTS.items()},
    "confirmation": _("Confirmation"),
    "moved": _("New time"),
    "changed": _("New location"),
    "request": _("Request to pick another time"),
    "cancelled": _("Cancellation"),
    "reminder": _("Reminder"),
    link_requests.LINK_REQUEST: _("Request for a new link"),
    link_requests.NEW_LINK: _("New link"),
    "new-key": _("New API key"),
    "new-password": _("New password"),
    "new-passkey": _("New passkey"),
    "new-identity": _("Sign-in service connected"),
    "new-browser": _("Sign-in from a new browser"),
}


def kind_text(delivery: Delivery) -> str:
    """Returns what a delivery says, such as Confirmation."""
    text = _KINDS.get(delivery.kind)
    return gettext(text) if text else delivery.kind


def shown(deliveries: list[Delivery]) -> list[Delivery]:
    """Returns the deliveries that say something to somebody, the earliest first."""
    return [each for each in reversed(deliveries) if each.kind in _KINDS]
