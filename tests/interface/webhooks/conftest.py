"""A receiver of webhooks on this machine."""

from collections.abc import Iterator
from typing import Any

import pytest

from application.people.accounts import Account
from interface.bootstrap import Services
from tests.support.desk import Desk
from tests.support.other_server import OtherServer, other_server
from tests.support.webhook_receiver import WebhookReceiver, new_webhook, reaching_loopback


@pytest.fixture
def host(services: Services) -> Account:
    """An owner."""
    return services.accounts.create(email="olivia@example.org", name="Olivia", roles=("owner",))


@pytest.fixture
def host_desk(services: Services, host: Account) -> Desk:
    """Gives the owner's commands."""
    return Desk(services, owner_id=host.id)


@pytest.fixture
def other_program() -> Iterator[OtherServer]:
    """The owner's other program."""
    with other_server() as running:
        yield running


@pytest.fixture
def new_receiver(
    services: Services, conninfo: str, host: Account, other_program: OtherServer
) -> Any:
    """Adds a webhook with these options at the owner's program."""

    def make(*events: Any, path: str = "/hook", **options: Any) -> WebhookReceiver:
        reaching = reaching_loopback(services)
        url = f"http://{other_program.authority}{path}"
        webhook = new_webhook(reaching, host.id, url, *events, **options)
        return WebhookReceiver(other_program, reaching, webhook, conninfo)

    return make


@pytest.fixture
def receiver(new_receiver: Any) -> WebhookReceiver:
    """A receiver that is told of everything, without personal data."""
    made: WebhookReceiver = new_receiver()
    return made
