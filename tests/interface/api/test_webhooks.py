"""Webhooks over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from application.webhooks.webhooks import WebhookEvent
from interface.bootstrap import Services
from tests.support.examples import NOW
from tests.support.http_desk import created, refusal, unknown_id, wrong_fields
from tests.support.owner import Owner

HOOKS = "/webhooks"
TOMORROW = "2026-11-24T08:00:00Z"
URL = "https://93.184.216.34/hook"
NEW: dict[str, Any] = {"url": URL, "events": ["booking.made", "link.issued"]}


@pytest.fixture
def webhook(owner: Owner) -> dict[str, Any]:
    """A webhook of the owner, as it was when it was created."""
    return created(owner.post(HOOKS, NEW))


def deliveries(owner: Owner, webhook: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    page = owner.get(f"{HOOKS}/{webhook['id']}/deliveries{query}").json
    items: list[dict[str, Any]] = page["items"]
    return items


def test_an_owner_adds_a_webhook_sees_its_secret_once_and_removes_it(owner: Owner) -> None:
    answer = owner.post(HOOKS, NEW)
    added = created(answer)
    secret = added.pop("secret")
    assert secret.startswith("whsec_")
    assert added == {
        "id": added["id"],
        "url": URL,
        "events": ["link.issued", "booking.made"],
        "personal_data": False,
        "active": True,
        "problem": None,
        "created_at": "2026-11-23T08:00:00Z",
        "previous_secret_until": None,
    }
    assert owner.call("GET", answer.headers["Location"], **owner.headers).json == added
    assert owner.get(HOOKS).json == {"items": [added]}
    path = f"/api/v1{HOOKS}/{added['id']}"
    assert owner.call("DELETE", path, **owner.headers).status_code == 204
    assert refusal(owner.call("DELETE", path, **owner.headers)) == (404, "not-found")
    assert owner.get(HOOKS).json == {"items": []}


def test_a_webhook_is_changed_paused_and_resumed(owner: Owner, webhook: dict[str, Any]) -> None:
    path = f"{HOOKS}/{webhook['id']}"
    changes = {"events": ["booking.cancelled"], "personal_data": True, "active": False}
    changed = owner.patch(path, changes).json
    assert {name: changed[name] for name in changes} == changes
    assert owner.patch(path, {"active": True}).json == changed | {"active": True}
    assert owner.patch(path, {}).json == changed | {"active": True}
    moved = owner.patch(path, {"url": "https://93.184.216.34/other"})
    assert moved.json["url"] == "https://93.184.216.34/other"


def test_a_new_secret_is_shown_once_and_the_old_one_lives_for_a_day(
    owner: Owner, webhook: dict[str, Any]
) -> None:
    rotated = owner.post(f"{HOOKS}/{webhook['id']}/rotate-secret").json
    assert rotated["secret"] != webhook["secret"]
    assert rotated["previous_secret_until"] == TOMORROW
    assert "secret" not in owner.get(f"{HOOKS}/{webhook['id']}").json


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/", "http://[::ffff:10.0.0.1]/x"])
def test_an_address_inside_the_network_is_refused(
    owner: Owner, webhook: dict[str, Any], url: str
) -> None:
    assert refusal(owner.post(HOOKS, NEW | {"url": url})) == (422, "address-not-allowed")
    changed = owner.patch(f"{HOOKS}/{webhook['id']}", {"url": url})
    assert refusal(changed) == (422, "address-not-allowed")
    assert [each["url"] for each in owner.get(HOOKS).json["items"]] == [URL]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "ftp://example.org/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["booking.exploded"]}, "events.0"),
        ({"personal_data": 1}, "personal_data"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_wrong_fields_are_named(owner: Owner, changes: dict[str, Any], field: str) -> None:
    assert wrong_fields(owner.post(HOOKS, NEW | changes)) == {field}


def test_a_replay_needs_a_choice(owner: Owner, webhook: dict[str, Any]) -> None:
    path = f"{HOOKS}/{webhook['id']}/replay"
    assert wrong_fields(owner.post(path, {})) == {"ids"}
    assert wrong_fields(owner.post(path, {"before": TOMORROW})) == {"ids"}


def test_deliveries_are_listed_retried_and_replayed(
    owner: Owner, webhook: dict[str, Any], services: Services
) -> None:
    link = owner.new_link()
    owner.book(link)
    path = f"{HOOKS}/{webhook['id']}"
    by_kind = {each["kind"]: each for each in deliveries(owner, webhook)}
    made, issued = by_kind["booking.made"], by_kind["link.issued"]
    assert issued["link_id"] == link["id"]
    assert issued["channel"] == "webhook"
    with services.database.connection() as conn:
        conn.execute("UPDATE deliveries SET state = 'sent', sent_at = %s", (NOW,))
        conn.execute("UPDATE deliveries SET state = 'parked' WHERE id = %s", (issued["id"],))
    assert [each["id"] for each in deliveries(owner, webhook, "?status=sent")] == [made["id"]]
    assert owner.post(f"{path}/deliveries/{issued['id']}/retry").status_code == 202
    over = owner.post(f"{path}/deliveries/{made['id']}/retry")
    assert refusal(over) == (409, "delivery-over")
    assert [each["id"] for each in deliveries(owner, webhook, "?status=due")] == [issued["id"]]
    again = owner.post(f"{path}/replay", {"ids": [made["id"], unknown_id()]})
    assert (again.status_code, again.json) == (202, {"count": 1})
    assert len(deliveries(owner, webhook, "?status=due")) == 2
    nothing = owner.post(f"{path}/replay", {"after": "2027-01-01T00:00:00Z"})
    assert nothing.json == {"count": 0}


def test_a_delivery_of_another_webhook_is_not_retried(
    owner: Owner, webhook: dict[str, Any]
) -> None:
    other = created(owner.post(HOOKS, NEW))
    owner.new_link()
    (theirs,) = deliveries(owner, other)
    answer = owner.post(f"{HOOKS}/{webhook['id']}/deliveries/{theirs['id']}/retry")
    assert refusal(answer) == (404, "not-found")


def test_a_test_says_that_the_address_can_not_be_reached(
    owner: Owner, webhook: dict[str, Any], services: Services
) -> None:
    with services.database.connection() as conn:
        conn.execute("UPDATE webhooks SET url = 'http://127.0.0.1:9/'")
    answer = owner.post(f"{HOOKS}/{webhook['id']}/test")
    assert answer.status_code == 200
    assert answer.json["accepted"] is False
    assert "not allowed" in answer.json["answer"]


def test_a_key_without_the_scope_of_links_hears_of_no_links(
    owner: Owner, services: Services
) -> None:
    owner.key = services.api_keys.create(
        owner.account, name="bookings", scopes=["bookings"], now=NOW
    )
    refused = owner.post(HOOKS, NEW)
    assert refusal(refused) == (403, "forbidden")
    allowed = created(owner.post(HOOKS, NEW | {"events": ["booking.made"]}))
    refused = owner.patch(f"{HOOKS}/{allowed['id']}", {"events": list(WebhookEvent)})
    assert refusal(refused) == (403, "forbidden")


def test_the_webhooks_of_others_do_not_exist(
    owner: Owner, webhook: dict[str, Any], new_owner: Callable[..., Owner]
) -> None:
    other = new_owner("Oscar")
    for webhook_id in (webhook["id"], unknown_id()):
        path = f"{HOOKS}/{webhook_id}"
        answers = [
            other.get(path),
            other.patch(path, {"active": False}),
            other.call("DELETE", f"/api/v1{path}", **other.headers),
            other.post(f"{path}/rotate-secret"),
            other.post(f"{path}/test"),
            other.get(f"{path}/deliveries"),
            other.post(f"{path}/deliveries/{unknown_id()}/retry"),
            other.post(f"{path}/replay", {"ids": [unknown_id()]}),
        ]
        assert {refusal(answer) for answer in answers} == {(404, "not-found")}
    assert owner.get(f"{HOOKS}/{webhook['id']}").json["active"] is True
