"""The part of the OpenAPI document about messages to webhooks: what the owner's program gets."""

from typing import Any

from application.webhooks.webhooks import WebhookEvent
from interface.api.openapi import Api
from interface.webhooks.message_schemas import TRIAL, BookingMessage, LinkMessage, TrialMessage

_SUMMARIES = {
    WebhookEvent.LINK_ISSUED: "A link was issued.",
    WebhookEvent.LINK_CHANGED: "What a link says, or its expiry, was changed.",
    WebhookEvent.LINK_REDEEMED: "A link was used to book.",
    WebhookEvent.LINK_REVOKED: "A link was revoked.",
    WebhookEvent.BOOKING_MADE: "A booking was made.",
    WebhookEvent.BOOKING_RESCHEDULED: "A booking was moved to another time.",
    WebhookEvent.BOOKING_CHANGED: "A booking has a new location.",
    WebhookEvent.BOOKING_CANCELLED: "A booking was cancelled.",
    TRIAL: "Its owner wants to see whether a message arrives.",
}
_HEADERS = {
    "webhook-id": "The same whenever the message is sent again.",
    "webhook-timestamp": "When it was sent: seconds since 1970.",
    "webhook-signature": "One or several signatures, by https://www.standardwebhooks.com.",
}
_ANSWERS = {
    "2XX": "The message is accepted.",
    "410": "The receiver wants no more messages: the webhook is paused.",
    "default": "The message is sent again later.",
}


def document_messages(api: Api) -> None:
    """Adds the messages to the document."""
    for schema in (LinkMessage, BookingMessage, TrialMessage):
        api.spec.components.schema(schema.__name__, schema=schema)
    api.spec.options["webhooks"] = {
        str(name): {"post": _message(str(name), summary)} for name, summary in _SUMMARIES.items()
    }


def _message(name: str, summary: str) -> dict[str, Any]:
    if name == TRIAL:
        schema = TrialMessage.__name__
    else:
        is_about_links = WebhookEvent(name).is_about_links
        schema = (LinkMessage if is_about_links else BookingMessage).__name__
    return {
        "tags": ["webhooks"],
        "summary": summary,
        "description": f"The `type` of the message is `{name}`.",
        "parameters": [
            {
                "in": "header",
                "name": header,
                "description": description,
                "required": True,
                "schema": {"type": "string"},
            }
            for header, description in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
        "responses": {status: {"description": text} for status, text in _ANSWERS.items()},
    }
