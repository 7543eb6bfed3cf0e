"""The mail with a new link, to the person who asked for it."""

from application.commands.new_link import NewLink
from application.link_requests import NEW_LINK
from application.people.personal_data import Prefill
from domain.link import SingleUseLink
from interface.bootstrap import Services
from tests.interface.mail.conftest import Send
from tests.interface.mail.test_booking_mails import text_of
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.mail_server import MailServer


def answered(services: Services, desk: Desk) -> SingleUseLink:
    """Returns the new link of somebody who asked for it in English."""
    calendar = desk.new_calendar()
    old = services.event_store.get(SingleUseLink, desk.new_link(calendar))
    services.link_requests.ask(
        old, name="Bob", email="bob@example.org", message=None, language="en", now=NOW
    )
    new = NewLink(prefill=Prefill("Bob", "bob@example.org"))
    (link,) = desk.issue(calendar, new).value
    request = services.link_requests.one(desk.owner_id, old.id)
    for _ in range(2):
        services.link_requests.answer(request, new_link_id=link.id, now=NOW)
    return link


def test_who_asked_for_a_link_gets_it_in_their_language(
    services: Services, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    link = answered(services, host_desk)
    assert send() == ["sent"]
    (mail,) = mail_server.mails
    assert mail["To"] == "Bob <bob@example.org>"
    assert mail["Reply-To"] == "Olivia Owner <olivia@example.org>"
    assert mail["Subject"] == "Your new link from Olivia Owner"
    address = f"https://book.example.org/b/{services.tokens.for_link(link.id)}"
    assert address in text_of(mail)


def test_a_link_that_has_ended_before_it_is_sent_is_not_sent(
    services: Services, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    link = answered(services, host_desk)
    host_desk.revoke(link.id)
    assert send() == ["ended"]
    assert mail_server.mails == []


def test_nothing_is_left_of_the_mail_once_the_invitee_is_forgotten(
    services: Services, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    mailed = answered(services, host_desk)
    mail_server.refusals.append("550 No bob@example.org here")
    assert send() == ["parked"]
    host_desk.forget(host_desk.book(mailed.id))
    rows = services.database.fetch_all(
        "SELECT state, answer FROM deliveries WHERE kind = %s", (NEW_LINK,)
    )
    assert rows == [{"state": "ended", "answer": None}]
