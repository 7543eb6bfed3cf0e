"""Endpoints about webhooks, for the owner whose programs are told of events."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any
from uuid import UUID

from application.deliveries.deliveries import DeliveryNotFound, DeliveryOver
from application.deliveries.outbox import WEBHOOK
from application.outgoing import AddressNotAllowed
from application.webhooks.webhooks import Webhook, WebhookEvent, WebhookNotFound
from domain.errors import Invalid
from interface.api.calls import address_of
from interface.api.decorators import Blueprint, caller, requires, shows
from interface.api.deliveries import page_of_deliveries
from interface.api.openapi import LOCATION, refuses
from interface.web.connection_response_schemas import (
    DeliveryPage,
    ReplayOutput,
    WebhookList,
    WebhookOutput,
    WebhookTrialOutput,
)
from interface.web.problems import Forbidden, Overloaded
from interface.web.request_context import services
from interface.web.request_schemas import (
    NoFields,
    ReplayInput,
    WebhookChange,
    WebhookDeliveryQuery,
    WebhookInput,
)
from interface.webhooks.trial import Trial, try_webhook
from projections.reactions.webhooks import WebhookReaction

blueprint = Blueprint(
    "webhooks",
    __name__,
    url_prefix="/api/v1/webhooks",
    description="Webhooks: programs of yours that get a message about links and bookings.",
)


@blueprint.route("")
@requires("bookings")
@blueprint.response(200, WebhookList)
def list_webhooks() -> Any:
    """List webhooks.

    In the order in which they were added.
    """
    return {"items": [_present(each) for each in services().webhooks.all(caller().account_id)]}


@blueprint.route("", methods=["POST"])
@requires("bookings")
@blueprint.arguments(WebhookInput)
@refuses(AddressNotAllowed, Invalid)
@blueprint.response(201, WebhookOutput, headers=LOCATION)
def create(body: dict[str, Any]) -> Any:
    """Add a webhook.

    From now on, `url` gets a POST for each of the events, as https://www.standardwebhooks.com
    describes: the body is `{"type", "timestamp", "data"}`, and the headers `webhook-id`,
    `webhook-timestamp` and `webhook-signature` let the receiver check it with the `secret`, which
    is never shown again. `data` is the link or the booking, as this API returns it, without `url`
    and `token`, and with the `reference` of the link. Without `personal_data`, all else that
    people typed is null. Messages about one link and its booking arrive in order. Those that are
    not answered by a 2xx are sent again for about two days, under the same id. A receiver that
    answers 410 pauses its webhook. An owner has at most 10. Events of links also take the scope
    `links`.
    """
    _must_be_allowed(body["events"])
    current = services()
    added = current.webhooks.add(owner_id=caller().account_id, now=current.now(), **body)
    return _present(added), {"Location": address_of("webhooks.read", webhook_id=added.id)}


@blueprint.route("/<uuid:webhook_id>")
@requires("bookings")
@refuses(WebhookNotFound)
@blueprint.response(200, WebhookOutput)
def read(webhook_id: UUID) -> Any:
    """Read a webhook.

    While `active` is false, nothing is sent to it. `problem` is `gone` if its receiver asked for
    that.
    """
    return _present(services().webhooks.one(caller().account_id, webhook_id))


@blueprint.route("/<uuid:webhook_id>", methods=["PATCH"])
@requires("bookings")
@blueprint.arguments(WebhookChange, required=False, example={"active": False})
@refuses(WebhookNotFound, AddressNotAllowed, Invalid)
@blueprint.response(200, WebhookOutput)
def change(body: dict[str, Any], webhook_id: UUID) -> Any:
    """Change, pause or resume a webhook.

    Messages that were not sent while a webhook was paused can be replayed.
    """
    _must_be_allowed(body.get("events", ()))
    return _present(services().webhooks.change(caller().account_id, webhook_id, **body))


@blueprint.route("/<uuid:webhook_id>", methods=["DELETE"])
@requires("bookings")
@refuses(WebhookNotFound)
@blueprint.response(204)
def remove(webhook_id: UUID) -> None:
    """Delete a webhook.

    Nothing more is sent to it.
    """
    services().webhooks.remove(caller().account_id, webhook_id)


@blueprint.route("/<uuid:webhook_id>/rotate-secret", methods=["POST"])
@requires("bookings")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(WebhookNotFound)
@blueprint.response(200, WebhookOutput)
def rotate_secret(webhook_id: UUID) -> Any:
    """Replace the secret of a webhook.

    The response shows the new one, once. For 24 hours, messages carry the signatures of both.
    """
    current = services()
    owner_id = caller().account_id
    return _present(current.webhooks.rotate_secret(owner_id, webhook_id, now=current.now()))


@blueprint.route("/<uuid:webhook_id>/test", methods=["POST"])
@requires("bookings")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(WebhookNotFound, Overloaded)
@blueprint.response(200, WebhookTrialOutput)
def test(webhook_id: UUID) -> Trial:
    """Test a webhook.

    Sends a message of the type `webhook.test`, with empty `data`, and waits 5 seconds at most for
    the answer. A paused webhook gets it too.
    """
    return try_webhook(services(), caller().account_id, webhook_id)


@blueprint.route("/<uuid:webhook_id>/deliveries")
@requires("bookings")
@shows(WebhookReaction.name)
@blueprint.arguments(WebhookDeliveryQuery, location="query")
@refuses(WebhookNotFound)
@blueprint.response(200, DeliveryPage)
def list_deliveries(query: dict[str, Any], webhook_id: UUID) -> Any:
    """List the deliveries to a webhook.

    The newest come first. `kind` is the type of the message, and `answer` the status of the last
    answer, or why there was none.
    """
    return page_of_deliveries(query, channel=WEBHOOK, target=_own_target(webhook_id))


@blueprint.route("/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/retry", methods=["POST"])
@requires("bookings")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(WebhookNotFound, DeliveryNotFound, DeliveryOver)
@blueprint.response(202)
def retry(webhook_id: UUID, delivery_id: UUID) -> None:
    """Try a delivery again now.

    Only one that is still due or was given up; any other can be replayed.
    """
    current = services()
    current.deliveries.retry(delivery_id, now=current.now(), target=_own_target(webhook_id))


@blueprint.route("/<uuid:webhook_id>/replay", methods=["POST"])
@requires("bookings")
@blueprint.arguments(ReplayInput, example={"after": "2027-01-11T08:00:00Z"})
@refuses(WebhookNotFound)
@blueprint.response(202, ReplayOutput)
def replay(body: dict[str, Any], webhook_id: UUID) -> Any:
    """Send messages again.

    Those with these `ids`, or about events `after` and `before` these times, whatever became of
    them: sent, given up, or not sent because the webhook was paused. Each has the same
    `webhook-id` as before, and what it says of people is read anew.
    """
    current = services()
    count = current.webhooks.replay(caller().account_id, webhook_id, now=current.now(), **body)
    return {"count": count}


def _own_target(webhook_id: UUID) -> str:
    """Returns how deliveries name a webhook of the caller. Raises `WebhookNotFound`."""
    return str(services().webhooks.one(caller().account_id, webhook_id).id)


def _must_be_allowed(events: Collection[WebhookEvent]) -> None:
    """Raises `Forbidden` for events of links if the key may not read links."""
    if any(event.is_about_links for event in events) and "links" not in caller().scopes:
        raise Forbidden("This API key lacks the scope links.")


def _present(webhook: Webhook) -> dict[str, Any]:
    """Returns the fields of a webhook. Its secret is there only when it is new."""
    return {name: value for name, value in asdict(webhook).items() if name != "secret" or value}
