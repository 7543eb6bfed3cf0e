"""The main job over HTTP: share, book, and the link books nothing more."""

from typing import Any

from tests.support.examples import calendar_json, redeem_json
from tests.support.owner import Owner


def test_a_link_books_once_and_then_says_that_it_is_used(owner: Owner) -> None:
    calendar = owner.post("/calendars", calendar_json())
    assert calendar.status_code == 201
    link = owner.post(f"/calendars/{calendar.json['id']}/links", {"recipient": "Ada"})
    assert link.status_code == 201
    invitation = f"/booking-links/{link.json['token']}"

    seen = owner.get(invitation)
    assert seen.json["host"] == {"name": "Olivia Owner"}
    start = owner.get(f"{invitation}/slots").json["slots"][0]["start"]

    booked = owner.post(f"{invitation}/redeem", redeem_json(start))
    assert booked.status_code == 201
    again = owner.post(f"{invitation}/redeem", redeem_json(start))
    assert (again.status_code, again.json["type"]) == (410, "/problems/link-redeemed")

    listed: Any = owner.get("/links").json["items"]
    assert [item["status"] for item in listed] == ["redeemed"]
    assert listed[0]["booking"]["id"] == booked.json["booking_id"]
    assert "url" not in listed[0]
    assert [item["start"] for item in owner.get("/bookings").json["items"]] == [start]
