"""Slots and reservations: order, overlap, days and buffers."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.slot import Reservation, Slot

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NONE = timedelta(0)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def slot(start: int, end: int) -> Slot:
    """From `start` to `end`, in minutes after noon."""
    return Slot(NOON + minutes(start), NOON + minutes(end))


@pytest.mark.parametrize(
    "start",
    [
        NOON.replace(tzinfo=None),
        NOON.replace(tzinfo=timezone(timedelta(hours=1))),
        NOON.replace(tzinfo=ZoneInfo("Africa/Abidjan")),
    ],
    ids=["naive", "another offset", "a zone that agrees with UTC"],
)
def test_a_slot_refuses_a_start_or_end_that_is_not_in_utc(start: datetime) -> None:
    with pytest.raises(ValueError, match="in UTC"):
        Slot(start, NOON + minutes(600))
    with pytest.raises(ValueError, match="in UTC"):
        Slot(NOON - minutes(600), start)


@pytest.mark.parametrize("end", [NOON, NOON - minutes(1)])
def test_a_slot_refuses_to_end_before_or_when_it_starts(end: datetime) -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        Slot(NOON, end)


def test_slots_are_ordered_by_start_and_then_end() -> None:
    assert sorted([slot(5, 6), slot(0, 9), slot(0, 3)]) == [slot(0, 3), slot(0, 9), slot(5, 6)]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (slot(-30, 0), False),
        (slot(-30, 1), True),
        (slot(10, 20), True),
        (slot(-5, 95), True),
        (slot(59, 60), True),
        (slot(60, 90), False),
    ],
)
def test_slots_overlap_when_they_share_time_and_not_when_they_touch(
    other: Slot, expected: bool
) -> None:
    assert slot(0, 60).overlaps(other) is expected
    assert other.overlaps(slot(0, 60)) is expected


def test_a_widened_slot_starts_earlier_and_ends_later() -> None:
    assert slot(0, 30).widened(minutes(10), minutes(5)) == slot(-10, 35)


@pytest.mark.parametrize(
    ("touched", "days"),
    [
        (slot(0, 30), [4]),
        (slot(700, 720), [4]),
        (slot(700, 721), [4, 5]),
        (slot(720, 721), [5]),
        (slot(0, 3600), [4, 5, 6]),
    ],
)
def test_a_slot_touches_its_utc_days_but_not_the_one_beginning_at_its_end(
    touched: Slot, days: list[int]
) -> None:
    assert touched.days() == tuple(date(2026, 5, day) for day in days)


def test_a_reservation_is_widened_by_its_own_buffers() -> None:
    assert Reservation(slot(0, 30), minutes(10), minutes(5)).widened == slot(-10, 35)


@pytest.mark.parametrize(("gap", "clashes"), [(14, True), (15, False)])
def test_buffers_that_face_each_other_share_the_gap_and_the_larger_one_decides(
    gap: int, clashes: bool
) -> None:
    first = Reservation(slot(0, 30), NONE, minutes(15))
    second = Reservation(slot(30 + gap, 60 + gap), minutes(10), NONE)
    assert first.clashes_with(second) is clashes
    assert second.clashes_with(first) is clashes


def test_buffers_on_the_outer_sides_do_not_matter() -> None:
    first = Reservation(slot(0, 30), minutes(60), NONE)
    assert not first.clashes_with(Reservation(slot(30, 60), NONE, minutes(60)))


SPANS = st.tuples(*[st.integers(low, high) for low, high in ((0, 60), (1, 30), (0, 30), (0, 30))])


@settings(deadline=None)
@given(SPANS, SPANS)
def test_two_reservations_clash_when_one_with_its_buffers_meets_the_others_slot(
    one: tuple[int, int, int, int], other: tuple[int, int, int, int]
) -> None:
    reservations, slots, widened = [], [], []
    for start, length, before, after in (one, other):
        reserved = slot(start, start + length)
        reservations.append(Reservation(reserved, minutes(before), minutes(after)))
        slots.append(set(range(start, start + length)))
        widened.append(set(range(start - before, start + length + after)))
    meets = bool(widened[0] & slots[1]) or bool(widened[1] & slots[0])
    assert reservations[0].clashes_with(reservations[1]) is meets
