"""Links over HTTP: issue, one or many."""

from collections.abc import Callable
from datetime import timedelta

from domain.errors import LinkNotFound
from interface.bootstrap import Services
from interface.web.fields import in_utc
from tests.support.examples import A_DAY, HALF_PAST_NINE, NINE, NOW, TEN
from tests.support.http_desk import refusal, unknown_id, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded

IN_A_WEEK = in_utc(NOW + timedelta(days=7))


def test_a_link_is_issued_with_all_fields(owner: Owner, services: Services) -> None:
    calendar_id = owner.new_calendar()
    wish = {
        "recipient": "Ada Lovelace",
        "note": "Line 1\nLine 2 🙂",
        "expires_at": IN_A_WEEK,
        "reference": "candidate-4711",
        "prefill": {"name": "Ada Lovelace", "email": "ada@example.org"},
        "offer": {"from": A_DAY, "to": A_DAY, "slots": [TEN, NINE], "duration_minutes": 60},
    }
    issued = owner.post(f"/calendars/{calendar_id}/links", wish)
    assert issued.status_code == 201
    token = issued.json["token"]
    assert issued.json == wish | {
        "id": issued.json["id"],
        "url": f"https://book.example.org/b/{token}",
        "token": token,
        "status": "active",
        "calendar_id": calendar_id,
        "issued_at": in_utc(NOW),
        "redeemed_at": None,
        "revoked_at": None,
        "replaced_by": None,
        "booking": None,
    }
    assert issued.headers["Location"] == f"/api/v1/links/{issued.json['id']}"
    assert issued.headers["X-Log-Position"] == str(services.event_store.head())
    assert issued.headers["ETag"] == '"1"'
    read = owner.get(f"/links/{issued.json['id']}")
    assert (read.status_code, read.json) == (200, issued.json)
    assert owner.get("/links").json == {"items": [issued.json], "next_cursor": None}


def test_a_link_issued_without_fields_expires_after_90_days(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}/links"
    for given in (None, {}, {"recipient": None, "note": None}, {"recipient": "", "note": " "}):
        issued = owner.post(path, given)
        assert issued.status_code == 201, given
        assert issued.json["expires_at"] == in_utc(NOW + timedelta(days=90))
        assert (issued.json["recipient"], issued.json["note"]) == (None, None)


def test_an_expiry_is_a_time_or_a_number_of_days(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}/links"
    for wish, expires_at in (
        ({"expires_at": "2026-12-01T10:00:00.5+02:00"}, "2026-12-01T08:00:00.500000Z"),
        ({"expires_at": in_utc(NOW + timedelta(seconds=1))}, in_utc(NOW + timedelta(seconds=1))),
        ({"expires_at": in_utc(NOW + timedelta(days=365))}, in_utc(NOW + timedelta(days=365))),
        ({"expires_in_days": 1}, in_utc(NOW + timedelta(days=1))),
        ({"expires_in_days": 365}, in_utc(NOW + timedelta(days=365))),
    ):
        assert owner.post(path, wish).json["expires_at"] == expires_at


def test_an_invalid_expiry_is_refused_by_name(owner: Owner, services: Services) -> None:
    path = f"/calendars/{owner.new_calendar()}/links"
    before = recorded(services)
    for wish, field in (
        ({"expires_at": in_utc(NOW)}, "expires_at"),
        ({"expires_at": in_utc(NOW - timedelta(days=1))}, "expires_at"),
        ({"expires_at": in_utc(NOW + timedelta(days=365, seconds=1))}, "expires_at"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": 366}, "expires_in_days"),
        ({"expires_at": IN_A_WEEK, "expires_in_days": 7}, "expires_in_days"),
    ):
        assert wrong_fields(owner.post(path, wish)) == {field}, wish
    assert recorded(services) == before


def test_an_offer_is_refused_by_the_names_of_its_fields(owner: Owner, services: Services) -> None:
    path = f"/calendars/{owner.new_calendar()}/links"
    before = recorded(services)
    for offer, fields in (
        ({"from": "2026-11-25", "to": A_DAY}, {"offer.to"}),
        ({"to": "2026-11-22"}, {"offer.to"}),
        ({"duration_minutes": 1441}, {"offer.duration_minutes"}),
        ({"slots": []}, {"offer.slots"}),
        ({"slots": [NINE] * 51}, {"offer.slots"}),
        ({"slots": [NINE, "2026-11-24T09:10:00Z", "2026-11-24T17:00:00Z"]}, _slots(1, 2)),
        ({"from": "2026-11-25", "slots": [NINE]}, _slots(0)),
        ({"duration_minutes": 480, "slots": [NINE, HALF_PAST_NINE]}, _slots(1)),
    ):
        assert wrong_fields(owner.post(path, {"offer": offer})) == fields, offer
        batch = owner.post(f"{path}/batch", {"links": [{}, {"offer": offer}]})
        assert wrong_fields(batch) == {f"links.1.{field}" for field in fields}, offer
    assert recorded(services) == before


def _slots(*places: int) -> set[str]:
    return {f"offer.slots.{place}" for place in places}


def test_what_a_link_offers_and_fills_in_may_be_left_out(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}/links"
    nothing = {"reference": None, "prefill": None, "offer": None}
    for given, shown in (
        (nothing, nothing),
        ({"reference": " ", "prefill": {}, "offer": {}}, nothing),
        ({"prefill": {"name": "", "email": None}, "offer": {"from": None}}, nothing),
        ({"prefill": {"name": "Ada"}}, nothing | {"prefill": {"name": "Ada", "email": None}}),
    ):
        link = owner.post(path, given).json
        assert {name: link[name] for name in nothing} == shown, given
        assert owner.get(f"/links/{link['id']}").json == link


def test_a_batch_is_issued_in_the_order_of_its_items(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}/links/batch"
    wishes = [{"recipient": "Ada"}, {"note": "n", "expires_in_days": 1}, {}]
    issued = owner.post(path, {"links": wishes})
    assert issued.status_code == 201
    assert [(link["recipient"], link["note"]) for link in issued.json["items"]] == [
        ("Ada", None),
        (None, "n"),
        (None, None),
    ]
    listed = owner.get("/links").json["items"]
    assert listed == issued.json["items"][::-1]
    assert len({link["token"] for link in listed}) == 3


def test_a_batch_holds_1_to_500_links(owner: Owner, services: Services) -> None:
    path = f"/calendars/{owner.new_calendar()}/links/batch"
    for count in (1, 500):
        before = recorded(services)
        issued = owner.post(path, {"links": [{"recipient": "Ada"}] * count})
        assert len(issued.json["items"]) == count
        assert issued.headers["X-Log-Position"] == str(services.event_store.head())
        assert recorded(services) == (before[0] + count, before[1] + count)
    before = recorded(services)
    for count in (0, 501):
        assert wrong_fields(owner.post(path, {"links": [{}] * count})) == {"links"}
    assert recorded(services) == before


def test_a_batch_is_issued_as_a_whole_or_not_at_all(owner: Owner, services: Services) -> None:
    path = f"/calendars/{owner.new_calendar()}/links/batch"
    before = recorded(services)
    for wish, fields in (
        ({"expires_at": in_utc(NOW)}, {"links.3.expires_at"}),
        ({"expires_at": "soon"}, {"links.3.expires_at"}),
        ({"expires_at": IN_A_WEEK, "expires_in_days": 1}, {"links.3.expires_in_days"}),
        ({"recipient": 1, "colour": "red"}, {"links.3.recipient", "links.3.colour"}),
        ("a link, please", {"links.3"}),
        (None, {"links.3"}),
    ):
        refused = owner.post(path, {"links": [{"recipient": "Ada"}] * 3 + [wish] + [{}] * 2})
        assert wrong_fields(refused) == fields, wish
    assert recorded(services) == before
    assert owner.get("/links").json["items"] == []


def test_an_archived_calendar_takes_no_new_links_and_its_old_ones_work(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    link = owner.new_link(calendar_id)
    owner.post(f"/calendars/{calendar_id}/archive")
    for refused in (
        owner.post(f"/calendars/{calendar_id}/links", {}),
        owner.post(f"/calendars/{calendar_id}/links/batch", {"links": [{}]}),
        owner.post(f"/links/{link['id']}/replace"),
    ):
        assert refusal(refused) == (409, "calendar-archived")
    assert owner.get(f"/booking-links/{link['token']}").status_code == 200
    owner.book(link)


def test_a_link_of_another_owner_is_not_found(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    theirs = owner.new_link()
    other = new_owner("Bob Other")
    before = recorded(services)
    for link_id in (theirs["id"], theirs["calendar_id"], unknown_id()):
        path = f"/links/{link_id}"
        for refused in (
            other.get(path),
            other.post(f"{path}/revoke", {}),
            other.post(f"{path}/replace"),
        ):
            assert refusal(refused) == (404, "not-found")
            assert refused.json["detail"] == str(LinkNotFound())
    assert recorded(services) == before
    assert other.get("/links").json == {"items": [], "next_cursor": None}
    assert other.get(f"/links?calendar_id={theirs['calendar_id']}").json["items"] == []
