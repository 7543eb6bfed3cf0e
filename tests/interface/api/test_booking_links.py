"""Booking links over HTTP: what the bearer of a token sees, without an account."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from application.people.tokens import Tokens
from domain.booking import Booking
from domain.booking_rules import WEEKDAYS
from interface.api import free_slots
from interface.bootstrap import Services
from tests.support.examples import A_DAY, HALF_PAST_NINE, NINE, TEN
from tests.support.http_desk import from_another_address, refusal, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded

NO_SUCH_LINK = (404, "link-not-found")


def slots(owner: Owner, link: dict[str, Any], **query: Any) -> Any:
    return owner.get(f"/booking-links/{link['token']}/slots", query_string=query)


def test_an_active_link_shows_the_calendar_and_the_host(owner: Owner) -> None:
    calendar_id = owner.new_calendar(location="Room 1", description="Hello.")
    link = owner.new_link(calendar_id, recipient="Ada", note="Only for the owner's eyes")
    owner.catch_up()
    seen = owner.client.get(f"/api/v1/booking-links/{link['token']}")
    assert seen.status_code == 200
    assert seen.json == {
        "status": "active",
        "calendar": {
            "name": "Intro call",
            "description": "Hello.",
            "location": "Room 1",
            "duration_minutes": 30,
            "time_zone": "UTC",
        },
        "host": {"name": "Olivia Owner"},
        "expires_at": link["expires_at"],
        "prefill": None,
    }


def test_slots_are_those_of_two_weeks_by_default(owner: Owner) -> None:
    link = owner.new_link()
    starts = [slot["start"] for slot in slots(owner, link).json["slots"]]
    assert starts == sorted(starts)
    assert len(starts) == 14 * 16
    assert (starts[0], starts[-1]) == ("2026-11-23T09:00:00Z", "2026-12-06T16:30:00Z")
    assert slots(owner, link, **{"from": "", "to": "", "time_zone": ""}).json["slots"][-1] == {
        "start": "2026-12-06T16:30:00Z",
        "end": "2026-12-06T17:00:00Z",
    }


def test_a_taken_slot_is_no_longer_among_the_free_ones(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    owner.book(owner.new_link(calendar_id), NINE)
    seen = slots(owner, owner.new_link(calendar_id), **{"from": NINE[:10], "to": NINE[:10]})
    assert [slot["start"] for slot in seen.json["slots"]][:2] == [HALF_PAST_NINE, TEN]


def test_days_of_slots_are_those_of_the_zone_asked_for(owner: Owner) -> None:
    weekly = {"wednesday": [["00:00", "02:00"]]}
    calendar_id = owner.new_calendar(time_zone="Asia/Tokyo", availability={"weekly": weekly})
    link = owner.new_link(calendar_id)
    starts = ["2026-11-24T15:00:00Z", "2026-11-24T15:30:00Z", "2026-11-24T16:00:00Z"]
    starts.append("2026-11-24T16:30:00Z")
    for day, zone, expected in (
        ("2026-11-24", "", []),
        ("2026-11-25", "", starts),
        ("2026-11-24", "America/New_York", starts),
        ("2026-11-24", "Etc/GMT-8", starts[:2]),
        ("2026-11-25", "Etc/GMT-8", starts[2:]),
    ):
        seen = slots(owner, link, **{"from": day, "to": day, "time_zone": zone})
        assert [slot["start"] for slot in seen.json["slots"]] == expected, (day, zone)


def test_slots_are_shown_for_at_most_62_days(owner: Owner) -> None:
    link = owner.new_link(owner.new_calendar(booking_window_days=365))
    shown = slots(owner, link, **{"from": "2026-11-23", "to": "2027-01-23"})
    assert len(shown.json["slots"]) == 62 * 16
    for since, until in (("2026-11-23", "2027-01-24"), ("2026-11-24", "2026-11-23")):
        assert wrong_fields(slots(owner, link, **{"from": since, "to": until})) == {"to"}
    for query, fields in (
        ({"from": "24.11.2026"}, {"from"}),
        ({"to": "2026-02-30", "time_zone": "Mars/Olympus"}, {"to", "time_zone"}),
        ({"to": "2026-11-22"}, {"to"}),
    ):
        assert wrong_fields(slots(owner, link, **query)) == fields


A_MINUTE_ALL_DAY = {
    "duration_minutes": 1,
    "availability": {"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}},
}


def test_many_slots_are_answered_day_by_day_without_a_gap(owner: Owner) -> None:
    link = owner.new_link(owner.new_calendar(**A_MINUTE_ALL_DAY))
    starts: list[str] = []
    day, pages = "2026-11-24", 0
    while day:
        page = slots(owner, link, **{"from": day, "to": "2026-11-27"}).json
        pages += 1
        assert len(page["slots"]) <= 2000
        starts += [slot["start"] for slot in page["slots"]]
        day = page["next_from"]
    assert pages == 4
    assert starts == sorted(set(starts))
    assert (len(starts), starts[-1]) == (4 * 1440, "2026-11-27T23:59:00Z")


def test_a_day_of_too_many_slots_is_cut_and_goes_on_with_the_next_day(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_slots, "MOST_SLOTS", 10)
    link = owner.new_link()
    page = slots(owner, link, **{"from": A_DAY, "to": "2026-11-25"}).json
    assert [len(page["slots"]), page["next_from"]] == [10, "2026-11-25"]
    page = slots(owner, link, **{"from": "2026-11-25", "to": "2026-11-25"}).json
    assert [len(page["slots"]), page["next_from"]] == [10, None]


def test_slots_that_are_all_there_have_no_next_day(owner: Owner) -> None:
    assert slots(owner, owner.new_link()).json["next_from"] is None


def test_every_wrong_token_gets_the_same_answer(owner: Owner, services: Services) -> None:
    link = owner.new_link()
    token: str = link["token"]
    identity, _, signature = token.partition(".")
    booking_id = Booking.id_for(UUID(link["id"]))
    wrong = [
        "x",
        ".",
        "..",
        "%00",
        "%FF%FE",
        "é",
        "a" * 5000,
        identity,
        signature,
        f"{identity}.",
        f".{signature}",
        token[:-1],
        token[1:],
        f"{token}x",
        f"{token}%0A",
        f"{token}.{signature}",
        f"{signature}.{identity}",
        link["id"],
        Tokens(["another-secret-that-is-long-enough-too"]).for_link(UUID(link["id"])),
        services.tokens.for_managing(UUID(link["id"])),
        services.tokens.for_managing(booking_id),
        services.tokens.for_link(uuid4()),
    ]
    before = recorded(services)
    bodies = set()
    for text in wrong:
        owner.client.environ_base |= from_another_address()
        for answer in owner.try_token(text):
            assert refusal(answer) == NO_SUCH_LINK, text
            bodies.add(answer.data)
    assert len(bodies) == 1
    assert recorded(services) == before


def test_a_token_with_any_one_character_changed_opens_nothing(owner: Owner) -> None:
    token: str = owner.new_link()["token"]
    owner.catch_up()
    for place, sign in enumerate(token):
        for other in {"A", "B", "!"} - {sign}:
            changed = token[:place] + other + token[place + 1 :]
            answer = owner.client.get(
                f"/api/v1/booking-links/{changed}", environ_base=from_another_address()
            )
            assert refusal(answer) == NO_SUCH_LINK, (place, other)


def test_the_bearer_of_a_token_reads_the_log_and_not_a_view(owner: Owner) -> None:
    """No view is ever brought up to date here: `owner.client` reads as the service would."""
    link = owner.new_link()
    path = f"/api/v1/booking-links/{link['token']}"
    opened: Any = owner.client.get(path)
    assert (opened.status_code, opened.json["status"]) == (200, "active")
    slots: Any = owner.client.get(f"{path}/slots")
    assert NINE in [slot["start"] for slot in slots.json["slots"]]
    owner.book(link, NINE)
    for address in (path, f"{path}/slots"):
        assert refusal(owner.client.get(address)) == (410, "link-redeemed")
