"""Webhooks: the owner's other programs that are told of events, and what they were sent."""

from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from application.deliveries.outbox import WEBHOOK
from application.outgoing import AddressNotAllowed
from application.webhooks.webhooks import MOST_WEBHOOKS, Webhook, WebhookEvent
from domain.errors import Invalid
from interface.i18n import mark_for_translation as _
from interface.outgoing.outgoing_url import LONGEST_URL
from interface.pages.owner.owned import own_id
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.deliveries import EVENTS, kind_text
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Name
from interface.web.request_context import services
from interface.webhooks.trial import Trial, try_webhook

MOST_SHOWN = 50

blueprint = Blueprint("webhooks_pages", __name__)
protect_from_csrf(blueprint)

Errors = dict[str, list[str]]

_NO_EVENT = _("Select at least one event.")


class WebhookForm(Schema):
    """The address of a webhook, and the events that it is told of."""

    url = Name(
        longest=LONGEST_URL,
        required=True,
        error_messages={"required": _("Enter the address of your program.")},
    )
    events = fields.List(
        fields.Enum(WebhookEvent, by_value=True), validate=validate.Length(min=1, error=_NO_EVENT)
    )
    personal_data = fields.Boolean(load_default=False)


@blueprint.get("/settings/webhooks")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows all webhooks, and a form for another one."""
    return _index()


@blueprint.post("/settings/webhooks")
@for_role("owner")
def add() -> ResponseReturnValue:
    """Adds a webhook and shows its secret in this response only."""
    current, typed = services(), _typed()
    loaded = load(WebhookForm(), typed)
    if loaded.errors:
        return _index(typed=typed, errors=loaded.errors), 422
    try:
        added = current.webhooks.add(owner_id=own_id(), now=current.now(), **loaded.values)
    except (Invalid, AddressNotAllowed) as refusal:
        return _index(typed=typed, errors=_errors(refusal)), 422
    return _page(added), 201


@blueprint.get("/settings/webhooks/<uuid:webhook_id>")
@for_role("owner")
def show(webhook_id: UUID) -> ResponseReturnValue:
    """Shows a webhook and what was sent to it."""
    return _page(_own(webhook_id))


@blueprint.post("/settings/webhooks/<uuid:webhook_id>")
@for_role("owner")
def change(webhook_id: UUID) -> ResponseReturnValue:
    """Changes a webhook, or shows the form again with what is wrong."""
    typed = _typed()
    loaded = load(WebhookForm(), typed)
    if loaded.errors:
        return _page(_own(webhook_id), typed=typed, errors=loaded.errors), 422
    try:
        services().webhooks.change(own_id(), webhook_id, **loaded.values)
    except (Invalid, AddressNotAllowed) as refusal:
        return _page(_own(webhook_id), typed=typed, errors=_errors(refusal)), 422
    return _to(webhook_id, "webhook-changed")


@blueprint.post("/settings/webhooks/<uuid:webhook_id>/pause")
@for_role("owner")
def pause(webhook_id: UUID) -> ResponseReturnValue:
    """Pauses a webhook."""
    services().webhooks.change(own_id(), webhook_id, is_active=False)
    return _to(webhook_id, "webhook-paused")


@blueprint.post("/settings/webhooks/<uuid:webhook_id>/resume")
@for_role("owner")
def resume(webhook_id: UUID) -> ResponseReturnValue:
    """Resumes a webhook."""
    services().webhooks.change(own_id(), webhook_id, is_active=True)
    return _to(webhook_id, "webhook-resumed")


@blueprint.post("/settings/webhooks/<uuid:webhook_id>/test")
@for_role("owner")
def test(webhook_id: UUID) -> ResponseReturnValue:
    """Sends a message that tells of nothing, and shows what was answered."""
    trial = try_webhook(services(), own_id(), webhook_id)
    return _page(_own(webhook_id), trial=trial)


@blueprint.post("/settings/webhooks/<uuid:webhook_id>/rotate-secret")
@for_role("owner")
def rotate_secret(webhook_id: UUID) -> ResponseReturnValue:
    """Replaces the secret and shows the new one in this response only."""
    current = services()
    return _page(current.webhooks.rotate_secret(own_id(), webhook_id, now=current.now()))


@blueprint.post("/settings/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>")
@for_role("owner")
def send_again(webhook_id: UUID, delivery_id: UUID) -> ResponseReturnValue:
    """Sends one message again, or at once if it waits."""
    current = services()
    current.webhooks.replay(own_id(), webhook_id, ids=[delivery_id], now=current.now())
    return _to(webhook_id, "webhook-sent-again")


@blueprint.get("/settings/webhooks/<uuid:webhook_id>/delete")
@for_role("owner")
def ask_to_delete(webhook_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation: the secret can't be shown again."""
    return render_template("webhooks/delete.html", webhook=_own(webhook_id))


@blueprint.post("/settings/webhooks/<uuid:webhook_id>/delete")
@for_role("owner")
def delete(webhook_id: UUID) -> ResponseReturnValue:
    """Deletes a webhook."""
    services().webhooks.remove(own_id(), webhook_id)
    return redirect(url_for("webhooks_pages.index", notice="webhook-deleted"), 303)


def _index(*, typed: dict[str, Any] | None = None, errors: Errors | None = None) -> str:
    webhooks = services().webhooks.all(own_id())
    return render_template(
        "webhooks/index.html",
        webhooks=webhooks,
        is_full=len(webhooks) >= MOST_WEBHOOKS,
        most=MOST_WEBHOOKS,
        **_form(typed or {"url": "", "events": [], "personal_data": ""}, errors),
    )


def _page(
    webhook: Webhook,
    *,
    trial: Trial | None = None,
    typed: dict[str, Any] | None = None,
    errors: Errors | None = None,
) -> str:
    deliveries = services().deliveries.newest(
        limit=MOST_SHOWN, channel=WEBHOOK, target=str(webhook.id)
    )
    stored = {
        "url": webhook.url,
        "events": list(webhook.events),
        "personal_data": webhook.personal_data,
    }
    return render_template(
        "webhooks/show.html",
        webhook=webhook,
        trial=trial,
        deliveries=deliveries,
        is_waiting=any(each.next_due_at for each in deliveries),
        kind_text=kind_text,
        zone=user_time_zone(),
        **_form(typed or stored, errors),
    )


def _form(typed: dict[str, Any], errors: Errors | None) -> dict[str, Any]:
    return {
        "typed": typed,
        "errors": errors or {},
        "event_labels": EVENTS,
        "longest_url": LONGEST_URL,
    }


def _typed() -> dict[str, Any]:
    return {
        "url": request.form.get("url", ""),
        "events": request.form.getlist("events"),
        "personal_data": request.form.get("personal_data", ""),
    }


def _errors(refusal: Invalid | AddressNotAllowed) -> Errors:
    return errors_of(refusal) if isinstance(refusal, Invalid) else {"url": [refusal.detail]}


def _own(webhook_id: UUID) -> Webhook:
    return services().webhooks.one(own_id(), webhook_id)


def _to(webhook_id: UUID, notice: str) -> ResponseReturnValue:
    return redirect(url_for("webhooks_pages.show", webhook_id=webhook_id, notice=notice), 303)
