"""The owner sees who asks for a new link, and answers with one click."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from application import link_requests
from domain.link import LONGEST_LIFE, SingleUseLink
from interface.bootstrap import Services
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.link_requests import ask_for_new_link
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


@pytest.fixture
def asked(owner: Owner, calendar_id: str, services: Services) -> dict[str, Any]:
    """A revoked link with a request."""
    link: dict[str, Any] = owner.new_link(
        calendar_id, recipient="Bob", note="Second try", expires_in_days=30
    )
    owner.revoke(link)
    ask_for_new_link(services, link)
    return link


def path(link: dict[str, Any], action: str) -> str:
    return f"/links/{link['id']}/request/{action}"


@pytest.mark.parametrize("page", ["/", "/links"])
def test_a_request_is_shown_with_who_asked(
    page: str, person: SignedIn, asked: dict[str, Any]
) -> None:
    shown = person.get(page).get_data(as_text=True)
    for words in ("Bob Byte", "bob@example.org", "Sorry, I was late.", path(asked, "answer")):
        assert words in shown


def test_one_click_issues_a_link_like_the_old_one_and_mails_it(
    person: SignedIn, owner: Owner, asked: dict[str, Any], services: Services
) -> None:
    answers = [person.post(path(asked, "answer")) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    (new, _) = owner.get("/links").json["items"]
    assert f"/links/{new['id']}" in answers[0].headers["Location"]
    assert new["recipient"] == "Bob Byte"
    assert new["note"] is None  # forgetting whom the old link was for would not reach a copy
    assert new["prefill"] == {"name": "Bob Byte", "email": "bob@example.org"}
    assert new["expires_at"] == "2026-12-23T08:00:00Z"
    mails = services.database.fetch_all(
        "SELECT target, link_id::text FROM deliveries WHERE kind = %s", (link_requests.NEW_LINK,)
    )
    assert mails == [{"target": "de", "link_id": new["id"]}]
    assert services.link_requests.all(owner.account.id) == []


def test_the_new_link_lasts_a_year_at_most_if_the_old_one_was_extended(
    person: SignedIn, owner: Owner, calendar_id: str, services: Services
) -> None:
    desk = Desk(services, owner.account.id)
    link_id = desk.new_link(UUID(calendar_id), expires_at=NOW + LONGEST_LIFE)
    later = NOW + timedelta(days=1)
    desk.change_link(link_id, expires_at=later + LONGEST_LIFE, now=later)
    link = desk.revoke(link_id).value
    services.link_requests.ask(link, name="Bob", email=None, message=None, language="en", now=NOW)
    assert person.post(path({"id": link_id}, "answer")).status_code == 303
    (new, _) = owner.get("/links").json["items"]
    assert new["expires_at"] == "2027-11-23T08:00:00Z"


def test_a_request_can_be_removed(
    person: SignedIn, owner: Owner, asked: dict[str, Any], services: Services
) -> None:
    for _ in range(2):
        assert person.post(path(asked, "dismiss")).status_code == 303
    assert services.link_requests.all(owner.account.id) == []
    assert len(owner.get("/links").json["items"]) == 1


def test_a_request_goes_when_it_is_too_old_or_its_person_is_forgotten(
    owner: Owner, calendar_id: str, asked: dict[str, Any], services: Services
) -> None:
    requests = services.link_requests
    assert requests.sweep(before=NOW) == 0
    report = services.erasure.personal_data_about("BOB@example.org")
    assert [each["name"] for each in report["link_requests"]] == ["Bob Byte"]
    used = owner.new_link(calendar_id)
    booking = owner.book(used)
    link = services.event_store.get(SingleUseLink, UUID(used["id"]))
    requests.ask(link, name="Eve", email=None, message=None, language="en", now=NOW)
    services.erasure.forget(
        booking_id=UUID(booking["booking_id"]), owner_id=None, actor="operator", now=NOW
    )
    assert [each.name for each in requests.all(owner.account.id)] == ["Bob Byte"]
    assert requests.sweep(before=NOW + timedelta(seconds=1)) == 1
    assert requests.all(owner.account.id) == []
