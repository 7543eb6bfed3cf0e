"""The agenda of a day reserves and releases slots without clashes."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.agenda import AgendaDay, days_around
from domain.booking_rules import LONGEST_BUFFER
from domain.errors import SlotTaken
from domain.slot import Reservation, Slot
from tests.domain.replay import collected, copy_of
from tests.support.examples import LINK, NOW, OTHER_OWNER, OWNER

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
TOMORROW = date(2026, 11, 24)
LONGEST = LONGEST_BUFFER // timedelta(minutes=1)
FIRST, SECOND = uuid5(LINK, "first"), uuid5(LINK, "second")


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def reservation(start: int, length: int = 30, before: int = 0, after: int = 0) -> Reservation:
    """From `start`, in minutes after midnight."""
    slot = Slot(MIDNIGHT + minutes(start), MIDNIGHT + minutes(start + length))
    return Reservation(slot, minutes(before), minutes(after))


def opened() -> AgendaDay:
    return AgendaDay.open(OWNER, TOMORROW, actor="invitee", now=NOW)


def reserve(day: AgendaDay, booking_id: UUID, wanted: Reservation) -> None:
    day.reserve(booking_id, wanted, actor="invitee", now=NOW)


def release(day: AgendaDay, booking_id: UUID) -> None:
    day.release(booking_id, actor="invitee", now=NOW)


def with_one_reservation() -> tuple[AgendaDay, list[Any]]:
    day = opened()
    reserve(day, FIRST, reservation(540, before=15, after=10))
    return day, collected(day)


def test_an_agenda_begins_empty_with_an_owner_and_a_day() -> None:
    day = opened()
    (event,) = collected(day)
    assert (day.owner_id, day.day, day.reservations) == (OWNER, TOMORROW, {})
    assert (event.actor, event.timestamp) == ("invitee", NOW)


def test_an_owners_day_has_one_agenda_whoever_opens_it() -> None:
    assert opened().id == opened().id == AgendaDay.id_for(OWNER, TOMORROW)
    ids = {
        AgendaDay.id_for(owner, day)
        for owner in (OWNER, OTHER_OWNER)
        for day in (TOMORROW, TOMORROW + timedelta(days=1))
    }
    assert len(ids) == 4


def test_the_id_of_an_owners_day_never_changes() -> None:
    assert AgendaDay.id_for(OWNER, TOMORROW) == UUID("6f6bd229-ad6d-59a4-8660-cb2d42b46e73")


def test_a_slot_is_reserved_with_its_buffers() -> None:
    day, history = with_one_reservation()
    assert day.reservations == {FIRST: reservation(540, before=15, after=10)}
    event = history[-1]
    assert (event.buffer_before_minutes, event.buffer_after_minutes) == (15, 10)
    assert (event.booking_id, event.actor, event.timestamp) == (FIRST, "invitee", NOW)


def test_a_slot_reserved_again_for_the_same_booking_stays_as_it_is() -> None:
    day, history = with_one_reservation()
    reserve(day, FIRST, reservation(540, before=15, after=10))
    assert collected(day, history) == history


@pytest.mark.parametrize(
    "wanted",
    [
        reservation(540),
        reservation(496),
        reservation(579),
        reservation(480, length=600),
        reservation(600, before=31),
        reservation(480, after=31),
    ],
    ids=[
        "same",
        "in the buffer before",
        "in the buffer after",
        "around",
        "own before",
        "own after",
    ],
)
def test_a_clashing_slot_is_refused_to_another_booking(wanted: Reservation) -> None:
    day, history = with_one_reservation()
    with pytest.raises(SlotTaken):
        reserve(day, SECOND, wanted)
    assert collected(day, history) == history


@pytest.mark.parametrize(
    "wanted", [reservation(495), reservation(580), reservation(595, before=25)]
)
def test_a_slot_that_does_not_clash_is_reserved_too(wanted: Reservation) -> None:
    day, history = with_one_reservation()
    reserve(day, SECOND, wanted)
    collected(day, history)
    assert set(day.reservations) == {FIRST, SECOND}


def test_a_slot_is_compared_with_its_neighbours_only_however_full_the_day_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    day = opened()
    for number in range(100):
        reserve(day, uuid5(LINK, str(number)), reservation(10 * number, length=5))
    compared: list[Reservation] = []

    def counted(one: Reservation, other: Reservation) -> bool:
        compared.append(other)
        return False

    monkeypatch.setattr(Reservation, "clashes_with", counted)
    reserve(day, uuid5(LINK, "50"), reservation(505, length=5))
    assert compared == [reservation(start, length=5) for start in (490, 510, 520)]


def test_a_booking_can_move_to_a_time_that_overlaps_its_old_one() -> None:
    day, history = with_one_reservation()
    reserve(day, FIRST, reservation(550))
    collected(day, history)
    assert day.reservations == {FIRST: reservation(550)}


def test_the_time_from_which_a_booking_moved_hides_no_neighbour_and_is_released_with_it() -> None:
    day = opened()
    reserve(day, SECOND, reservation(480, length=60))
    reserve(day, FIRST, reservation(540))
    reserve(day, FIRST, reservation(900))
    with pytest.raises(SlotTaken):
        reserve(day, uuid5(LINK, "third"), reservation(560, before=60))
    release(day, FIRST)
    reserve(day, uuid5(LINK, "third"), reservation(545))


def test_the_days_around_a_slot_are_all_on_which_it_can_be_reserved() -> None:
    for start in (0, 720, 1410):
        for before, after in ((0, 0), (LONGEST, 0), (0, LONGEST)):
            wanted = reservation(start, before=before, after=after)
            assert set(wanted.widened.days()) <= set(days_around(wanted.slot))


def test_a_released_slot_can_be_reserved_by_somebody_else() -> None:
    day, history = with_one_reservation()
    release(day, FIRST)
    reserve(day, SECOND, reservation(540))
    collected(day, history)
    assert day.reservations == {SECOND: reservation(540)}


def test_releasing_a_slot_again_or_one_never_reserved_does_nothing() -> None:
    day, history = with_one_reservation()
    release(day, SECOND)
    assert collected(day, history) == history
    release(day, FIRST)
    history = collected(day, history)
    release(day, FIRST)
    assert collected(day, history) == history


def test_two_who_reserve_on_the_same_day_at_once_claim_the_same_version() -> None:
    _, history = with_one_reservation()
    one, other = copy_of(history), copy_of(history)
    reserve(one, SECOND, reservation(600))
    reserve(other, uuid5(LINK, "third"), reservation(600))
    (first,), (second,) = one.collect_events(), other.collect_events()
    assert first.originator_version == second.originator_version == 3


def test_two_who_open_the_same_day_at_once_claim_the_same_version() -> None:
    (first,), (second,) = opened().collect_events(), opened().collect_events()
    assert first.originator_id == second.originator_id
    assert first.originator_version == second.originator_version == 1


# Slots of up to a day with buffers of up to a day, dense enough to meet and to miss.
RESERVATIONS = st.builds(
    reservation,
    st.integers(0, 4 * 1440),
    length=st.sampled_from([1, 30, 60, 480, 1440]),
    before=st.sampled_from([0, 0, 15, 120, 1440]),
    after=st.sampled_from([0, 0, 10, 90, 1440]),
)


class Agendas:
    """All days of one owner, as redeeming writes them: every day that is touched, or none."""

    def __init__(self) -> None:
        self._histories: dict[date, list[Any]] = {}

    def take(self, booking_id: UUID, wanted: Reservation) -> bool:
        """Reserves the slot and returns True if it was free."""
        days = [self._day(day) for day in wanted.widened.days()]
        try:
            for day in days:
                reserve(day, booking_id, wanted)
        except SlotTaken:
            return False
        for day in days:
            self._histories[day.day] = collected(day, self._histories.get(day.day))
        return True

    def _day(self, day: date) -> AgendaDay:
        history = self._histories.get(day)
        if history is None:
            return AgendaDay.open(OWNER, day, actor="invitee", now=NOW)
        copy: AgendaDay = copy_of(history)
        return copy


def clashing(pairs: Iterable[tuple[Reservation, Reservation]]) -> list[Any]:
    return [pair for pair in pairs if pair[0].clashes_with(pair[1])]


@settings(deadline=None, max_examples=100)
@given(st.lists(RESERVATIONS, max_size=12))
def test_reserved_slots_never_clash_and_a_refused_one_clashes_with_a_reserved_one(
    wishes: list[Reservation],
) -> None:
    agendas, given_slots = Agendas(), list[Reservation]()
    for number, wanted in enumerate(wishes):
        if agendas.take(uuid5(LINK, str(number)), wanted):
            assert clashing((wanted, other) for other in given_slots) == []
            given_slots.append(wanted)
        else:
            assert clashing((wanted, other) for other in given_slots)


@settings(deadline=None, max_examples=200)
@given(st.lists(RESERVATIONS, min_size=2, max_size=8))
def test_any_two_slots_that_clash_meet_in_the_agenda_of_some_day(
    wishes: list[Reservation],
) -> None:
    for one, other in clashing(combinations(wishes, 2)):
        assert set(one.widened.days()) & set(other.widened.days())
