"""A program of an owner's that is told of events, and checks signatures with the library."""

import email
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_network
from threading import Event
from typing import Any
from uuid import UUID

import standardwebhooks.webhooks
from standardwebhooks import Webhook as Verifier

from application.deliveries.delivery import Delivery
from application.deliveries.sender import Sender
from application.webhooks.webhooks import Webhook, WebhookEvent
from interface.bootstrap import Services
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.http_client import HttpClient
from interface.webhooks.channel import WebhookChannel
from tests.support.claims import claims_of
from tests.support.other_server import OtherServer
from tests.support.projector import apply_log

LOOPBACK = ip_network("127.0.0.1")


def reaching_loopback(services: Services) -> Services:
    """Returns services that may also send to 127.0.0.1, but to no other address of ours."""
    outgoing = HttpClient(AllowedAddresses([LOOPBACK]))
    return replace(
        services, outgoing=outgoing, webhooks=replace(services.webhooks, outgoing=outgoing)
    )


@dataclass
class WebhookReceiver:
    """A receiver, its webhook, and the sender that tells it."""

    server: OtherServer
    services: Services
    webhook: Webhook
    conninfo: str

    def __post_init__(self) -> None:
        self._channel = WebhookChannel(self.services)
        self.sender = Sender(claims_of(self.services), self._channel, now=self.services.now)

    @property
    def secret(self) -> str:
        """Its first secret."""
        assert self.webhook.secret is not None
        return self.webhook.secret

    def send(self) -> list[str]:
        """Applies the log, sends what is due, and returns the state of each message, in order."""
        apply_log(self.conninfo)
        with closing(self._channel):
            self.sender.send_due(Event())
        return [each.state for each in self.deliveries()]

    def deliveries(self) -> list[Delivery]:
        """Returns all messages to it, in the order of their facts."""
        found = self.services.deliveries.newest(limit=100, target=str(self.webhook.id))
        return sorted(found, key=lambda each: each.fact or 0)

    def headers(self) -> list[dict[str, str]]:
        """Returns the headers of each request that has arrived, with names in lower case."""
        return [_headers(request) for request in self.server.requests]

    def messages(self, secret: str | None = None) -> list[dict[str, Any]]:
        """Returns all messages that have arrived. Each signature has to be right."""
        verifier = Verifier(secret or self.secret)
        pairs = zip(self.server.bodies, self.headers(), strict=True)
        with _at(self.services.now):
            return [verifier.verify(body, headers) for body, headers in pairs]


def new_webhook(
    services: Services, owner_id: UUID, url: str, *events: WebhookEvent, **options: Any
) -> Webhook:
    """Adds a webhook, told of everything by default."""
    return services.webhooks.add(
        owner_id=owner_id,
        url=url,
        events=events or tuple(WebhookEvent),
        personal_data=options.pop("personal_data", False),
        now=services.now(),
    )


def _headers(request: str) -> dict[str, str]:
    parsed = email.message_from_string(request.partition("\n")[2])
    return {name.lower(): str(value) for name, value in parsed.items()}


class _at:  # noqa: N801 - a context manager
    """Lets the library believe that it is the time of the services."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        class Then(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return now().astimezone(tz)

        self._then = Then

    def __enter__(self) -> None:
        vars(standardwebhooks.webhooks)["datetime"] = self._then

    def __exit__(self, *_: object) -> None:
        vars(standardwebhooks.webhooks)["datetime"] = datetime
