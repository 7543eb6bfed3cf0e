"""The owner's bookings over HTTP: list, search, pages, read."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from interface.bootstrap import Services
from tests.support.desk import Desk
from tests.support.examples import A_DAY, HALF_PAST_NINE, NINE, TEN
from tests.support.http_desk import refusal, unknown_id, wrong_fields
from tests.support.owner import Owner


def found(owner: Owner, **query: Any) -> list[str]:
    """The starts of the bookings that a list holds, in its order."""
    answer = owner.get("/bookings", query_string=query)
    assert answer.status_code == 200, answer.json
    return [item["start"] for item in answer.json["items"]]


def book_all(owner: Owner, *starts: str, **changes: Any) -> list[str]:
    """The ids of one booking for each start, through one link each."""
    calendar_id = owner.new_calendar(**changes)
    return [owner.book(owner.new_link(calendar_id), start)["booking_id"] for start in starts]


def test_a_booking_is_returned_with_all_its_fields(owner: Owner, services: Services) -> None:
    link = owner.new_link()
    invitee = {"name": "Ada 🙂", "email": "ada@example.org", "time_zone": "Europe/London"}
    answer = owner.redeem(link, NINE, invitee=invitee, notes="Line 1\r\nLine 2")
    assert answer.headers["X-Log-Position"] == str(services.event_store.head())
    booking_id = answer.json["booking_id"]
    shown = owner.get(f"/bookings/{booking_id}")
    assert shown.status_code == 200
    assert shown.json == {
        "id": booking_id,
        "link_id": link["id"],
        "calendar_id": link["calendar_id"],
        "start": NINE,
        "end": HALF_PAST_NINE,
        "status": "confirmed",
        "title": "Intro call",
        "location": "",
        "reschedule_requested": False,
        "reason": None,
        "invitee": invitee,
        "notes": "Line 1\nLine 2",
    }
    assert owner.get("/bookings").json == {"items": [shown.json], "next_cursor": None}


def test_bookings_are_listed_by_start_whenever_they_were_made(owner: Owner) -> None:
    book_all(owner, TEN, NINE, "2026-11-25T09:00:00Z", HALF_PAST_NINE)
    assert found(owner) == [NINE, HALF_PAST_NINE, TEN, "2026-11-25T09:00:00Z"]


def test_bookings_are_found_by_overlap_with_a_period(owner: Owner) -> None:
    book_all(owner, NINE, HALF_PAST_NINE, TEN)
    for since, until, starts in (
        (HALF_PAST_NINE, TEN, [HALF_PAST_NINE]),
        (f"{A_DAY}T09:29:59Z", f"{A_DAY}T09:30:01Z", [NINE, HALF_PAST_NINE]),
        (f"{A_DAY}T10:15:00+01:00", "", [NINE, HALF_PAST_NINE, TEN]),
        (f"{A_DAY}T09:30:00+00:00", "", [HALF_PAST_NINE, TEN]),
        ("", NINE, []),
    ):
        assert found(owner, **{"from": since, "to": until}) == starts, (since, until)


def test_bookings_are_found_by_whole_days_both_included(owner: Owner) -> None:
    days = ["2026-11-24", "2026-11-25", "2026-11-26"]
    book_all(owner, *(f"{day}T16:30:00Z" for day in days))
    for since, until, expected in (
        (days[0], days[0], days[:1]),
        (days[0], days[1], days[:2]),
        (days[1], "", days[1:]),
        ("", days[1], days[:2]),
    ):
        starts = found(owner, **{"from": since, "to": until})
        assert starts == [f"{day}T16:30:00Z" for day in expected], (since, until)


def test_bookings_are_found_by_calendar_and_status(
    owner: Owner, services: Services, new_owner: Callable[..., Owner]
) -> None:
    first, _ = book_all(owner, NINE, TEN)
    calendar_id = owner.get(f"/bookings/{first}").json["calendar_id"]
    book_all(owner, HALF_PAST_NINE)
    book_all(new_owner("Bob Other"), NINE)
    assert found(owner, calendar_id=calendar_id) == [NINE, TEN]
    assert found(owner, calendar_id=unknown_id()) == []
    Desk(services).cancel(UUID(first), by_invitee=True)
    assert found(owner, status="confirmed") == [HALF_PAST_NINE, TEN]
    assert found(owner, status="cancelled") == [NINE]
    assert found(owner, status="") == [NINE, HALF_PAST_NINE, TEN]


def test_bookings_are_found_by_what_was_typed(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    for start, name, notes in (
        (NINE, "Ada Lovelace", "100% sure"),
        (HALF_PAST_NINE, "Zoë Ångström", "100 per cent_sure"),
        (TEN, "Bob \\ Builder", None),
    ):
        invitee = {"name": name, "email": f"{name.split()[0].lower()}@example.org"}
        owner.book(owner.new_link(calendar_id), start, invitee=invitee, notes=notes)
    for q, starts in (
        ("ÅNGSTRÖM", [HALF_PAST_NINE]),
        ("ada@", [NINE]),
        ("100%", [NINE]),
        ("t_s", [HALF_PAST_NINE]),
        ("\\", [TEN]),
        ("sure", [NINE, HALF_PAST_NINE]),
        ("nobody", []),
    ):
        assert found(owner, q=q) == starts, q


def test_pages_of_bookings_have_no_gaps_or_repeats(owner: Owner) -> None:
    starts = [f"{A_DAY}T{hour}:{minute}:00Z" for hour in (10, 11, 12) for minute in ("00", "30")]
    book_all(owner, *starts[::-1])
    for limit in (1, 4, 6, 7):
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            page = owner.get("/bookings", query_string={"limit": limit, "cursor": cursor}).json
            assert 1 <= len(page["items"]) <= limit
            seen += [item["start"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert seen == starts, limit


def test_a_page_may_end_between_two_bookings_of_the_same_start(
    owner: Owner, services: Services
) -> None:
    (first,) = book_all(owner, NINE)
    Desk(services).cancel(UUID(first), by_invitee=True)
    (second,) = book_all(owner, NINE)
    page = owner.get("/bookings?limit=1").json
    rest = owner.get(f"/bookings?limit=1&cursor={page['next_cursor']}").json
    assert [item["id"] for item in page["items"] + rest["items"]] == sorted([first, second])


def test_a_wrong_cursor_of_bookings_is_refused(owner: Owner) -> None:
    of_links = "MTI"  # base64 of a position
    for text in ("x", of_links, "Tm93fG1l", "MjAyNi0xMS0yNFQwOTowMDowMHw", "é", "A" * 9999):
        answer = owner.get("/bookings", query_string={"cursor": text})
        assert wrong_fields(answer) == {"cursor"}, text


def test_a_booking_of_another_owner_is_not_found(
    owner: Owner, new_owner: Callable[..., Owner]
) -> None:
    link = owner.new_link()
    theirs = owner.book(link)["booking_id"]
    other = new_owner("Bob Other")
    for booking_id in (theirs, link["id"], unknown_id()):
        assert refusal(other.get(f"/bookings/{booking_id}")) == (404, "not-found")
    assert other.get("/bookings").json == {"items": [], "next_cursor": None}
