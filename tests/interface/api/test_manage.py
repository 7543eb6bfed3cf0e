"""An invitee manages their booking over HTTP, and its owner changes it."""

from typing import Any
from uuid import UUID

import pytest

from application.people.rate_limits import FORGED_TOKENS
from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.examples import A_DAY, HALF_PAST_NINE, NINE, TEN, TOMORROW_AT_NINE
from tests.support.http_desk import from_another_address, manage_token, refusal, unknown_id
from tests.support.owner import Owner
from tests.support.stored_rows import recorded

NO_SUCH_BOOKING = (404, "not-found")
ELEVEN = f"{A_DAY}T11:00:00Z"


@pytest.fixture
def booked(owner: Owner) -> dict[str, Any]:
    """A booking of tomorrow at nine, under strict terms."""
    calendar_id = owner.new_calendar(
        location="Room 1",
        description="Hello.",
        cancel_notice_minutes=120,
        reschedule_notice_minutes=60,
        reschedule_limit=1,
        contact="Call 555-0100.",
    )
    return owner.book(owner.new_link(calendar_id), notes="By phone")


def free(owner: Owner, booking: dict[str, Any], **query: str) -> Any:
    owner.catch_up()
    path = f"/api/v1/manage/{manage_token(booking)}/slots"
    return owner.client.get(path, query_string={"from": A_DAY, "to": A_DAY} | query)


def test_the_bearer_of_a_manage_link_sees_the_booking_and_what_can_still_be_changed(
    owner: Owner, booked: dict[str, Any]
) -> None:
    seen = owner.manage(booked)
    assert seen.status_code == 200
    assert seen.json == {
        "booking_id": booked["booking_id"],
        "status": "confirmed",
        "start": NINE,
        "end": HALF_PAST_NINE,
        "calendar": booked["calendar"],
        "host": {"name": "Olivia Owner"},
        "location": "Room 1",
        "invitee": booked["invitee"],
        "notes": "By phone",
        "can_cancel": True,
        "cancel_until": f"{A_DAY}T07:00:00Z",
        "can_reschedule": True,
        "reschedule_until": f"{A_DAY}T08:00:00Z",
        "reschedules_left": 1,
        "reschedule_requested": False,
        "message": None,
        "reason": None,
        "contact": "Call 555-0100.",
        "manage_url": booked["manage_url"],
        "ics_url": booked["ics_url"],
    }


def test_the_terms_of_a_booking_stay_when_those_of_the_calendar_change(
    owner: Owner, booked: dict[str, Any]
) -> None:
    calendar_id = owner.get(f"/bookings/{booked['booking_id']}").json["calendar_id"]
    before = owner.manage(booked).json
    change = {"name": "Long talk", "location": "Room 9", "time_zone": "Asia/Tokyo"}
    strict = {"cancel_notice_minutes": 9999, "reschedule_limit": 0}
    changed = owner.patch(f"/calendars/{calendar_id}", change | strict, **{"If-Match": "*"})
    assert changed.status_code == 200
    assert owner.manage(booked).json == before
    row = owner.get(f"/bookings/{booked['booking_id']}").json
    assert (row["title"], row["location"]) == ("Intro call", "Room 1")


def test_reading_changes_nothing(owner: Owner, services: Services, booked: dict[str, Any]) -> None:
    before = recorded(services)
    assert owner.manage(booked).status_code == free(owner, booked).status_code == 200
    assert recorded(services) == before


def test_free_slots_include_those_that_only_the_booking_itself_takes(
    owner: Owner, booked: dict[str, Any]
) -> None:
    row = owner.get(f"/bookings/{booked['booking_id']}").json
    owner.book(owner.new_link(row["calendar_id"]), TEN)
    starts = [slot["start"] for slot in free(owner, booked).json["slots"]]
    assert NINE in starts
    assert TEN not in starts


def test_a_move_answers_with_the_booking_at_its_new_time(
    owner: Owner, booked: dict[str, Any]
) -> None:
    moved = owner.manage(booked, "reschedule", {"start": TEN})
    assert moved.status_code == 200
    assert (moved.json["start"], moved.json["reschedules_left"]) == (TEN, 0)
    assert not moved.json["can_reschedule"]
    position = moved.headers["X-Log-Position"]
    row = owner.get(f"/bookings/{booked['booking_id']}").json
    assert (row["start"], row["status"]) == (TEN, "confirmed")
    again = owner.manage(booked, "reschedule", {"start": TEN})
    assert (again.status_code, again.headers["X-Log-Position"]) == (200, position)


def test_a_move_is_refused_with_its_reason(
    owner: Owner, clock: Clock, booked: dict[str, Any]
) -> None:
    row = owner.get(f"/bookings/{booked['booking_id']}").json
    owner.book(owner.new_link(row["calendar_id"]), TEN)
    for start, reason in (
        (TEN, (409, "slot-taken")),
        (f"{A_DAY}T10:10:00Z", (422, "slot-not-offered")),
    ):
        assert refusal(owner.manage(booked, "reschedule", {"start": start})) == reason
    assert owner.manage(booked, "reschedule", {"start": ELEVEN}).status_code == 200
    for answer in (owner.manage(booked, "reschedule", {"start": NINE}), free(owner, booked)):
        assert refusal(answer) == (409, "reschedule-limit")
        assert answer.json["detail"].endswith("Call 555-0100.")
    clock.time = TOMORROW_AT_NINE.replace(hour=10)
    for answer in (owner.manage(booked, "reschedule", {"start": NINE}), free(owner, booked)):
        assert refusal(answer) == (409, "too-late")
        assert answer.json["detail"].endswith(f"until {A_DAY}T10:00:00Z. Call 555-0100.")


def test_a_cancellation_frees_the_time_and_is_final(owner: Owner, booked: dict[str, Any]) -> None:
    row = owner.get(f"/bookings/{booked['booking_id']}").json
    cancelled = owner.manage(booked, "cancel", {"reason": "Ill"})
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["reason"] == "Ill"
    assert owner.get(f"/bookings/{row['id']}").json["reason"] == "Ill"
    assert not cancelled.json["can_cancel"]
    again = owner.manage(booked, "cancel")
    assert again.headers["X-Log-Position"] == cancelled.headers["X-Log-Position"]
    for answer in (owner.manage(booked, "reschedule", {"start": TEN}), free(owner, booked)):
        assert refusal(answer) == (409, "booking-cancelled")
    owner.book(owner.new_link(row["calendar_id"]), NINE)
    assert owner.get(f"/links/{row['link_id']}").json["status"] == "redeemed"


def test_a_cancellation_after_the_notice_is_too_late(
    owner: Owner, clock: Clock, booked: dict[str, Any]
) -> None:
    clock.time = TOMORROW_AT_NINE.replace(hour=7)
    refused = owner.manage(booked, "cancel")
    assert refusal(refused) == (409, "too-late")
    assert refused.json["detail"].endswith(f"until {A_DAY}T07:00:00Z. Call 555-0100.")
    assert owner.cancel(booked["booking_id"]).json["status"] == "cancelled"


def test_a_booking_whose_link_offers_no_other_times_can_be_moved_by_its_owner_alone(
    owner: Owner, clock: Clock
) -> None:
    calendar_id = owner.new_calendar(contact="Call 555-0100.")
    link = owner.new_link(calendar_id, offer={"slots": [NINE, TEN]})
    booked = owner.book(link)
    assert owner.manage(booked).json["can_reschedule"]
    clock.time = TOMORROW_AT_NINE.replace(hour=8)
    noon = f"{A_DAY}T12:00:00Z"
    assert owner.move(booked["booking_id"], noon).status_code == 200
    clock.time = TOMORROW_AT_NINE.replace(hour=11)
    assert not owner.manage(booked).json["can_reschedule"]
    refused = free(owner, booked)
    assert refusal(refused) == (409, "no-other-times")
    assert refused.json["detail"].endswith("offers no other times. Call 555-0100.")
    tomorrow = {"start": "2026-11-25T09:00:00Z"}
    assert refusal(owner.manage(booked, "reschedule", tomorrow)) == (422, "slot-not-offered")
    owner.ask_to_reschedule(booked["booking_id"])
    assert owner.manage(booked).json["can_reschedule"]
    assert owner.manage(booked, "reschedule", tomorrow).status_code == 200


def test_an_invitee_forgets_themselves_and_still_manages_the_booking(
    owner: Owner, services: Services, booked: dict[str, Any]
) -> None:
    forgotten = owner.manage(booked, "forget")
    assert forgotten.status_code == 200
    assert (forgotten.json["invitee"], forgotten.json["notes"]) == (None, None)
    assert services.database.fetch_all("SELECT * FROM personal_data") == []
    assert owner.manage(booked, "forget").json == forgotten.json
    assert owner.manage(booked, "reschedule", {"start": TEN}).status_code == 200
    assert owner.manage(booked, "cancel", {"reason": "Ill"}).status_code == 200
    assert services.database.fetch_all("SELECT * FROM personal_data") == []


@pytest.mark.parametrize("action", ["", "slots", "cancel", "reschedule", "forget"])
def test_forged_tokens_are_not_found_and_counted(
    owner: Owner, services: Services, booked: dict[str, Any], action: str
) -> None:
    link = owner.new_link()
    before = recorded(services)
    address = from_another_address()

    def send(token: str) -> Any:
        path = "/".join(filter(None, ("/api/v1/manage", token, action)))
        method = "GET" if action in ("", "slots") else "POST"
        json = {"start": TEN} if action == "reschedule" else None
        return owner.client.open(path, method=method, json=json, environ_base=address)

    token = manage_token(booked)
    for forged in (link["token"], f"{token}x", token[:-1], "x", unknown_id()):
        assert refusal(send(forged)) == NO_SUCH_BOOKING
    never_made = services.tokens.for_managing(UUID(unknown_id()))
    assert refusal(send(never_made)) == NO_SUCH_BOOKING
    assert recorded(services) == before
    for _ in range(FORGED_TOKENS.failures - 5):
        send("x")
    assert refusal(send("x")) == (429, "too-many-requests")


# The owner


def test_the_owner_moves_a_booking_without_the_limits_of_the_invitee(
    owner: Owner, clock: Clock, booked: dict[str, Any]
) -> None:
    clock.time = TOMORROW_AT_NINE
    for start in (TEN, ELEVEN):
        moved = owner.move(booked["booking_id"], start)
        assert (moved.status_code, moved.json["start"]) == (200, start)
        assert "X-Log-Position" in moved.headers
        assert owner.get(f"/bookings/{booked['booking_id']}").json == moved.json
    night = owner.move(booked["booking_id"], f"{A_DAY}T23:00:00Z")
    assert refusal(night) == (422, "slot-not-offered")
    assert owner.manage(booked).json["reschedules_left"] == 1


def test_the_owner_asks_for_another_time_which_the_invitee_may_then_pick(
    owner: Owner, booked: dict[str, Any]
) -> None:
    assert owner.manage(booked, "reschedule", {"start": TEN}).status_code == 200
    asked = owner.ask_to_reschedule(booked["booking_id"], "Eleven?")
    assert asked.json["reschedule_requested"]
    assert owner.get(f"/bookings/{booked['booking_id']}").json == asked.json
    seen = owner.manage(booked).json
    assert (seen["reschedule_requested"], seen["message"]) == (True, "Eleven?")
    assert (seen["can_reschedule"], seen["reschedule_until"]) == (True, None)
    moved = owner.manage(booked, "reschedule", {"start": ELEVEN}).json
    assert (moved["start"], moved["reschedule_requested"], moved["message"]) == (
        ELEVEN,
        False,
        None,
    )


def test_the_owner_changes_the_place(owner: Owner, booked: dict[str, Any]) -> None:
    path = f"/bookings/{booked['booking_id']}"
    for place in ("Room 2", ""):
        changed = owner.patch(path, {"location": place})
        assert (changed.status_code, changed.json["location"]) == (200, place)
        assert owner.get(path).json == changed.json
        assert owner.manage(booked).json["location"] == place


def test_nothing_is_told_about_a_cancelled_booking_or_to_a_forgotten_invitee(
    owner: Owner, booked: dict[str, Any]
) -> None:
    booking_id = booked["booking_id"]
    assert owner.patch(f"/bookings/{booking_id}", {"location": "At Ada's"}).status_code == 200
    assert owner.forget(booking_id).json["location"] is None
    for reason in ("invitee-forgotten", "booking-cancelled"):
        for answer in (
            owner.patch(f"/bookings/{booking_id}", {"location": "Room 3"}),
            owner.ask_to_reschedule(booking_id),
        ):
            assert refusal(answer) == (409, reason)
        assert owner.cancel(booking_id).status_code == 200
    assert refusal(owner.move(booking_id)) == (409, "booking-cancelled")


def test_bookings_of_others_are_not_found(
    owner: Owner, new_owner: Any, booked: dict[str, Any]
) -> None:
    nora = new_owner("Nora Neighbour")
    for booking_id in (booked["booking_id"], unknown_id()):
        for answer in (
            nora.patch(f"/bookings/{booking_id}", {"location": "x"}),
            nora.cancel(booking_id),
            nora.move(booking_id),
            nora.ask_to_reschedule(booking_id),
        ):
            assert refusal(answer) == NO_SUCH_BOOKING
