"""A booking is made, rescheduled, cancelled, and its invitee forgotten."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.booking import INVITEE, Booking, BookingStatus
from domain.errors import BookingCancelled, InviteeForgotten
from domain.slot import Slot
from tests.domain.replay import collected, copy_of
from tests.support.examples import (
    ACTOR,
    CALENDAR,
    LINK,
    NOW,
    OWNER,
    TOMORROW,
    TOMORROW_AT_TEN,
    booked,
)

LATER = NOW + timedelta(hours=1)
AT_TEN = Slot(TOMORROW_AT_TEN, TOMORROW_AT_TEN + timedelta(minutes=30))
COMMITMENT = "c0" * 32


def made() -> Booking:
    return booked(calendar_version=3, personal_data=COMMITMENT)


def cancel(booking: Booking) -> None:
    booking.cancel(personal_data=None, actor=ACTOR, now=LATER)


def cancelled() -> tuple[Booking, list[Any]]:
    booking = made()
    cancel(booking)
    return booking, collected(booking)


def test_a_new_booking_is_confirmed_and_has_the_agreed_slot_and_calendar_version() -> None:
    booking = made()
    (event,) = collected(booking)
    assert booking.status is BookingStatus.CONFIRMED
    assert (booking.slot, booking.link_id, booking.owner_id) == (TOMORROW, LINK, OWNER)
    assert (booking.calendar_id, booking.calendar_version) == (CALENDAR, 3)
    assert booking.personal_data == COMMITMENT
    assert (event.actor, event.timestamp) == ("invitee", NOW)


def test_one_link_can_only_make_one_booking_because_the_id_follows_from_it() -> None:
    assert made().id == made().id == Booking.id_for(LINK)
    assert Booking.id_for(OWNER) != Booking.id_for(LINK)


def test_the_id_of_a_links_booking_never_changes() -> None:
    assert Booking.id_for(LINK) == UUID("8d7a5174-0eb9-560f-8cb2-76b468b6fe1c")


def test_a_rescheduled_booking_is_the_same_one_at_another_time() -> None:
    booking = made()
    booking.reschedule(AT_TEN, actor="invitee", now=LATER)
    event = collected(booking)[-1]
    assert (booking.slot, booking.status) == (AT_TEN, BookingStatus.CONFIRMED)
    assert (event.slot_start, event.slot_end) == (AT_TEN.start, AT_TEN.end)
    assert (event.actor, event.timestamp) == ("invitee", LATER)


def test_a_booking_rescheduled_to_where_it_is_stays_as_it_is() -> None:
    booking = made()
    history = collected(booking)
    booking.reschedule(TOMORROW, actor="invitee", now=LATER)
    assert collected(booking, history) == history


def test_a_booking_can_move_back() -> None:
    booking = made()
    booking.reschedule(AT_TEN, actor="invitee", now=LATER)
    booking.reschedule(TOMORROW, actor="invitee", now=LATER)
    assert len(collected(booking)) == 3
    assert booking.slot == TOMORROW


def test_a_cancelled_booking_is_not_rescheduled() -> None:
    booking, history = cancelled()
    for slot in (AT_TEN, TOMORROW):
        with pytest.raises(BookingCancelled):
            booking.reschedule(slot, actor=ACTOR, now=LATER)
    assert collected(booking, history) == history


def test_a_cancelled_booking_keeps_its_slot_for_the_record() -> None:
    booking, history = cancelled()
    assert (booking.status, booking.slot) == (BookingStatus.CANCELLED, TOMORROW)
    assert (history[-1].actor, history[-1].timestamp) == (ACTOR, LATER)


def test_a_booking_cancelled_again_stays_as_it_is() -> None:
    booking, history = cancelled()
    booking.cancel(personal_data=COMMITMENT, actor="invitee", now=LATER)
    assert collected(booking, history) == history


def test_forgetting_an_invitee_records_actor_and_time_and_keeps_the_booking() -> None:
    booking = made()
    booking.forget_invitee(actor=ACTOR, now=LATER)
    event = collected(booking)[-1]
    assert booking.is_invitee_forgotten
    assert (booking.slot, booking.status) == (TOMORROW, BookingStatus.CONFIRMED)
    assert (event.actor, event.timestamp) == (ACTOR, LATER)


def test_forgetting_an_invitee_again_triggers_no_event() -> None:
    booking = made()
    booking.forget_invitee(actor=ACTOR, now=NOW)
    history = collected(booking)
    booking.forget_invitee(actor="invitee", now=LATER)
    assert collected(booking, history) == history


def test_the_booking_of_a_forgotten_invitee_is_still_moved_and_cancelled() -> None:
    booking = made()
    booking.forget_invitee(actor=ACTOR, now=LATER)
    booking.reschedule(AT_TEN, actor=ACTOR, now=LATER)
    cancel(booking)
    collected(booking)
    assert (booking.slot, booking.status) == (AT_TEN, BookingStatus.CANCELLED)
    assert booking.is_invitee_forgotten


def test_only_the_invitees_own_moves_count() -> None:
    booking = made()
    booking.reschedule(AT_TEN, actor=INVITEE, now=LATER)
    booking.reschedule(TOMORROW, actor=ACTOR, now=LATER)
    booking.ask_to_reschedule(personal_data=None, actor=ACTOR, now=LATER)
    booking.reschedule(AT_TEN, actor=INVITEE, now=LATER)
    assert booking.moves_by_invitee == 1
    booking.reschedule(TOMORROW, actor=INVITEE, now=LATER)
    assert booking.moves_by_invitee == 2
    collected(booking)


def test_a_request_for_another_time_is_open_until_the_booking_moves_or_is_cancelled() -> None:
    booking = made()
    assert not booking.is_asked_to_reschedule
    for end in (
        lambda: booking.reschedule(AT_TEN, actor=ACTOR, now=LATER),
        lambda: cancel(booking),
    ):
        booking.ask_to_reschedule(personal_data=COMMITMENT, actor=ACTOR, now=LATER)
        assert booking.is_asked_to_reschedule
        assert booking.request_version == booking.version
        end()
        assert not booking.is_asked_to_reschedule
    request = collected(booking)[1]
    assert (request.personal_data, request.actor) == (COMMITMENT, ACTOR)


def test_a_changed_place_is_that_of_the_newest_change() -> None:
    booking = made()
    for version, commitment in ((2, COMMITMENT), (3, None)):
        booking.change_place(personal_data=commitment, actor=ACTOR, now=LATER)
        assert booking.place_version == version
    assert [event.personal_data for event in collected(booking)[1:]] == [COMMITMENT, None]


@pytest.mark.parametrize("act", [Booking.change_place, Booking.ask_to_reschedule])
def test_nothing_is_told_about_a_cancelled_booking_or_to_a_forgotten_invitee(act: Any) -> None:
    forgotten = made()
    forgotten.forget_invitee(actor=ACTOR, now=LATER)
    for booking, refusal in ((cancelled()[0], BookingCancelled), (forgotten, InviteeForgotten)):
        with pytest.raises(refusal):
            act(booking, personal_data=COMMITMENT, actor=ACTOR, now=LATER)


def test_one_who_cancels_and_one_who_reschedules_at_once_claim_the_same_version() -> None:
    history = collected(made())
    one, other = copy_of(history), copy_of(history)
    cancel(one)
    other.reschedule(AT_TEN, actor="invitee", now=LATER)
    (first,), (second,) = one.collect_events(), other.collect_events()
    assert first.originator_version == second.originator_version == 2
