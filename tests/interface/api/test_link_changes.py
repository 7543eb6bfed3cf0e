"""Links over HTTP: change one, and book only what one offers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from interface.bootstrap import Services
from interface.web.fields import in_utc
from tests.support.clock import Clock
from tests.support.examples import A_DAY, HALF_PAST_NINE, NINE, NOW, TEN
from tests.support.http_desk import manage_token, refusal, unknown_id, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded

ANY = {"If-Match": "*"}
NOON = f"{A_DAY}T12:00:00Z"


def test_a_change_returns_the_link_with_its_next_version(owner: Owner) -> None:
    prefill = {"name": "Ada", "email": None}
    link = owner.new_link(recipient="Ada", note="VIP", prefill=prefill)
    path = f"/links/{link['id']}"
    known = owner.get(path)
    changes: list[dict[str, Any]] = [
        {"recipient": "Grace"},
        {"note": None},
        {"reference": "candidate-4711"},
        {"expires_at": in_utc(NOW + timedelta(days=7))},
        {"recipient": None, "reference": None},
    ]
    for version, change in enumerate(changes, start=2):
        changed = owner.patch(path, change, **{"If-Match": known.headers["ETag"]})
        assert changed.status_code == 200, change
        assert changed.json == known.json | change
        assert changed.headers["ETag"] == f'"{version}"'
        known = owner.get(path)
        assert known.json == changed.json
        assert known.headers["ETag"].startswith(f'"{version}-')
        assert owner.get("/links").json["items"] == [changed.json]
    assert known.json["prefill"] == prefill
    owner.book(link)


def test_a_change_to_the_current_values_records_nothing(owner: Owner, services: Services) -> None:
    link = owner.new_link(recipient="Ada")
    before = recorded(services)
    for change in ({}, {"recipient": "Ada", "note": ""}, {"expires_at": link["expires_at"]}):
        same = owner.patch(f"/links/{link['id']}", change, **{"If-Match": '"1"'})
        assert (same.json, same.headers["ETag"]) == (link, '"1"')
        assert same.headers["X-Log-Position"] == str(services.event_store.head())
    assert recorded(services) == before


def test_a_change_names_the_newest_version(owner: Owner, services: Services) -> None:
    path = f"/links/{owner.new_link()['id']}"
    owner.patch(path, {"note": "By somebody else"}, **{"If-Match": '"1"'})
    before = recorded(services)
    assert refusal(owner.patch(path, {"note": "x"})) == (428, "precondition-required")
    for tag in ('"1"', '"1-0a"', 'W/"2"', '"3"', '"-2"', '"x-2"'):
        refused = owner.patch(path, {"note": "x"}, **{"If-Match": tag})
        assert refusal(refused) == (412, "stale-version"), tag
    assert recorded(services) == before


def test_a_link_is_not_given_an_expiry_with_which_it_could_not_be_issued(
    owner: Owner, services: Services
) -> None:
    path = f"/links/{owner.new_link()['id']}"
    before = recorded(services)
    for change in ({"expires_at": in_utc(NOW)}, {"expires_at": "2028-01-01T00:00:00Z"}):
        assert wrong_fields(owner.patch(path, change, **ANY)) == {"expires_at"}
    for field in ("offer", "prefill", "expires_in_days"):
        assert wrong_fields(owner.patch(path, {field: None}, **ANY)) == {field}
    assert recorded(services) == before


def test_a_link_that_has_ended_is_not_changed(
    owner: Owner, services: Services, clock: Clock
) -> None:
    used, revoked, expired = owner.new_links(owner.new_calendar(), 3)
    owner.book(used)
    owner.revoke(revoked)
    clock.advance(days=90)
    before = recorded(services)
    for link, slug in (
        (used, "link-redeemed"),
        (revoked, "link-revoked"),
        (expired, "link-expired"),
    ):
        refused = owner.patch(f"/links/{link['id']}", {"note": "x"}, **ANY)
        assert refusal(refused) == (409, slug)
    assert recorded(services) == before


def test_only_the_owner_changes_a_link(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    theirs = owner.new_link()["id"]
    before = recorded(services)
    for owner_, link_id in ((new_owner("Bob Other"), theirs), (owner, unknown_id())):
        refused = owner_.patch(f"/links/{link_id}", {"note": "x"}, **ANY)
        assert refusal(refused) == (404, "not-found")
    assert recorded(services) == before


def test_a_replacement_has_the_same_texts_and_the_same_offer(owner: Owner, clock: Clock) -> None:
    offer = {"from": None, "to": A_DAY, "slots": [NINE], "duration_minutes": 60}
    link = owner.new_link(prefill={"name": "Ada", "email": "ada@example.org"}, offer=offer)
    owner.patch(f"/links/{link['id']}", {"reference": "r-1", "note": "VIP"}, **ANY)
    clock.advance(days=7)  # what it offers has passed
    new = owner.replace(link).json
    for name in ("recipient", "note", "reference", "prefill", "offer"):
        assert new[name] == owner.get(f"/links/{link['id']}").json[name], name
    assert (new["reference"], new["offer"]) == ("r-1", offer)


# What a link offers


@pytest.fixture
def limited(owner: Owner) -> dict[str, Any]:
    """A link for an hour at nine or ten tomorrow, in a calendar of half hours."""
    return owner.new_link(offer={"slots": [TEN, NINE], "duration_minutes": 60})


def test_an_invitee_sees_the_slots_that_the_link_offers_with_its_duration(
    owner: Owner, limited: dict[str, Any]
) -> None:
    path = f"/booking-links/{limited['token']}"
    assert owner.get(path).json["calendar"]["duration_minutes"] == 60
    assert owner.get(f"{path}/slots").json["slots"] == [
        {"start": NINE, "end": TEN},
        {"start": TEN, "end": f"{A_DAY}T11:00:00Z"},
    ]
    owner.book(owner.new_link(limited["calendar_id"]), HALF_PAST_NINE)
    owner.catch_up()
    assert owner.slots(limited) == [TEN]


def test_a_link_books_what_it_offers_and_nothing_else(
    owner: Owner, limited: dict[str, Any]
) -> None:
    refused = owner.redeem(limited, HALF_PAST_NINE)
    assert refusal(refused) == (422, "slot-not-offered")
    booked = owner.book(limited, NINE, key="k")
    assert (booked["start"], booked["end"]) == (NINE, TEN)
    assert booked["calendar"]["duration_minutes"] == 60
    assert owner.book(limited, NINE, key="k") == booked
    # The whole hour is reserved.
    other = owner.redeem(owner.new_link(limited["calendar_id"]), HALF_PAST_NINE)
    assert refusal(other) == (409, "slot-taken")


def test_the_invitee_moves_within_what_the_link_offers_until_the_owner_asks_for_another_time(
    owner: Owner, limited: dict[str, Any]
) -> None:
    booked = owner.book(limited, NINE)
    path = f"/manage/{manage_token(booked)}/slots?from={A_DAY}&to={A_DAY}"

    def free() -> list[str]:
        owner.catch_up()
        return [slot["start"] for slot in owner.get(path).json["slots"]]

    assert free() == [NINE, TEN]
    refused = owner.manage(booked, "reschedule", {"start": HALF_PAST_NINE})
    assert refusal(refused) == (422, "slot-not-offered")
    assert owner.manage(booked, "reschedule", {"start": TEN}).json["end"] == f"{A_DAY}T11:00:00Z"
    assert owner.move(booked["booking_id"], HALF_PAST_NINE).status_code == 200
    owner.ask_to_reschedule(booked["booking_id"], "At noon?")
    assert {NINE, HALF_PAST_NINE, NOON} <= set(free())
    assert owner.manage(booked, "reschedule", {"start": NOON}).json["end"] == f"{A_DAY}T13:00:00Z"
    assert free() == [NINE, TEN]


def test_a_link_offers_no_slot_that_its_calendar_has_ceased_to_offer(
    owner: Owner, limited: dict[str, Any]
) -> None:
    hours = {"availability": {"overrides": {A_DAY: [["10:00", "11:00"]]}}}
    owner.patch(f"/calendars/{limited['calendar_id']}", hours, **ANY)
    owner.catch_up()
    assert owner.slots(limited) == [TEN]
    assert refusal(owner.redeem(limited, NINE)) == (422, "slot-not-offered")


def test_details_to_fill_in_are_told_to_the_bearer_of_an_active_link(owner: Owner) -> None:
    prefill = {"name": "Ada Lovelace", "email": "ada@example.org"}
    link = owner.new_link(prefill=prefill)
    path = f"/booking-links/{link['token']}"
    assert owner.get(path).json["prefill"] == prefill
    owner.revoke(link)
    for answer in owner.try_token(link["token"]):
        assert refusal(answer) == (410, "link-revoked")
        assert "Lovelace" not in answer.text
