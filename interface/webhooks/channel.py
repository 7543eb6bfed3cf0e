"""The channel of deliveries that are messages to webhooks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from application.deliveries.delivery import Delivery
from application.deliveries.outbox import WEBHOOK
from application.deliveries.sender import Failed, NotNeeded, Refused
from application.outgoing import AddressNotAllowed, RequestFailed
from application.webhooks.secrets import SecretUnreadable
from interface.bootstrap import Services

FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True)
class _Silence:
    """A receiver that gave no answer is not asked again before `until`."""

    until: datetime
    pause: timedelta
    answer: str


class WebhookChannel:
    """Sends messages to webhooks. Several senders may share it.

    Each message to a receiver that does not answer takes a quarter of a minute. So that those to
    other receivers don't wait for it, further ones to the same receiver fail at once for a while.
    """

    name = WEBHOOK
    at_once = 8  # all of which wait for the first receiver that hangs

    def __init__(self, services: Services) -> None:
        self._services = services
        self._silences: dict[UUID, _Silence] = {}

    def send(self, delivery: Delivery) -> str:
        """Sends the message of a delivery and returns the status of the answer."""
        # The schemas take some memory, which is needed from the first message on.
        from interface.webhooks import messages

        services = self._services
        webhook = services.webhooks.find(UUID(delivery.target))
        if webhook is None or not webhook.is_active:
            raise NotNeeded
        silence = self._silences.get(webhook.id)
        if silence is not None and services.now() < silence.until:
            raise Failed(silence.answer)
        body = messages.message(services, delivery, with_personal_data=webhook.personal_data)
        try:
            answer = services.webhooks.send(
                webhook,
                message_id=messages.message_id(delivery),
                body=body,
                now=services.now(),
            )
        except SecretUnreadable as error:
            raise Refused(error.detail) from error
        except (AddressNotAllowed, RequestFailed) as error:
            self._remember(webhook.id, error.detail)
            raise Failed(error.detail) from error
        self._silences.pop(webhook.id, None)
        if answer.is_gone:
            services.webhooks.pause_gone(webhook)
            raise Refused(f"{answer}: the receiver wants no more messages.")
        if not answer.is_accepted:
            raise Failed(str(answer))
        return str(answer)

    def close(self) -> None:
        """Does nothing: each message has a connection of its own."""

    def _remember(self, webhook_id: UUID, answer: str) -> None:
        before = self._silences.get(webhook_id)
        pause = FIRST_PAUSE if before is None else min(2 * before.pause, LONGEST_PAUSE)
        self._silences[webhook_id] = _Silence(self._services.now() + pause, pause, answer)
