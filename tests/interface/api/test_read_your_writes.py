"""A read with X-Min-Position shows the write that returned X-Log-Position."""

from collections.abc import Callable

import pytest

from interface.bootstrap import Services
from projections.engine import positions
from tests.support.examples import NINE, calendar_json, redeem_json
from tests.support.http_desk import refusal, unknown_id, wrong_fields
from tests.support.owner import Owner


def waiting_reads(link_id: str) -> tuple[str, ...]:
    """All reads that take X-Min-Position."""
    return (
        "/calendars",
        f"/calendars/{unknown_id()}",
        "/links",
        f"/links/{link_id}",
        "/bookings",
        f"/bookings/{unknown_id()}",
    )


def test_every_write_returns_its_log_position(owner: Owner, services: Services) -> None:
    calendar = owner.post("/calendars", calendar_json())
    path = f"/calendars/{calendar.json['id']}"
    link = owner.post(f"{path}/links", {})
    other = owner.post(f"{path}/links/batch", {"links": [{}]})
    writes = [
        calendar,
        owner.patch(path, {"name": "X"}, **{"If-Match": "*"}),
        link,
        other,
        owner.post(f"/booking-links/{link.json['token']}/redeem", redeem_json(NINE)),
        owner.post(f"/links/{other.json['items'][0]['id']}/revoke", {}),
        owner.post(f"/links/{owner.new_link()['id']}/replace"),
        owner.post(f"{path}/archive"),
    ]
    seen = [int(write.headers["X-Log-Position"]) for write in writes]
    assert len(set(seen)) == len(writes)
    assert max(seen) == seen[-1] == services.event_store.head()


def test_a_read_waits_until_its_view_shows_the_position(
    owner: Owner,
    services: Services,
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        catch_up()

    monkeypatch.setattr(positions, "sleep", sleep)
    for read in range(6):
        link = owner.new_link()
        headers = owner.headers | {"X-Min-Position": str(services.event_store.head())}
        path = waiting_reads(link["id"])[read]
        assert owner.client.get(f"/api/v1{path}", headers=headers).status_code in (200, 404)
        assert len(waited) == read + 1, path


def test_a_read_shows_the_write_whose_position_it_names(
    owner: Owner, services: Services, catch_up: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "sleep", lambda _: catch_up())
    link = owner.new_link()
    booking_id = owner.book(link)["booking_id"]
    headers = owner.headers | {"X-Min-Position": str(services.event_store.head())}
    booking = owner.client.get(f"/api/v1/bookings/{booking_id}", headers=headers)
    shown = owner.client.get(f"/api/v1/links/{link['id']}", headers=headers)
    assert booking.status_code == 200
    assert '"status":"redeemed"' in shown.get_data(as_text=True)


def test_a_view_that_does_not_reach_the_position_in_time_is_behind(
    owner: Owner, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "monotonic", iter(range(0, 1000, 2)).__next__)
    owner.catch_up()
    for position in (services.event_store.head() + 1, 2**63 - 1):
        for path in waiting_reads(unknown_id()):
            headers = owner.headers | {"X-Min-Position": str(position)}
            answer = owner.client.get(f"/api/v1{path}", headers=headers)
            assert refusal(answer) == (503, "view-behind"), path
            assert answer.headers["Retry-After"] == "1"


def test_a_position_is_a_whole_number(owner: Owner) -> None:
    for text in ("", "x", "-1", "1.5", "1e3", "²", "0x10", str(2**63), "9" * 5000, "1 2"):
        for path in waiting_reads(unknown_id()):
            headers = owner.headers | {"X-Min-Position": text}
            answer = owner.client.get(f"/api/v1{path}", headers=headers)
            assert wrong_fields(answer) == {"X-Min-Position"}, (path, text)
