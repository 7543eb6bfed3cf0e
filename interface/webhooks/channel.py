"""The channel of deliveries that are messages to webhooks."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from application.deliveries.channel import Failed, NotNeeded, Refused, Send
from application.deliveries.delivery import Delivery
from application.deliveries.outbox import WEBHOOK
from application.delivery_facts import FactReader, Facts
from application.outgoing import AddressNotAllowed, RequestFailed
from application.webhooks.secrets import SecretUnreadable
from application.webhooks.webhooks import Recipient
from interface.bootstrap import Services

FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=5)
QUICK = timedelta(milliseconds=250)
REST = 9
"""A receiver that is not quick comes behind all others for so many times as long as its last answer
took. So it takes a tenth of a sender's time while others wait, or a third if a batch has several of
its answers, and all of it while nobody does."""


@dataclass(frozen=True)
class _Silence:
    """A receiver that gave no answer is not asked again before `until`."""

    until: datetime
    pause: timedelta
    answer: str


@dataclass(frozen=True)
class Receivers:
    """The receivers that gave no answer or were slow of late. Several channels may share this.

    `slow_until` says until when others come before a receiver; its key is the delivery's target.
    """

    silences: dict[UUID, _Silence] = field(default_factory=dict)
    slow_until: dict[str, datetime] = field(default_factory=dict)


class WebhookChannel:
    """Sends messages to webhooks.

    Each message to a receiver that does not answer takes a quarter of a minute. So that those to
    other receivers don't wait for it, further ones to the same receiver fail at once for a while.
    """

    name = WEBHOOK
    at_once = 32  # all of which wait for the first receiver that hangs

    def __init__(self, services: Services, receivers: Receivers | None = None) -> None:
        self._services = services
        self._facts = FactReader(services.event_store, services.accounts)
        self._connections = services.outgoing.connections()
        self._receivers = receivers or Receivers()

    def prepare(self, deliveries: Collection[Delivery]) -> Send:
        """Reads the webhooks and what they are told. Each message is written when it is sent."""
        # The schemas take some memory, which is needed from the first message on.
        from interface.webhooks.messages import wanted_by

        services = self._services
        recipients = services.webhooks.recipients(
            {UUID(delivery.target) for delivery in deliveries}, now=services.now()
        )
        facts = self._facts.read(
            [wanted for delivery in deliveries for wanted in wanted_by(delivery)],
            {delivery.owner_id for delivery in deliveries},
        )
        return partial(self._send, facts, recipients)

    def _send(self, facts: Facts, recipients: dict[UUID, Recipient], delivery: Delivery) -> str:
        """Sends the message of a delivery and returns the status of the answer."""
        from interface.webhooks import messages

        services = self._services
        recipient = recipients.get(UUID(delivery.target))
        if recipient is None or not recipient.webhook.is_active:
            raise NotNeeded
        if facts.account(delivery.owner_id).disabled_at is not None:
            raise NotNeeded
        webhook = recipient.webhook
        silence = self._receivers.silences.get(webhook.id)
        if silence is not None and services.now() < silence.until:
            raise Failed(silence.answer)
        begun = services.now()
        body = messages.message(facts, delivery, with_personal_data=webhook.personal_data)
        try:
            answer = services.webhooks.send(
                recipient,
                message_id=messages.message_id(delivery),
                body=body,
                now=services.now(),
                connections=self._connections,
            )
        except SecretUnreadable as error:
            raise Refused(error.detail) from error
        except (AddressNotAllowed, RequestFailed) as error:
            self._remember(webhook.id, error.detail)
            raise Failed(error.detail) from error
        finally:
            self._note_time(delivery.target, begun=begun)
        self._receivers.silences.pop(webhook.id, None)
        if answer.is_gone:
            services.webhooks.pause_gone(webhook)
            del recipients[webhook.id]
            raise Refused(f"{answer}: the receiver wants no more messages.")
        if not answer.is_accepted:
            raise Failed(str(answer))
        return str(answer)

    def slow_targets(self) -> list[str]:
        """Returns the receivers that come behind all others for now."""
        now = self._services.now()
        slow_until = list(self._receivers.slow_until.items())  # other threads add to it
        return [target for target, until in slow_until if now < until]

    def close(self) -> None:
        """Closes the connections to the receivers."""
        self._connections.close()

    def _remember(self, webhook_id: UUID, answer: str) -> None:
        before = self._receivers.silences.get(webhook_id)
        pause = FIRST_PAUSE if before is None else min(2 * before.pause, LONGEST_PAUSE)
        until = self._services.now() + pause
        self._receivers.silences[webhook_id] = _Silence(until, pause, answer)

    def _note_time(self, target: str, *, begun: datetime) -> None:
        now = self._services.now()
        if now - begun > QUICK:
            self._receivers.slow_until[target] = now + REST * (now - begun)
