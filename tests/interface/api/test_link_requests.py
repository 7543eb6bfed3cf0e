"""Programs of the owner see who asks for a new link, and answer."""

from collections.abc import Callable
from typing import Any

import pytest

from application.link_requests import LINK_REQUEST, NEW_LINK
from interface.bootstrap import Services
from tests.support.link_requests import ask_for_new_link
from tests.support.owner import Owner


@pytest.fixture
def asked(owner: Owner, services: Services) -> dict[str, Any]:
    """A revoked link with a request."""
    link: dict[str, Any] = owner.new_link(recipient="Bob", note="Second try")
    owner.revoke(link)
    ask_for_new_link(services, link)
    return link


def test_requests_are_listed(owner: Owner, asked: dict[str, Any]) -> None:
    assert owner.get("/link-requests").json["items"] == [
        {
            "link_id": asked["id"],
            "calendar_id": asked["calendar_id"],
            "asked_at": "2026-11-23T08:00:00Z",
            "name": "Bob Byte",
            "email": "bob@example.org",
            "message": "Sorry, I was late.",
            "language": "de",
        }
    ]
    assert kinds_of_mails(owner) == {LINK_REQUEST, "new-key"}


def test_an_answer_is_a_new_link_which_is_mailed(owner: Owner, asked: dict[str, Any]) -> None:
    answer = owner.post(f"/link-requests/{asked['id']}/answer")
    assert answer.status_code == 201
    new = answer.json
    assert owner.get(answer.headers["Location"].partition("/api/v1")[2]).json == new
    assert (new["recipient"], new["note"], new["status"]) == ("Bob Byte", None, "active")
    assert new["prefill"] == {"name": "Bob Byte", "email": "bob@example.org"}
    assert owner.get("/link-requests").json["items"] == []
    assert NEW_LINK in kinds_of_mails(owner)
    again = owner.post(f"/link-requests/{asked['id']}/answer")
    assert (again.status_code, again.json["detail"]) == (
        404,
        "This request has been answered already.",
    )


def test_a_request_is_dismissed(owner: Owner, asked: dict[str, Any]) -> None:
    assert [dismiss(owner, asked).status_code for _ in range(2)] == [204, 404]
    assert owner.get("/link-requests").json["items"] == []
    assert len(owner.get("/links").json["items"]) == 1


def test_an_archived_calendar_keeps_the_request(owner: Owner, asked: dict[str, Any]) -> None:
    owner.archive(asked["calendar_id"])
    refused = owner.post(f"/link-requests/{asked['id']}/answer")
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/calendar-archived")
    assert len(owner.get("/link-requests").json["items"]) == 1


def test_requests_to_another_owner_are_not_there(
    new_owner: Callable[..., Owner], asked: dict[str, Any], services: Services
) -> None:
    other = new_owner("Grace Other")
    assert other.get("/link-requests").json["items"] == []
    assert other.post(f"/link-requests/{asked['id']}/answer").status_code == 404
    assert dismiss(other, asked).status_code == 404
    assert services.database.fetch_all("SELECT name FROM link_requests") == [{"name": "Bob Byte"}]


def dismiss(owner: Owner, link: dict[str, Any]) -> Any:
    path = f"/api/v1/link-requests/{link['id']}"
    return owner.call("DELETE", path, **owner.headers)


def kinds_of_mails(owner: Owner) -> set[str]:
    owner.catch_up()
    return {each["kind"] for each in owner.get("/deliveries").json["items"]}
