"""Sends a message that tells of nothing to a webhook, so that its owner sees whether it arrives."""

from threading import BoundedSemaphore
from typing import NamedTuple
from uuid import UUID, uuid4

from application.outgoing import AddressNotAllowed, RequestFailed
from application.webhooks.secrets import SecretUnreadable
from application.webhooks.webhooks import WebhookNotFound
from interface.bootstrap import Services
from interface.web.problems import Overloaded
from interface.webhooks.messages import trial_message

SECONDS = 5.0
AT_ONCE = 2
_turns = BoundedSemaphore(AT_ONCE)


class Trial(NamedTuple):
    """The outcome: whether the receiver has taken the message, and what it answered."""

    is_accepted: bool
    answer: str


def try_webhook(services: Services, owner_id: UUID, webhook_id: UUID) -> Trial:
    """Sends the message and returns what became of it, within seconds.

    A paused webhook gets it too. Raises `WebhookNotFound`, or `Overloaded` while too many others
    are tried, because each holds a thread of the web server.
    """
    webhook = services.webhooks.one(owner_id, webhook_id)
    now = services.now()
    recipient = services.webhooks.recipients([webhook.id], now=now).get(webhook.id)
    if recipient is None:
        raise WebhookNotFound
    if not _turns.acquire(blocking=False):
        raise Overloaded
    try:
        answer = services.webhooks.send(
            recipient,
            message_id=f"msg_{uuid4().hex}",
            body=trial_message(now),
            now=now,
            seconds=SECONDS,
        )
    except (AddressNotAllowed, RequestFailed, SecretUnreadable) as error:
        return Trial(False, error.detail)
    finally:
        _turns.release()
    return Trial(answer.is_accepted, str(answer))
