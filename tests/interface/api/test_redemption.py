"""Redeeming over HTTP: a slot for a link, once, and true reasons for every refusal."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from application.eventstore.event_sourced_application import EventSourcedApplication
from domain.agenda import AgendaDay
from domain.booking import Booking
from interface.bootstrap import Services
from tests.conftest import Clock, Owner
from tests.support.calls import (
    HALF_PAST_NINE,
    NINE,
    TEN,
    all_calls,
    booked,
    new_calendar,
    new_link,
    recorded,
    redeem,
    refusal,
)
from tests.support.examples import calendar_json


def test_a_redemption_answers_with_the_booking_and_its_own_links(
    owner: Owner, services: Services
) -> None:
    link = new_link(owner, new_calendar(owner, location="Room 1", description="Hello."))
    invitee = {"name": "Ada Lovelace", "email": "ada@example.org", "time_zone": "Europe/London"}
    answer = redeem(owner, link, "2026-11-24T10:00:00+01:00", invitee=invitee, notes=None)
    assert answer.status_code == 201
    assert answer.headers["X-Log-Position"] == str(services.event_store.head())
    booking_id = Booking.id_for(UUID(link["id"]))
    manage_url = f"https://book.example.org/m/{services.tokens.for_managing(booking_id)}"
    assert answer.json == {
        "booking_id": str(booking_id),
        "start": NINE,
        "end": HALF_PAST_NINE,
        "calendar": {
            "name": "Intro call",
            "description": "Hello.",
            "location": "Room 1",
            "duration_minutes": 30,
            "time_zone": "UTC",
        },
        "invitee": invitee,
        "manage_url": manage_url,
        "ics_url": f"{manage_url}/booking.ics",
    }


def test_an_internationalised_address_is_accepted_with_its_domain_in_one_spelling(
    owner: Owner,
) -> None:
    invitee = {"name": "Žofie", "email": " Žofie@XN--PKLAD-zsa96e.cz"}
    answer = redeem(owner, new_link(owner), invitee=invitee)
    assert answer.status_code == 201
    assert answer.json["invitee"]["email"] == "Žofie@příklad.cz"


def test_a_used_link_tells_nothing_but_that_it_is_used(owner: Owner, services: Services) -> None:
    link = new_link(owner, recipient="Somebody Else")
    invitee = {"name": "Secret Person", "email": "secret@hidden.example"}
    booked(owner, link, invitee=invitee, notes="Confidential")
    before = recorded(services)
    for answer in all_calls(owner, link["token"]):
        assert refusal(answer) == (410, "link-redeemed")
        told = answer.get_data(as_text=True)
        for secret in ("Secret", "secret@", "hidden", "Confidential", "Somebody", NINE, link["id"]):
            assert secret not in told
    assert recorded(services) == before


def test_a_slot_lost_to_somebody_else_leaves_the_link_active(
    owner: Owner, services: Services
) -> None:
    calendar_id = new_calendar(owner)
    first, second = new_link(owner, calendar_id), new_link(owner, calendar_id)
    booked(owner, first, invitee={"name": "Secret Person", "email": "secret@hidden.example"})
    before = recorded(services)
    refused = redeem(owner, second)
    assert refusal(refused) == (409, "slot-taken")
    assert "ecret" not in refused.get_data(as_text=True)
    assert recorded(services) == before
    assert owner.get(f"/links/{second['id']}").json["status"] == "active"
    booked(owner, second, HALF_PAST_NINE)


def test_who_loses_both_link_and_slot_meanwhile_hears_of_the_link(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar_id = new_calendar(owner)
    link, other = new_link(owner, calendar_id), new_link(owner, calendar_id)
    rivals = [(link, TEN), (other, NINE)]
    find: Any = EventSourcedApplication.find

    def find_after_the_rivals(
        bookings: EventSourcedApplication, kind: type, *args: Any, **kwargs: Any
    ) -> Any:
        while kind is AgendaDay and rivals:
            booked(owner, *rivals.pop())
        return find(bookings, kind, *args, **kwargs)

    monkeypatch.setattr(EventSourcedApplication, "find", find_after_the_rivals)
    assert refusal(redeem(owner, link, NINE)) == (410, "link-redeemed")
    assert rivals == []


def test_a_slot_is_taken_across_calendars_and_buffers_count(owner: Owner) -> None:
    plain = new_calendar(owner)
    buffered = new_calendar(owner, buffer_before_minutes=15, buffer_after_minutes=15)
    booked(owner, new_link(owner, plain), NINE)
    link = new_link(owner, buffered)
    for start in (NINE, HALF_PAST_NINE):
        assert refusal(redeem(owner, link, start)) == (409, "slot-taken")
    booked(owner, link, TEN)


def test_two_owners_book_the_same_time(owner: Owner, new_owner: Callable[..., Owner]) -> None:
    booked(owner, new_link(owner))
    other = new_owner("Bob Other")
    booked(other, new_link(other))


def test_an_expired_link_books_no_more(owner: Owner, services: Services, clock: Clock) -> None:
    link = new_link(owner, expires_in_days=1)
    clock.advance(days=1, seconds=-1)
    assert refusal(redeem(owner, link, "2026-11-24T03:00:00Z")) == (422, "slot-not-offered")
    clock.advance(seconds=1)
    before = recorded(services)
    for answer in all_calls(owner, link["token"]):
        assert refusal(answer) == (410, "link-expired")
    assert recorded(services) == before


def test_a_link_books_a_slot_that_lies_after_its_expiry(owner: Owner) -> None:
    booked(owner, new_link(owner, expires_in_days=1), "2027-01-15T09:00:00Z")


def test_a_used_link_says_so_after_its_expiry_too(owner: Owner, clock: Clock) -> None:
    link = new_link(owner, expires_in_days=1)
    booked(owner, link)
    clock.advance(days=2)
    for answer in all_calls(owner, link["token"]):
        assert refusal(answer) == (410, "link-redeemed")


def test_a_time_that_is_not_offered_is_refused(owner: Owner, services: Services) -> None:
    availability = calendar_json()["availability"] | {"overrides": {"2026-12-24": []}}
    changes = {"availability": availability, "minimum_notice_minutes": 240}
    link = new_link(owner, new_calendar(owner, **changes))
    before = recorded(services)
    for why, start in (
        ("off the grid", "2026-11-24T09:10:00Z"),
        ("off by a fraction", "2026-11-24T09:00:00.000001Z"),
        ("before the hours", "2026-11-24T08:30:00Z"),
        ("over the end of the hours", "2026-11-24T17:00:00Z"),
        ("on a day off", "2026-12-24T09:00:00Z"),
        ("in the past", "2026-11-22T09:00:00Z"),
        ("within the minimum notice", "2026-11-23T11:30:00Z"),
        ("beyond the booking window", "2027-01-23T09:00:00Z"),
        ("at the first moment there is", "2000-01-01T00:00:00Z"),
        ("at the last moment there is", "2199-12-31T23:59:59Z"),
    ):
        assert refusal(redeem(owner, link, start)) == (422, "slot-not-offered"), why
    assert recorded(services) == before
    booked(owner, link, "2026-11-23T12:00:00Z")  # notice ends with this very moment


def test_a_link_can_be_redeemed_before_any_view_knows_it(owner: Owner) -> None:
    booked(owner, new_link(owner))


def test_no_event_holds_what_an_invitee_typed(owner: Owner, services: Services) -> None:
    link = new_link(owner, recipient="Recipient Person", note="A private note")
    redeem(owner, link, key="secret-key", notes="Private matters")
    events = json.dumps(services.database.fetch_all("SELECT data::text FROM log"))
    for typed in ("Recipient", "private", "Ada", "ada@", "Private", "secret-key", link["token"]):
        assert typed not in events
