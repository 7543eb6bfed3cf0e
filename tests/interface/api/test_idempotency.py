"""Idempotency-Key: the same request again gets the same answer."""

from typing import Any

from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.examples import NINE, TEN, redeem_json
from tests.support.http_desk import refusal, wrong_fields
from tests.support.owner import Owner
from tests.support.service import Service
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
        for path, body in (
            (f"/booking-links/{link['token']}/redeem", redeem_json(NINE)),
            (f"/calendars/{link['calendar_id']}/links", {}),
            (f"/calendars/{link['calendar_id']}/links/batch", {"links": [{}]}),
            (f"/links/{link['id']}/replace", None),
        ):
            answer = owner.post(path, body, **{"Idempotency-Key": key})
            assert wrong_fields(answer) == {"Idempotency-Key"}, (path, key)
    assert recorded(services) == before
    assert owner.redeem(link, key="x" * 255).status_code == 201


def test_a_running_service_refuses_a_key_that_is_not_ascii(service: Service) -> None:
    """Its web server can't read such a header."""
    path = f"/calendars/{service.new_calendar()}/links"
    for encoding in ("latin-1", "utf-8"):
        key = "naïve".encode(encoding).decode("latin-1")  # as http.client encodes it
        answer = service.post(path, {}, **{"Idempotency-Key": key})
        assert wrong_fields(answer) == {"Idempotency-Key"}, encoding


def test_links_are_issued_and_replaced_once_for_a_key(
    owner: Owner, services: Services, clock: Clock
) -> None:
    calendar_id = owner.new_calendar()
    old = owner.new_link(calendar_id, recipient="Ada")
    body = {
        "recipient": "Grace",
        "note": "n",
        "expires_in_days": 7,
        "prefill": {"name": "Grace"},
        "offer": {"duration_minutes": 60},
    }
    requests: list[tuple[str, Any, Any]] = [
        (f"/calendars/{calendar_id}/links", body, body | {"note": "other"}),
        (f"/calendars/{calendar_id}/links", None, {"expires_in_days": 91}),
        (f"/calendars/{calendar_id}/links/batch", {"links": [body, {}]}, {"links": [body]}),
        (f"/links/{old['id']}/replace", None, None),
    ]
    firsts = [
        owner.post(path, asked, **{"Idempotency-Key": f"k{place}"})
        for place, (path, asked, _) in enumerate(requests)
    ]
    owner.archive(calendar_id)
    clock.advance(days=30)
    before = recorded(services)
    for place, (path, asked, other) in enumerate(requests):
        key, first = {"Idempotency-Key": f"k{place}"}, firsts[place]
        again = owner.post(path, asked, **key)
        assert (first.status_code, again.status_code, again.data) == (201, 201, first.data)
        for name in ("ETag", "Location"):
            assert again.headers.get(name) == first.headers.get(name)
        assert int(again.headers["X-Log-Position"]) >= int(first.headers["X-Log-Position"])
        if other is not None:
            assert refusal(owner.post(path, other, **key)) == (422, "idempotency-mismatch")
    assert recorded(services) == before
