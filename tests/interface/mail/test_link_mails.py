"""The mails about a new link: to its owner, and to the person who asked for it."""

from application.link_requests import LINK_REQUEST, NEW_LINK, LinkRequest
from application.people.accounts import Account
from domain.link import SingleUseLink
from interface.bootstrap import Services
from tests.interface.mail.conftest import Send
from tests.interface.mail.test_booking_mails import text_of
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.mail_server import MailServer


def asked(services: Services, desk: Desk) -> LinkRequest:
    """Returns the request of somebody who asks for a new link in English."""
    old = services.event_store.get(SingleUseLink, desk.new_link(desk.new_calendar()))
    for name in ("Bob", "Mallory"):
        services.link_requests.ask(
            old, name=name, email="bob@example.org", message="Please.", language="en", now=NOW
        )
    return services.link_requests.one(desk.owner_id, old.id)


def answered(services: Services, desk: Desk) -> SingleUseLink:
    """Returns the new link of somebody who asked for it."""
    request = asked(services, desk)
    return services.request_answers.answer(request, actor=desk.actor, now=NOW).value


def test_the_owner_is_told_once_for_each_link_in_their_language(
    services: Services, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    request = asked(services, host_desk)
    assert send() == ["sent"]
    (mail,) = mail_server.mails
    assert mail["To"] == "Olivia Owner <olivia@example.org>"
    assert mail["Reply-To"] == "Bob <bob@example.org>"
    assert mail["Subject"] == "Bob bittet um einen neuen Link"
    for words in ("bob@example.org", "Intro call", "Please.", "https://book.example.org/links"):
        assert words in text_of(mail)
    services.link_requests.dismiss(request.owner_id, request.link_id)
    asked(services, host_desk)  # about another link
    link = services.event_store.get(SingleUseLink, request.link_id)
    services.link_requests.ask(link, name="Bob", email=None, message=None, language="en", now=NOW)
    assert send() == ["sent", "sent"]


def test_a_mail_about_a_request_is_not_sent_once_it_is_answered_or_not_wanted(
    services: Services, host: Account, host_desk: Desk, send: Send
) -> None:
    request = asked(services, host_desk)
    services.link_requests.dismiss(request.owner_id, request.link_id)
    assert send() == ["ended"]
    services.accounts.mute_mails(host, [LINK_REQUEST])
    asked(services, host_desk)
    assert send() == ["ended", "ended"]


def test_who_asked_for_a_link_gets_it_in_their_language(
    services: Services, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    link = answered(services, host_desk)
    assert send() == ["ended", "sent"]
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
    assert send() == ["ended", "ended"]
    assert mail_server.mails == []


def test_nothing_is_left_of_the_mail_once_the_invitee_is_forgotten(
    services: Services, host_desk: Desk, send: Send, mail_server: MailServer
) -> None:
    mailed = answered(services, host_desk)
    mail_server.refusals.append("550 No bob@example.org here")
    assert send() == ["ended", "parked"]
    host_desk.forget(host_desk.book(mailed.id))
    rows = services.database.fetch_all(
        "SELECT state, answer FROM deliveries WHERE kind = %s", (NEW_LINK,)
    )
    assert rows == [{"state": "ended", "answer": None}]
