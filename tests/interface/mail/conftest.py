"""Services that send mail to a server of the test."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest

from application.deliveries.sender import Sender
from application.deliveries.sender_session import SenderSession
from application.people.accounts import Account
from interface.bootstrap import Services
from interface.mail.channel import MailChannel
from tests.support.claims import claims_of
from tests.support.clock import Clock
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.mail_server import MailServer, running_mail_server
from tests.support.projector import apply_log

Send = Callable[[], list[str]]


@pytest.fixture(scope="module")
def shared_mail_server() -> Iterator[MailServer]:
    """A mail server of the module."""
    with running_mail_server() as server:
        yield server


@pytest.fixture
def mail_server(shared_mail_server: MailServer) -> MailServer:
    """A mail server that has got nothing yet."""
    for kept in (shared_mail_server.mails, shared_mail_server.envelopes):
        kept.clear()
    shared_mail_server.refusals.clear()
    shared_mail_server.sessions.clear()
    return shared_mail_server


@pytest.fixture
def mailing(services: Services, mail_server: MailServer) -> Services:
    """Services that send mail to the server."""
    return replace(services, settings=replace(services.settings, smtp_url=mail_server.address))


@pytest.fixture
def host(services: Services) -> Account:
    """An owner who reads German, in Berlin."""
    account = services.accounts.create(
        email="olivia@example.org", name="Olivia Owner", roles=("owner",)
    )
    services.accounts.set_language(account, "de-DE")
    return services.accounts.change(account, name=account.name, time_zone="Europe/Berlin")


@pytest.fixture
def host_desk(services: Services, host: Account) -> Desk:
    """Gives the owner's commands."""
    return Desk(services, owner_id=host.id)


@pytest.fixture
def sender(mailing: Services, conninfo: str) -> Iterator[Sender]:
    """Sends mail to the server."""
    with (
        closing(MailChannel(mailing)) as channel,
        closing(SenderSession(conninfo, now=mailing.now)) as session,
    ):
        yield Sender(claims_of(mailing), channel, now=mailing.now, session=session)


@pytest.fixture
def send(sender: Sender, conninfo: str, services: Services) -> Send:
    """Applies the log, sends what is due, and returns the state of every delivery, in order."""

    def run() -> list[str]:
        apply_log(conninfo)
        sender.send_due(Event())
        rows = services.database.fetch_all(
            "SELECT state FROM deliveries ORDER BY fact, kind, audience"
        )
        return [row["state"] for row in rows]

    return run


@pytest.fixture
def booking_id(host_desk: Desk, clock: Clock) -> UUID:
    """A booking that begins too soon for a reminder."""
    return host_desk.book(host_desk.new_link(), NOW + timedelta(hours=8))
