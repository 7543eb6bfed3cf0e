"""Revoking and replacing links over HTTP."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from interface.bootstrap import Services
from interface.web.fields import in_utc
from tests.support.clock import Clock
from tests.support.examples import NOW
from tests.support.http_desk import refusal, unknown_id, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded


def opened(owner: Owner, link: dict[str, Any]) -> Any:
    """Returns what the bearer of the link reads."""
    return owner.get(f"/booking-links/{link['token']}")


def topics(services: Services, link_id: str) -> list[str]:
    """Returns the topics of a link's events."""
    rows = services.database.fetch_all("SELECT topic FROM log WHERE id = %s", (link_id,))
    return [row["topic"] for row in rows]


def test_a_revoked_link_stays_revoked_and_says_so(owner: Owner, services: Services) -> None:
    link = owner.new_link(recipient="Ada", note="n")
    revoked = owner.revoke(link, "Wrong person")
    assert revoked.status_code == 200
    ended = {"status": "revoked", "revoked_at": in_utc(NOW)}
    assert revoked.json == {k: v for k, v in link.items() if k not in ("url", "token")} | ended
    assert revoked.headers["X-Log-Position"] == str(services.event_store.head())
    assert owner.get(f"/links/{link['id']}").json == revoked.json
    assert refusal(opened(owner, link)) == (410, "link-revoked")
    assert refusal(owner.redeem(link)) == (410, "link-revoked")


def test_revoking_again_changes_nothing(owner: Owner, services: Services, clock: Clock) -> None:
    link = owner.new_link()
    first = owner.post(f"/links/{link['id']}/revoke")
    before = recorded(services)
    clock.advance(hours=1)
    for body in (None, {}, {"reason": "Another one"}):
        again = owner.post(f"/links/{link['id']}/revoke", body)
        assert (again.status_code, again.json) == (200, first.json)
        assert again.headers["X-Log-Position"] == str(services.event_store.head())
    assert recorded(services) == before


def test_a_link_that_has_ended_is_neither_revoked_nor_replaced(
    owner: Owner, services: Services
) -> None:
    used, revoked = owner.new_link(), owner.new_link()
    owner.book(used)
    owner.revoke(revoked)
    before = recorded(services)
    assert refusal(owner.revoke(used)) == (409, "link-redeemed")
    assert refusal(owner.replace(used)) == (409, "link-redeemed")
    assert refusal(owner.replace(revoked)) == (409, "link-revoked")
    assert recorded(services) == before


def test_a_replaced_link_ends_and_one_like_it_begins(
    owner: Owner, services: Services, clock: Clock
) -> None:
    old = owner.new_link(recipient="Ada", note="n", expires_in_days=10)
    clock.advance(days=3)
    replaced = owner.replace(old)
    assert replaced.status_code == 201
    new = replaced.json
    assert new["id"] != old["id"]
    assert new["token"] != old["token"]
    unchanged = (
        "calendar_id",
        "recipient",
        "note",
        "status",
        "booking",
        "revoked_at",
        "replaced_by",
    )
    assert {name: new[name] for name in unchanged} == {name: old[name] for name in unchanged}
    assert new["issued_at"] == in_utc(clock())
    assert new["expires_at"] == in_utc(clock() + timedelta(days=10))
    assert replaced.headers["Location"] == f"/api/v1/links/{new['id']}"
    assert replaced.headers["X-Log-Position"] == str(services.event_store.head())

    shown = owner.get(f"/links/{old['id']}").json
    assert (shown["status"], shown["replaced_by"]) == ("revoked", new["id"])
    assert owner.get(f"/links/{new['id']}").json == new
    assert refusal(opened(owner, old)) == (410, "link-revoked")
    assert opened(owner, new).json["expires_at"] == new["expires_at"]
    owner.book(new, "2026-11-27T09:00:00Z")


def test_many_links_are_revoked_and_the_others_named_with_the_reason(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    calendar_id = owner.new_link()["calendar_id"]
    active, used = (owner.new_link(calendar_id) for _ in range(2))
    theirs = new_owner("Oscar Other").new_link()
    owner.book(used)
    ids = [active["id"], used["id"], theirs["id"]]
    answer = owner.post("/links/revoke", {"ids": ids, "reason": "Wrong list"})
    assert answer.status_code == 200
    assert answer.json == {
        "revoked": [active["id"]],
        "unchanged": [
            {"id": used["id"], "reason": "link-redeemed"},
            {"id": theirs["id"], "reason": "not-found"},
        ],
    }
    assert answer.headers["X-Log-Position"] == str(services.event_store.head())
    assert topics(services, active["id"]) == ["link.issued", "link.revoked"]
    again = owner.post("/links/revoke", {"ids": [active["id"]]})
    assert again.json["unchanged"] == [{"id": active["id"], "reason": "link-revoked"}]


def test_bulk_revocation_needs_1_to_500_ids(owner: Owner) -> None:
    for ids in ([], [unknown_id() for _ in range(501)], [unknown_id()] * 501, ["nonsense"], None):
        assert wrong_fields(owner.post("/links/revoke", {"ids": ids}))
    assert wrong_fields(owner.post("/links/revoke", {})) == {"ids"}
