"""Somebody whose link has ended asks the host for a new one."""

import re
from collections.abc import Callable

import pytest

from application.people.rate_limits import LINK_REQUESTS
from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.invitee_browser import BOB, InviteeBrowser, tells_nothing, text_of

ASKED = BOB | {"notes": "Sorry, I was <late>."}


@pytest.fixture
def ended(new_invitee_browser: Callable[..., InviteeBrowser]) -> InviteeBrowser:
    """A stranger with a link that somebody else has used."""
    invitee = new_invitee_browser(contact="Call 555-0100.")
    invitee.post(invitee.form())
    return invitee.elsewhere()


def test_every_link_that_ended_names_host_calendar_and_contact_and_offers_to_ask(
    new_invitee_browser: Callable[..., InviteeBrowser], ended: InviteeBrowser, clock: Clock
) -> None:
    revoked = new_invitee_browser(contact="Call 555-0100.")
    revoked.revoke()
    expired = new_invitee_browser(contact="Call 555-0100.")
    clock.advance(days=91)
    for invitee in (ended, revoked, expired):
        answer = invitee.get()
        assert answer.status_code == 410
        shown = text_of(answer)
        for words in ("Olivia Owner", "Intro call", "Call 555-0100.", "Ask for a new link"):
            assert words in shown
        tells_nothing(answer)


def test_a_request_lands_with_the_host_once_for_each_link(
    ended: InviteeBrowser, services: Services
) -> None:
    answer = ended.ask(**ASKED)
    assert answer.status_code == 303
    again = ended.browser.get(answer.headers["Location"])
    assert "The host has been asked for a new link." in text_of(again)
    assert "<form" not in again.get_data(as_text=True)
    other = ended.elsewhere().ask(name="Mallory")
    assert (other.status_code, other.headers["Location"]) == (303, answer.headers["Location"])
    (request,) = services.link_requests.all(ended.owner.account.id)
    assert (request.name, request.email, request.message) == tuple(ASKED.values())
    assert str(request.link_id) == ended.link["id"]


def test_a_name_is_needed_and_what_was_typed_is_kept(
    ended: InviteeBrowser, services: Services
) -> None:
    answer = ended.ask(name="", email="nonsense", notes="Please <3")
    assert answer.status_code == 410
    assert "Enter your name." in text_of(answer)
    page = answer.get_data(as_text=True)
    assert 'value="nonsense"' in page
    assert "Please &lt;3" in page
    assert services.link_requests.all(ended.owner.account.id) == []


def test_the_language_of_a_form_that_was_refused_can_be_changed(ended: InviteeBrowser) -> None:
    page = ended.ask(name="").get_data(as_text=True)
    (german,) = re.findall(r'href="(\?lang=de)"', page)
    answer = ended.browser.get(f"{ended.path}/ask{german}", follow_redirects=True)
    assert "Dieser Link wurde schon benutzt." in text_of(answer)


def test_what_was_typed_into_a_form_that_lost_its_link_is_in_the_request(
    invitee: InviteeBrowser,
) -> None:
    form = invitee.form() | {"notes": "About engines."}
    invitee.elsewhere().post(form)
    page = invitee.elsewhere().post(form | {"idempotency_key": "another"}).get_data(as_text=True)
    assert 'value="Ada Lovelace"' in page
    assert "About engines." in page


def test_where_nothing_is_free_one_can_ask_too(
    new_invitee_browser: Callable[..., InviteeBrowser], services: Services
) -> None:
    invitee = new_invitee_browser(availability={"weekly": {}})
    assert "Ask for a new link" in text_of(invitee.get())
    assert invitee.ask(name=" ").status_code == 422
    assert invitee.ask(name="Bob").status_code == 303
    assert [each.name for each in services.link_requests.all(invitee.owner.account.id)] == ["Bob"]


def test_strangers_can_ask_only_so_often(ended: InviteeBrowser) -> None:
    answers = [ended.ask(**BOB).status_code for _ in range(LINK_REQUESTS.failures + 1)]
    assert answers == [303] * LINK_REQUESTS.failures + [429]


def test_a_forged_token_asks_nobody(ended: InviteeBrowser) -> None:
    assert ended.browser.post("/b/forged/ask", data=BOB).status_code == 404
