"""Idempotency-Key: the same request again gets the same answer."""

from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.examples import NINE, TEN, redeem_json
from tests.support.http_desk import refusal, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded


def test_the_same_key_with_the_same_request_gets_the_same_answer(
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


def test_the_same_key_with_another_request_is_a_mismatch(owner: Owner) -> None:
    link = owner.new_link()
    assert owner.redeem(link, key="k1").status_code == 201
    for start, changes in ((TEN, {}), (NINE, {"notes": "other"})):
        refused = owner.redeem(link, start, key="k1", **changes)
        assert refusal(refused) == (422, "idempotency-mismatch"), (start, changes)
        assert "Lovelace" not in refused.get_data(as_text=True)


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
