"""The owner's list of links over HTTP: filters, search, pages."""

from typing import Any

from tests.support.clock import Clock
from tests.support.examples import NINE, TEN
from tests.support.http_desk import wrong_fields
from tests.support.owner import Owner


def found(owner: Owner, **query: Any) -> list[str]:
    """The ids of the links that a list holds, in its order."""
    answer = owner.get("/links", query_string=query)
    assert answer.status_code == 200, answer.json
    return [item["id"] for item in answer.json["items"]]


def test_links_are_found_by_their_status_at_the_current_time(owner: Owner, clock: Clock) -> None:
    calendar_id = owner.new_calendar()
    active, used, revoked, short = (
        owner.new_link(calendar_id, expires_in_days=days)["id"] for days in (9, 9, 9, 1)
    )
    confirmation = owner.book(owner.get(f"/links/{used}").json)
    owner.post(f"/links/{revoked}/revoke")
    assert found(owner, status="active") == [short, active]
    assert found(owner, status="expired") == []
    clock.advance(days=1)
    assert found(owner, status="active") == [active]
    assert found(owner, status="expired") == [short]
    assert found(owner, status="redeemed") == [used]
    assert found(owner, status="revoked") == [revoked]
    assert found(owner) == found(owner, status="", q="", calendar_id="", cursor="", limit="")
    items = {item["id"]: item for item in owner.get("/links").json["items"]}
    assert [name for name in items if "url" in items[name]] == [active]
    assert [name for name in items if "token" in items[name]] == [active]
    assert items[used]["redeemed_at"] == "2026-11-23T08:00:00Z"
    assert items[used]["booking"] == {
        "id": confirmation["booking_id"],
        "start": confirmation["start"],
        "end": confirmation["end"],
        "status": "confirmed",
        "invitee": {"name": "Ada Lovelace", "email": "ada@example.org", "time_zone": None},
    }


def test_links_are_found_by_calendar(owner: Owner) -> None:
    first, second = owner.new_calendar(), owner.new_calendar()
    ids = [owner.new_link(calendar_id)["id"] for calendar_id in (first, second, first)]
    assert found(owner, calendar_id=first) == [ids[2], ids[0]]
    assert found(owner, calendar_id=second) == [ids[1]]
    assert found(owner, calendar_id=second, status="revoked") == []


def test_links_are_found_by_what_was_typed_about_people(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    by_recipient = owner.new_link(calendar_id, recipient="Zoë Ångström")["id"]
    by_note = owner.new_link(calendar_id, note="first line\nsecond line")["id"]
    used = owner.new_link(calendar_id)
    invitee = {"name": "Grace Hopper", "email": "grace@navy.example"}
    owner.book(used, NINE, invitee=invitee, notes="not searched for here")
    for q, ids in (
        ("ångström", [by_recipient]),
        ("angstrom", [by_recipient]),
        ("  Zoë ", [by_recipient]),
        ("SECOND", [by_note]),
        ("hopper", [used["id"]]),
        ("@navy.", [used["id"]]),
        ("searched", []),
        ("Grace Hopper Ada", []),
        ("e", [used["id"], by_note, by_recipient]),
    ):
        assert found(owner, q=q) == ids, q


def test_every_character_of_a_search_stands_for_itself(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    owner.new_link(calendar_id, recipient="abc")
    for sign in ("%", "_", "\\", "'", '"', "🙂", "\u0130"):
        with_sign = owner.new_link(calendar_id, recipient=f"a{sign}c")["id"]
        assert found(owner, q=sign) == [with_sign], sign
        assert found(owner, q=f"a{sign}C") == [with_sign], sign


def test_pages_of_links_have_no_gaps_or_repeats(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    wishes = [{"recipient": f"Person {number}"} for number in range(11)]
    issued = owner.post(f"/calendars/{calendar_id}/links/batch", {"links": wishes}).json["items"]
    for limit in (1, 3, 10, 11, 200):
        seen: list[dict[str, Any]] = []
        cursor = ""
        while cursor is not None:
            page = owner.get("/links", query_string={"limit": limit, "cursor": cursor}).json
            assert 1 <= len(page["items"]) <= limit
            seen += page["items"]
            cursor = page["next_cursor"]
        assert seen == issued[::-1], limit


def test_a_page_stays_where_it_was_when_newer_links_are_issued(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    ids = [owner.new_link(calendar_id)["id"] for _ in range(3)]
    first = owner.get("/links?limit=2").json
    owner.new_link(calendar_id)
    assert found(owner, limit=2, cursor=first["next_cursor"]) == [ids[0]]


def test_a_page_holds_50_links_by_default(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}/links/batch"
    owner.post(path, {"links": [{}] * 51})
    assert len(found(owner)) == 50


def test_a_cursor_continues_with_the_same_filter(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    links = [owner.new_link(calendar_id) for _ in range(4)]
    owner.book(links[1], NINE)
    owner.book(links[3], TEN)
    first = owner.get("/links?status=redeemed&limit=1").json
    assert [item["id"] for item in first["items"]] == [links[3]["id"]]
    rest = owner.get(f"/links?status=redeemed&limit=1&cursor={first['next_cursor']}").json
    assert [item["id"] for item in rest["items"]] == [links[1]["id"]]
    assert rest["next_cursor"] is None


def test_a_wrong_cursor_of_links_is_refused(owner: Owner) -> None:
    for text in ("x", "!!!!", "MXwy", "LTE", "OTIyMzM3MjAzNjg1NDc3NTgwOA", "é", "A" * 9999):
        answer = owner.get("/links", query_string={"cursor": text})
        assert wrong_fields(answer) == {"cursor"}, text
