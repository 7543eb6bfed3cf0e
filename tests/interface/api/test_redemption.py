"""Redeeming over HTTP: the response, and the status of each refusal."""

from uuid import UUID

import pytest

from domain.booking import Booking
from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.examples import HALF_PAST_NINE, NINE
from tests.support.http_desk import refusal
from tests.support.owner import Owner
from tests.support.stored_rows import recorded


def test_a_redemption_answers_with_the_booking_and_its_own_links(
    owner: Owner, services: Services
) -> None:
    link = owner.new_link(owner.new_calendar(location="Room 1", description="Hello."))
    invitee = {"name": "Ada Lovelace", "email": "ada@example.org", "time_zone": "Europe/London"}
    answer = owner.redeem(link, "2026-11-24T10:00:00+01:00", invitee=invitee, notes=None)
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
    answer = owner.redeem(owner.new_link(), invitee=invitee)
    assert answer.status_code == 201
    assert answer.json["invitee"]["email"] == "Žofie@příklad.cz"


def test_a_used_link_reveals_nothing_but_that_it_is_used(owner: Owner, services: Services) -> None:
    link = owner.new_link(recipient="Somebody Else")
    invitee = {"name": "Secret Person", "email": "secret@hidden.example"}
    owner.book(link, invitee=invitee, notes="Confidential")
    before = recorded(services)
    for answer in owner.try_token(link["token"]):
        assert refusal(answer) == (410, "link-redeemed")
        text = answer.get_data(as_text=True)
        for secret in ("Secret", "secret@", "hidden", "Confidential", "Somebody", NINE, link["id"]):
            assert secret not in text
    assert recorded(services) == before


def test_an_expired_link_says_so_from_that_moment_on(
    owner: Owner, services: Services, clock: Clock
) -> None:
    link = owner.new_link(expires_in_days=1)
    clock.advance(days=1, seconds=-1)
    assert refusal(owner.redeem(link, "2026-11-24T03:00:00Z")) == (422, "slot-not-offered")
    clock.advance(seconds=1)
    before = recorded(services)
    for answer in owner.try_token(link["token"]):
        assert refusal(answer) == (410, "link-expired")
    assert recorded(services) == before


def test_a_taken_slot_is_refused_without_revealing_who_took_it(
    owner: Owner, services: Services
) -> None:
    calendar_id = owner.new_calendar()
    first, second = owner.new_link(calendar_id), owner.new_link(calendar_id)
    owner.book(first, invitee={"name": "Secret Person", "email": "secret@hidden.example"})
    before = recorded(services)
    refused = owner.redeem(second)
    assert refusal(refused) == (409, "slot-taken")
    assert "ecret" not in refused.get_data(as_text=True)
    assert recorded(services) == before
    owner.book(second, HALF_PAST_NINE)


@pytest.mark.parametrize(
    "start",
    [
        "2026-11-24T09:10:00Z",  # beside the grid
        "2026-11-24T09:00:00.000001Z",
        "2000-01-01T00:00:00Z",  # the first moment that can be named
        "2199-12-31T23:59:59Z",  # the last one
    ],
)
def test_a_time_that_is_not_offered_is_refused(
    owner: Owner, services: Services, start: str
) -> None:
    link = owner.new_link()
    before = recorded(services)
    assert refusal(owner.redeem(link, start)) == (422, "slot-not-offered")
    assert recorded(services) == before
