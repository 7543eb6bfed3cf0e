"""An owner moves, changes and cancels bookings, and asks for another time."""

from collections.abc import Callable
from typing import Any

import pytest

from interface.bootstrap import Services
from tests.interface.pages.page_text import error_at, words
from tests.support.examples import A_DAY, NINE, TEN
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

ACTIONS = ("reschedule", "cancel", "ask-to-reschedule", "location")


@pytest.fixture
def booking(owner: Owner) -> dict[str, Any]:
    """A booking of tomorrow at nine."""
    link = owner.new_link(owner.new_calendar(location="Room 1", reschedule_limit=0))
    found: dict[str, Any] = owner.get(f"/bookings/{owner.book(link, NINE)['booking_id']}").json
    return found


@pytest.fixture
def path(booking: dict[str, Any]) -> str:
    """The address of the booking's page."""
    return f"/bookings/{booking['id']}"


def after(person: SignedIn, answer: Any) -> str:
    """Returns the words of the page to which a form has led."""
    assert answer.status_code == 303, words(answer)
    return words(person.get(answer.headers["Location"]))


def test_a_booking_is_moved_to_a_free_time(
    person: SignedIn, owner: Owner, booking: dict[str, Any], path: str
) -> None:
    page = person.get(f"{path}/reschedule?day={A_DAY}")
    assert f"{path}/reschedule?start={TEN}#details" in page.text
    assert "Move this booking?" in words(person.get(f"{path}/reschedule?start={TEN}"))
    seen = after(person, person.post(f"{path}/reschedule", {"start": TEN}))
    assert "Booking moved." in seen
    back = person.get(f"{path}/reschedule?start={TEN}")
    assert (back.status_code, back.headers["Location"]) == (302, path)
    assert owner.get(path).json == booking | {"start": TEN, "end": f"{A_DAY}T10:30:00Z"}


def test_a_time_that_was_just_taken_is_told_above_other_times(
    person: SignedIn, owner: Owner, booking: dict[str, Any], path: str
) -> None:
    owner.book(owner.new_link(booking["calendar_id"]), TEN)
    refused = person.post(f"{path}/reschedule", {"start": TEN})
    assert refused.status_code == 409
    assert "That time is no longer available. Please choose another." in words(refused)
    assert person.post(f"{path}/reschedule", {"start": "noon"}).status_code == 422
    assert owner.get(path).json == booking


def test_a_booking_is_cancelled_with_a_reason(
    person: SignedIn, owner: Owner, services: Services, path: str
) -> None:
    assert "Cancel this booking?" in words(person.get(f"{path}/cancel"))
    too_long = person.post(f"{path}/cancel", {"reason": "x" * 2001})
    assert too_long.status_code == 422
    assert "2000" in error_at(too_long, "reason")
    seen = after(person, person.post(f"{path}/cancel", {"reason": "Fell ill"}))
    assert "Booking cancelled." in seen
    assert "Reason: Fell ill" in seen
    assert owner.get(path).json["status"] == "cancelled"
    (row,) = services.database.fetch_all("SELECT * FROM personal_data WHERE data ? 'reason'")
    assert row["data"] == {"reason": "Fell ill"}
    for action in ACTIONS:
        refused = person.get(f"{path}/{action}")
        assert refused.status_code == 409
        assert "This booking was cancelled." in words(refused)


def test_an_invitee_is_asked_for_another_time(person: SignedIn, owner: Owner, path: str) -> None:
    assert "Message (optional)" in words(person.get(f"{path}/ask-to-reschedule"))
    form = {"message": "Noon?"}
    seen = after(person, person.post(f"{path}/ask-to-reschedule", form))
    assert "The invitee has been asked to choose another time. Noon?" in seen
    assert owner.get(path).json["reschedule_requested"]
    assert "Noon?" in person.get(f"{path}/ask-to-reschedule").text
    assert person.post(f"{path}/ask-to-reschedule", {"message": "x" * 2001}).status_code == 422


def test_the_place_of_one_booking_is_changed(person: SignedIn, owner: Owner, path: str) -> None:
    assert 'value="Room 1"' in person.get(f"{path}/location").text
    seen = after(person, person.post(f"{path}/location", {"location": "Room 2"}))
    assert "Location changed." in seen
    assert "Location Room 2" in seen
    assert person.post(f"{path}/location", {"location": "x" * 501}).status_code == 422
    after(person, person.post(f"{path}/location", {"location": ""}))
    assert owner.get(path).json["location"] == ""


def test_a_booking_is_shown_with_the_title_and_place_it_was_made_under(
    person: SignedIn, owner: Owner, booking: dict[str, Any], path: str
) -> None:
    change = {"name": "Long talk", "location": "Room 9"}
    owner.patch(f"/calendars/{booking['calendar_id']}", change, **{"If-Match": "*"})
    seen = words(person.get(path))
    assert "Intro call · 30 minutes" in seen
    assert "Location Room 1" in seen
    assert "Intro call" in words(person.get("/bookings"))


def test_nothing_more_is_told_to_a_forgotten_invitee(
    person: SignedIn, owner: Owner, booking: dict[str, Any], path: str
) -> None:
    owner.forget(booking["id"])
    page = words(person.get(path))
    assert "Ask for another time" not in page
    assert "Change location" not in page
    assert "Reason (optional)" not in words(person.get(f"{path}/cancel"))
    for action in ("ask-to-reschedule", "location"):
        assert person.get(f"{path}/{action}").status_code == 409
        assert person.post(f"{path}/{action}", {"location": "x"}).status_code == 409


def test_bookings_of_others_are_not_found(
    person: SignedIn, new_owner: Callable[..., Owner]
) -> None:
    nora = new_owner("Nora Neighbour")
    theirs = nora.book(nora.new_link())["booking_id"]
    for booking_id in (theirs, unknown_id()):
        for action in ACTIONS:
            form = {"start": TEN}
            assert person.get(f"/bookings/{booking_id}/{action}").status_code == 404
            assert person.post(f"/bookings/{booking_id}/{action}", form).status_code == 404
