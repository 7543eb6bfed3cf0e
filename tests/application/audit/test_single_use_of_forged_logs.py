"""The single-use report finds events that the service would not write, and their positions."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from application.audit.single_use_report import MOST_SHOWN
from domain.booking import Booking
from tests.application.audit.single_use_statements import (
    APART,
    ONCE,
    ONE_BOOKING,
    PAIRED,
    READABLE,
    RESERVED_APART,
    Prove,
    faults,
)
from tests.support.desk import Desk
from tests.support.examples import OTHER_OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.log_forger import LogForger

MOVED = {"actor": "invitee", "timestamp": "2026-11-23T09:00:00Z"}


def slot(start: str, end: str) -> dict[str, str]:
    """A slot of tomorrow, in an event's fields."""
    return {"slot_start": f"2026-11-24T{start}:00Z", "slot_end": f"2026-11-24T{end}:00Z"}


@pytest.fixture
def forger(conninfo: str) -> LogForger:
    """Writes into the log past the service."""
    return LogForger(conninfo)


@pytest.fixture
def booked(desk: Desk) -> list[UUID]:
    """Two links of one calendar, redeemed for nine and for ten."""
    calendar_id = desk.new_calendar()
    links = [desk.new_link(calendar_id) for _ in range(2)]
    for link_id, start in zip(links, (TOMORROW_AT_NINE, TOMORROW_AT_TEN), strict=True):
        desk.redeem(link_id, start)
    return links


def test_a_second_redemption_is_found(booked: list[UUID], forger: LogForger, prove: Prove) -> None:
    position = forger.repeat(forger.positions("link.redeemed")[0])
    assert faults(prove()) == {ONCE: [position]}


def test_a_second_booking_of_a_link_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    noon = slot("12:00", "12:30")
    position = forger.repeat(forger.positions("booking.made")[0], uuid4(), **noon)
    assert faults(prove()) == {ONE_BOOKING: [position], PAIRED: [position]}


def test_a_booking_without_a_redemption_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    link_id = uuid4()
    position = forger.repeat(
        forger.positions("booking.made")[0],
        Booking.id_for(link_id),
        link_id=str(link_id),
        owner_id=str(OTHER_OWNER),
    )
    assert faults(prove()) == {PAIRED: [position]}


def test_a_redemption_without_its_booking_is_found(
    desk: Desk, booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    link_id = desk.new_link()
    position = forger.repeat(
        forger.positions("link.redeemed")[0], link_id, booking_id=str(Booking.id_for(link_id))
    )
    assert faults(prove()) == {PAIRED: [position]}
    other = forger.repeat(forger.positions("link.redeemed")[0], desk.new_link())
    assert faults(prove()) == {PAIRED: [position, other]}


def test_a_deleted_booking_is_reported_at_its_redemption(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    forger.delete(forger.positions("booking.made")[0])
    assert faults(prove()) == {PAIRED: [forger.positions("link.redeemed")[0]]}


def test_a_redemption_changed_to_name_another_booking_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    redeemed, made = forger.positions("link.redeemed")[0], forger.positions("booking.made")[0]
    forger.rewrite(redeemed, booking_id=str(Booking.id_for(booked[1])))
    assert faults(prove()) == {PAIRED: [redeemed, made]}


def test_bookings_that_overlap_are_found(
    desk: Desk, booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    made = forger.positions("booking.made")[-1]
    forger.rewrite(made, **slot("09:15", "09:45"))
    assert faults(prove()) == {APART: [made]}
    forger.rewrite(made, owner_id=str(OTHER_OWNER))
    assert faults(prove()) == {}


def test_a_booking_that_is_moved_onto_another_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    first, second = (Booking.id_for(link_id) for link_id in booked)
    onto = slot("09:59", "10:01") | MOVED
    position = forger.append("booking.rescheduled", first, onto)
    assert faults(prove()) == {APART: [position]}
    forger.delete(position)
    forger.append("booking.rescheduled", second, slot("10:01", "10:31") | MOVED)
    forger.append("booking.rescheduled", first, onto)
    assert faults(prove()) == {}


def test_a_cancelled_booking_overlaps_with_nothing(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    second = Booking.id_for(booked[1])
    onto = slot("09:00", "09:30") | MOVED
    position = forger.append("booking.rescheduled", second, onto)
    assert faults(prove()) == {APART: [position]}
    forger.delete(position)
    cancelled = MOVED | {"personal_data": None}
    forger.append("booking.cancelled", Booking.id_for(booked[0]), cancelled)
    forger.append("booking.rescheduled", second, onto)
    assert faults(prove()) == {}


def test_reservations_that_overlap_are_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    position = forger.repeat(
        forger.positions("agenda.slot_reserved")[0],
        booking_id=str(uuid4()),
        **slot("09:15", "09:45"),
    )
    assert faults(prove()) == {RESERVED_APART: [position]}


@pytest.mark.parametrize(
    "data",
    [
        {"timestamp": "2026-11-23T08:00:00"},  # in no zone
        {"timestamp": "soon"},
        {"booking_id": 7},
    ],
)
def test_the_position_of_an_unreadable_event_is_reported(
    booked: list[UUID], forger: LogForger, prove: Prove, data: dict[str, Any]
) -> None:
    position = forger.positions("link.redeemed")[0]
    forger.rewrite(position, **data)
    assert faults(prove()) == {
        PAIRED: [forger.positions("booking.made")[0]],
        READABLE: [position],
    }


def test_the_position_of_an_event_of_an_unknown_type_is_reported(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    position = forger.append("link.given_away", booked[0], {})
    assert faults(prove()) == {READABLE: [position]}


def test_only_the_first_of_many_violations_are_listed(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    forger.delete(forger.positions("booking.made")[0])
    positions = [forger.repeat(forger.positions("link.redeemed")[0]) for _ in range(MOST_SHOWN + 1)]
    found = faults(prove())
    assert found == {
        ONCE: positions[:MOST_SHOWN],
        PAIRED: [forger.positions("link.redeemed")[0]],
    }
