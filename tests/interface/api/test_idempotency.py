"""Idempotency-Key: a retry of the same wish gets the same answer, anything else does not."""

from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.examples import NINE, TEN, redeem_json
from tests.support.http_desk import refusal, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded
from tests.support.waiting import at_once


def test_the_same_key_with_the_same_wish_gets_the_same_answer(
    owner: Owner, services: Services, clock: Clock
) -> None:
    calendar_id = owner.new_calendar()
    link = owner.new_link(calendar_id)
    invitee = {"name": "Ada", "email": "ada@example.org", "time_zone": "Europe/Paris"}
    first = owner.redeem(link, key="k1", invitee=invitee, notes="n")
    assert first.status_code == 201
    change = {"name": "Renamed", "duration_minutes": 60, "availability": {"weekly": {}}}
    owner.patch(f"/calendars/{calendar_id}", change, **{"If-Match": "*"})
    owner.post(f"/calendars/{calendar_id}/archive")
    clock.advance(days=200)
    before = recorded(services)
    for start in (NINE, "2026-11-24T10:00:00+01:00"):
        again = owner.redeem(link, start, key="k1", invitee=invitee, notes="n")
        assert (again.status_code, again.data) == (201, first.data)
        assert int(again.headers["X-Log-Position"]) >= int(first.headers["X-Log-Position"])
    assert recorded(services) == before


def test_the_same_key_with_another_wish_is_a_mismatch(owner: Owner, services: Services) -> None:
    link = owner.new_link()
    assert owner.redeem(link, key="k1", notes="n").status_code == 201
    before = recorded(services)
    ada = {"name": "Ada Lovelace", "email": "ada@example.org"}
    for start, changes in (
        (TEN, {"notes": "n"}),
        ("2026-11-24T09:10:00Z", {"notes": "n"}),
        (NINE, {"notes": "n", "invitee": ada | {"name": "Ada"}}),
        (NINE, {"notes": "n", "invitee": ada | {"email": "ada@example.com"}}),
        (NINE, {"notes": "n", "invitee": ada | {"time_zone": "Europe/Paris"}}),
        (NINE, {"notes": "other"}),
        (NINE, {}),
    ):
        refused = owner.redeem(link, start, key="k1", **changes)
        assert refusal(refused) == (422, "idempotency-mismatch"), (start, changes)
        assert "Lovelace" not in refused.get_data(as_text=True)
    assert recorded(services) == before


def test_without_the_first_key_a_used_link_is_used(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    with_key, without_key = owner.new_link(calendar_id), owner.new_link(calendar_id)
    assert owner.redeem(with_key, NINE, key="k1").status_code == 201
    assert owner.redeem(without_key, TEN).status_code == 201
    for link, start, key in (
        (with_key, NINE, None),
        (with_key, NINE, "k2"),
        (without_key, TEN, "k1"),
    ):
        assert refusal(owner.redeem(link, start, key=key)) == (410, "link-redeemed"), key


def test_a_key_is_only_known_to_its_own_link(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    first = owner.redeem(owner.new_link(calendar_id), NINE, key="k1").json
    second = owner.redeem(owner.new_link(calendar_id), TEN, key="k1").json
    assert first["booking_id"] != second["booking_id"]


def test_a_refused_attempt_uses_no_key_up(owner: Owner) -> None:
    link = owner.new_link()
    assert refusal(owner.redeem(link, "2026-11-24T03:00:00Z", key="k1"))[0] == 422
    assert owner.redeem(link, NINE, key="k1").status_code == 201


def test_a_key_is_1_to_255_printable_characters(owner: Owner, services: Services) -> None:
    link = owner.new_link()
    before = recorded(services)
    for key in ("", "x" * 256, "naïve", "tab\there"):
        answer = owner.client.post(
            f"/api/v1/booking-links/{link['token']}/redeem",
            json=redeem_json(NINE),
            headers={"Idempotency-Key": key},
        )
        assert wrong_fields(answer) == {"Idempotency-Key"}, key
    assert recorded(services) == before
    assert owner.redeem(link, key="x" * 255).status_code == 201


def test_of_many_who_redeem_with_one_key_all_get_the_same_answer(
    owner: Owner, services: Services
) -> None:
    link = owner.new_link()
    answers = at_once([lambda: owner.redeem(link, key="k1")] * 8)
    assert {(answer.status_code, answer.data) for answer in answers} == {(201, answers[0].data)}
    assert len(owner.get("/bookings").json["items"]) == 1
