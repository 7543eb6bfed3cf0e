"""The decisions to move and to cancel a booking, from aggregates alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from domain.agenda import AgendaDay
from domain.booking import INVITEE, Booking, BookingStatus
from domain.booking_changes import (
    cancel,
    cancel_until,
    moves_left,
    must_have_other_times,
    offered_move,
    reschedule,
    reschedule_until,
    rules_of_move,
)
from domain.calendar import CalendarTerms
from domain.errors import (
    BookingCancelled,
    NoOtherTimes,
    RescheduleLimitReached,
    SlotNotOffered,
    SlotTaken,
    TooLate,
)
from domain.offer import Offer
from domain.slot import Reservation, Slot
from tests.domain.replay import collected
from tests.support.desk import minutes, terms
from tests.support.examples import (
    ACTOR,
    CALENDAR,
    LINK,
    NOW,
    OTHER_OWNER,
    OWNER,
    TERMS,
    TOMORROW,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)

HOUR = timedelta(hours=1)
STRICT = replace(
    TERMS,
    cancel_notice_minutes=120,
    reschedule_notice_minutes=60,
    reschedule_limit=1,
    contact="Call 555.",
)
Agenda = dict[date, AgendaDay]


def a_booking(agreed: CalendarTerms = TERMS, slot: Slot = TOMORROW) -> tuple[Booking, Agenda]:
    """Returns a booking of a slot and the agenda in which its time is reserved."""
    booking = Booking.make(
        link_id=LINK,
        owner_id=OWNER,
        calendar_id=CALENDAR,
        calendar_version=1,
        slot=slot,
        personal_data="a-commitment",
        actor=INVITEE,
        now=NOW,
    )
    agenda: Agenda = {}
    reserve(agenda, booking.id, agreed.rules.reservation(slot))
    return booking, agenda


def reserve(agenda: Agenda, booking_id: Any, reservation: Reservation) -> None:
    days = {
        day: agenda.get(day) or AgendaDay.open(OWNER, day, actor=INVITEE, now=NOW)
        for day in reservation.widened.days()
    }
    for day in days.values():
        day.reserve(booking_id, reservation, actor=INVITEE, now=NOW)
    agenda |= days


def move(
    booking: Booking,
    agenda: Agenda,
    start: datetime = TOMORROW_AT_TEN,
    *,
    agreed: CalendarTerms = TERMS,
    newest: CalendarTerms = TERMS,
    is_busy_elsewhere: bool = False,
    actor: str = INVITEE,
    now: datetime = NOW,
) -> list[AgendaDay]:
    rules = rules_of_move(booking, newest.rules, actor=actor)
    changed = reschedule(
        booking,
        start,
        agreed=agreed,
        reservation=offered_move(rules, start, now=now),
        agenda=agenda,
        is_busy_elsewhere=is_busy_elsewhere,
        actor=actor,
        now=now,
    )
    agenda |= {day.day: day for day in changed}
    return changed


def call_off(
    booking: Booking,
    agenda: Agenda,
    *,
    agreed: CalendarTerms = TERMS,
    actor: str = INVITEE,
    now: datetime = NOW,
) -> list[AgendaDay]:
    return cancel(
        booking, agreed=agreed, agenda=agenda, personal_data="a-reason", actor=actor, now=now
    )


def reserved(agenda: Agenda) -> dict[date, list[Slot]]:
    """Returns the reserved slots by day, without days that have none."""
    slots = {day: [each.slot for each in agenda[day].reservations.values()] for day in agenda}
    return {day: found for day, found in slots.items() if found}


def test_a_move_takes_the_reserved_time_with_it() -> None:
    booking, agenda = a_booking()
    (day,) = move(booking, agenda)
    assert booking.slot == Slot(TOMORROW_AT_TEN, TOMORROW_AT_TEN + minutes(30))
    assert reserved(agenda) == {TOMORROW.start.date(): [booking.slot]}
    assert collected(booking)[-1].actor == INVITEE
    collected(day)


def test_a_move_to_another_day_releases_the_old_one_and_opens_the_new_one() -> None:
    booking, agenda = a_booking()
    changed = move(booking, agenda, TOMORROW_AT_NINE + timedelta(days=2))
    assert [day.day for day in changed] == [date(2026, 11, 26), date(2026, 11, 24)]
    assert reserved(agenda) == {date(2026, 11, 26): [booking.slot]}


def test_a_booking_never_clashes_with_itself() -> None:
    newest = terms(start_increment_minutes=10, buffer_before_minutes=60, buffer_after_minutes=60)
    booking, agenda = a_booking()
    move(booking, agenda, TOMORROW_AT_NINE + minutes(10), newest=newest)
    assert booking.slot.overlaps(TOMORROW)
    (reservation,) = agenda[TOMORROW.start.date()].reservations.values()
    assert reservation == newest.rules.reservation(booking.slot)


def test_a_move_follows_the_newest_rules_with_the_duration_that_the_booking_has() -> None:
    newest = terms(duration_minutes=45, start_increment_minutes=15, minimum_notice_minutes=0)
    booking, agenda = a_booking()
    move(booking, agenda, TOMORROW_AT_NINE + minutes(15), newest=newest)
    assert booking.slot.end - booking.slot.start == minutes(30)
    with pytest.raises(SlotNotOffered):
        move(booking, agenda, TOMORROW_AT_NINE + minutes(5), newest=newest)


def test_a_move_to_where_the_booking_is_does_nothing_even_if_none_is_left() -> None:
    booking, agenda = a_booking()
    history = collected(booking)
    late = TOMORROW_AT_NINE + HOUR
    assert move(booking, agenda, TOMORROW_AT_NINE, agreed=STRICT, now=late) == []
    assert collected(booking, history) == history


def test_the_invitee_is_bound_by_what_they_agreed_to() -> None:
    booking, _ = a_booking()
    assert cancel_until(booking, STRICT) == TOMORROW_AT_NINE - 2 * HOUR
    assert reschedule_until(booking, STRICT) == TOMORROW_AT_NINE - HOUR
    assert (moves_left(booking, STRICT), moves_left(booking, TERMS)) == (1, 3)


@pytest.mark.parametrize(
    ("act", "notice"), [(call_off, 2 * HOUR), (move, HOUR)], ids=["cancel", "move"]
)
def test_an_invitee_is_in_time_until_the_notice_and_too_late_from_then_on(
    act: Callable[..., Any], notice: timedelta
) -> None:
    newest = {} if act is call_off else {"newest": terms(minimum_notice_minutes=0)}
    until = TOMORROW_AT_NINE - notice
    booking, agenda = a_booking()
    history = collected(booking)
    with pytest.raises(TooLate, match=r"possible until 2026-11-24T0[78]:00:00Z\. Call 555\."):
        act(booking, agenda, agreed=STRICT, now=until, **newest)
    assert collected(booking, history) == history
    act(booking, agenda, agreed=STRICT, now=until - minutes(1), **newest)


def test_an_invitee_moves_as_often_as_they_agreed_to() -> None:
    booking, agenda = a_booking()
    move(booking, agenda, agreed=STRICT)
    with pytest.raises(RescheduleLimitReached, match=r"Call 555\.$"):
        move(booking, agenda, TOMORROW_AT_NINE, agreed=STRICT)


@pytest.mark.parametrize(
    ("offer", "has_others"),
    [
        (Offer(last_day=TOMORROW_AT_NINE.date()), True),
        (Offer(last_day=NOW.date() - timedelta(days=1)), False),
        (Offer(slots=(TOMORROW_AT_NINE, TOMORROW_AT_TEN)), True),
        (Offer(slots=(TOMORROW_AT_NINE,)), False),
        (Offer(slots=(NOW, TOMORROW_AT_NINE)), False),
    ],
)
def test_a_booking_can_be_moved_while_its_link_offers_times_ahead_other_than_its_own(
    offer: Offer, has_others: bool
) -> None:
    booking, _ = a_booking()
    rules = rules_of_move(booking, STRICT.rules, actor=INVITEE)
    if has_others:
        must_have_other_times(booking, STRICT, rules, offer=offer, now=NOW)
    else:
        with pytest.raises(NoOtherTimes, match=r"no other times\. Call 555\.$"):
            must_have_other_times(booking, STRICT, rules, offer=offer, now=NOW)


def test_times_that_a_link_offers_beyond_the_booking_window_are_other_times() -> None:
    booking, _ = a_booking()
    newest = replace(STRICT.rules, booking_window_days=1)
    rules = rules_of_move(booking, newest, actor=INVITEE)
    next_week = TOMORROW_AT_NINE + timedelta(days=7)
    offer = Offer(slots=(TOMORROW_AT_NINE, next_week))
    assert offered_move(rules, next_week, now=NOW, offer=offer) is None
    must_have_other_times(booking, STRICT, rules, offer=offer, now=NOW)


def test_whoever_is_asked_for_another_time_may_always_pick_one() -> None:
    booking, agenda = a_booking()
    move(booking, agenda, agreed=STRICT)
    booking.ask_to_reschedule(personal_data=None, actor=ACTOR, now=NOW)
    assert reschedule_until(booking, STRICT) is None
    move(booking, agenda, TOMORROW_AT_TEN + 4 * HOUR, agreed=STRICT, now=TOMORROW_AT_TEN)
    assert booking.moves_by_invitee == 1


def test_the_owner_moves_and_cancels_at_any_time_but_only_to_offered_times() -> None:
    booking, agenda = a_booking()
    over = TOMORROW_AT_TEN
    never = replace(STRICT, reschedule_limit=0)
    start = TOMORROW_AT_TEN + minutes(30)
    move(booking, agenda, start, agreed=never, actor=ACTOR, now=over)
    assert booking.slot.start == start
    for start in (TOMORROW_AT_NINE, TOMORROW_AT_NINE + 12 * HOUR):
        with pytest.raises(SlotNotOffered):
            move(booking, agenda, start, agreed=never, actor=ACTOR, now=over)
    call_off(booking, agenda, agreed=never, actor=ACTOR, now=start + HOUR)
    assert booking.status is BookingStatus.CANCELLED


@pytest.mark.parametrize("is_busy_elsewhere", [False, True])
@pytest.mark.parametrize("actor", [INVITEE, ACTOR])
def test_nobody_moves_into_reserved_or_busy_time(actor: str, is_busy_elsewhere: bool) -> None:
    booking, agenda = a_booking()
    taken = Slot(TOMORROW_AT_TEN, TOMORROW_AT_TEN + minutes(30))
    if not is_busy_elsewhere:
        reserve(agenda, OTHER_OWNER, TERMS.rules.reservation(taken))
    history = collected(booking)
    with pytest.raises(SlotTaken, match="has not moved"):
        move(booking, agenda, is_busy_elsewhere=is_busy_elsewhere, actor=actor)
    assert collected(booking, history) == history


def test_a_cancellation_gives_the_time_back_and_the_second_one_does_nothing() -> None:
    booking, agenda = a_booking()
    (day,) = call_off(booking, agenda)
    assert collected(booking)[-1].personal_data == "a-reason"
    assert reserved(agenda) == {}
    collected(day)
    late = TOMORROW_AT_NINE + HOUR
    assert call_off(booking, agenda, agreed=STRICT, now=late) == []
    for start in (TOMORROW_AT_NINE, TOMORROW_AT_TEN):
        with pytest.raises(BookingCancelled):
            move(booking, agenda, start)
