"""The interval index gives the same results as a simple list of spans."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from application.audit.interval_index import IntervalIndex
from domain.slot import Reservation, Slot
from tests.support.examples import TOMORROW_AT_NINE

HOLDERS = st.sampled_from([b"ada", b"grace", b"joan", b"mary"])
PLACES = st.sampled_from([b"here", b"there"])
HOURS = st.integers(0, 8)
TAKE = st.tuples(st.just("take"), HOLDERS, PLACES, HOURS, HOURS)
MOVE = st.tuples(st.just("move"), HOLDERS, st.none(), HOURS, HOURS)
RELEASE = st.tuples(st.just("release"), HOLDERS, st.none(), st.just(0), st.just(0))


def at(hour: int) -> datetime:
    return TOMORROW_AT_NINE + timedelta(hours=hour)


@settings(deadline=None, max_examples=300)
@given(st.lists(TAKE | MOVE | RELEASE, max_size=30))
def test_a_span_can_be_taken_when_it_overlaps_no_other_span_in_that_place(steps: list) -> None:  # type: ignore[type-arg]
    taken = IntervalIndex()
    held: dict[bytes, tuple[bytes, int, int]] = {}
    for what, who, place, start, end in steps:
        known = held.pop(who, None)
        if what == "release":
            taken.release(who)
            continue
        if what == "move":
            found = taken.move(who, at(start), at(end))
            if known is None:
                assert found
                continue
            place = known[0]
        else:
            found = taken.take(place, who, at(start), at(end))
        others = [span for span in held.values() if span[0] == place and span[1] < span[2]]
        is_free = start < end and all(end <= first or last <= start for _, first, last in others)
        assert found is is_free
        held[who] = (place, start, end) if is_free else (place, 0, 0)


def test_spans_that_only_touch_do_not_overlap() -> None:
    taken = IntervalIndex()
    spans = ((1, 2), (0, 1), (2, 3))
    assert [taken.take(b"here", bytes(span), at(span[0]), at(span[1])) for span in spans] == [
        True
    ] * 3
    assert not taken.take(b"here", b"ada", at(0), at(3))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 4), st.integers(0, 5), st.integers(0, 5)),
        max_size=12,
    )
)
def test_a_span_can_be_taken_when_its_reservation_clashes_with_no_other(
    spans: list[tuple[int, int, int, int]],
) -> None:
    taken, held = IntervalIndex(), list[Reservation]()
    for number, (start, length, before, after) in enumerate(spans):
        slot = Slot(at(start), at(start + length))
        wanted = Reservation(slot, timedelta(hours=before), timedelta(hours=after))
        is_free = not any(wanted.clashes_with(other) for other in held)
        minutes = 60 * before, 60 * after
        assert taken.take(b"here", bytes([number]), slot.start, slot.end, *minutes) is is_free
        if is_free:
            held.append(wanted)
