"""The single-use report finds events that the service would not write, and their positions."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.audit.single_use_report import MOST_SHOWN
from domain.booking import Booking
from tests.application.audit.single_use_statements import (
    ACTIVE,
    APART,
    ISSUED,
    NOT_ARCHIVED,
    OFFERED,
    ONCE,
    ONE_BOOKING,
    PAIRED,
    READABLE,
    RESERVED,
    RESERVED_APART,
    VERSIONS,
    Prove,
    faults,
)
from tests.support.desk import ALL_DAY, Desk
from tests.support.examples import NOW, OTHER_OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN
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
    assert faults(prove()) == {
        ONE_BOOKING: [position],
        PAIRED: [position],
        RESERVED: [position],
    }


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
    assert faults(prove()) == {PAIRED: [position], RESERVED: [position]}


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
    assert faults(prove()) == {APART: [made], RESERVED: [made], OFFERED: [made]}
    forger.rewrite(made, owner_id=str(OTHER_OWNER))
    assert faults(prove()) == {RESERVED: [made], OFFERED: [made]}


def test_a_booking_that_is_moved_onto_another_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    first, second = (Booking.id_for(link_id) for link_id in booked)
    onto = slot("09:59", "10:01") | MOVED
    position = forger.append("booking.rescheduled", first, onto)
    assert faults(prove()) == {APART: [position], RESERVED: [position]}
    forger.delete(position)
    away = forger.append("booking.rescheduled", second, slot("10:01", "10:31") | MOVED)
    position = forger.append("booking.rescheduled", first, onto)
    assert faults(prove()) == {RESERVED: [away, position]}


def test_a_cancelled_booking_overlaps_with_nothing(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    second = Booking.id_for(booked[1])
    onto = slot("09:00", "09:30") | MOVED
    position = forger.append("booking.rescheduled", second, onto)
    assert faults(prove()) == {APART: [position], RESERVED: [position]}
    forger.delete(position)
    cancelled = MOVED | {"personal_data": None}
    forger.append("booking.cancelled", Booking.id_for(booked[0]), cancelled)
    position = forger.append("booking.rescheduled", second, onto)
    assert faults(prove()) == {RESERVED: [position]}


def test_reservations_that_overlap_are_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    position = forger.repeat(
        forger.positions("agenda.slot_reserved")[0],
        booking_id=str(uuid4()),
        **slot("09:15", "09:45"),
    )
    assert faults(prove()) == {RESERVED_APART: [position]}


def test_a_reservation_inside_the_buffer_of_another_is_found(
    desk: Desk, forger: LogForger, prove: Prove
) -> None:
    calendar_id = desk.new_calendar(buffer_after_minutes=60)
    desk.redeem(desk.new_link(calendar_id), TOMORROW_AT_NINE)
    first = forger.positions("agenda.slot_reserved")[0]
    touching = slot("10:30", "11:00") | {"buffer_after_minutes": 0}
    forger.repeat(first, booking_id=str(uuid4()), **touching)
    assert faults(prove()) == {}
    inside = slot("10:29", "10:30") | {"buffer_after_minutes": 0}
    position = forger.repeat(first, booking_id=str(uuid4()), **inside)
    assert faults(prove()) == {RESERVED_APART: [position]}


def test_a_booking_without_its_reservation_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    reserved = forger.positions("agenda.slot_reserved")
    forger.delete(reserved[1])
    made = forger.positions("booking.made")
    assert faults(prove()) == {RESERVED: [made[1]]}
    forger.rewrite(reserved[0], **slot("09:00", "09:29"))
    assert faults(prove()) == {RESERVED: made}


def test_a_booking_over_midnight_needs_a_reservation_on_both_days(
    desk: Desk, forger: LogForger, prove: Prove
) -> None:
    calendar_id = desk.new_calendar(availability=ALL_DAY, buffer_before_minutes=60)
    desk.redeem(desk.new_link(calendar_id), TOMORROW_AT_NINE.replace(hour=0, minute=30))
    reserved = forger.positions("agenda.slot_reserved")
    assert len(reserved) == 2
    assert faults(prove()) == {}
    forger.delete(reserved[0])
    (made,) = forger.positions("booking.made")
    found = faults(prove())
    assert found.pop(RESERVED) == [made]
    assert set(found) <= {VERSIONS}


def test_a_link_that_is_redeemed_after_it_was_revoked_is_found(
    desk: Desk, booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    (first, _) = forger.positions("link.redeemed")
    (version,) = [event["version"] for event in desk.log() if event["position"] == first]
    assert version == 2
    forger.append("link.revoked", booked[0], MOVED | {"personal_data": None, "replaced_by": None})
    assert faults(prove()) == {}
    again = forger.repeat(first)
    assert faults(prove()) == {ONCE: [again], ACTIVE: [again]}


@pytest.mark.parametrize("expires_at", ["2026-11-23T08:00:00Z", "2026-11-01T00:00:00Z"])
def test_a_link_that_is_redeemed_when_it_has_expired_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove, expires_at: str
) -> None:
    forger.rewrite(forger.positions("link.issued")[0], expires_at=expires_at)
    found = faults(prove())
    assert found == {ACTIVE: [forger.positions("link.redeemed")[0]]}


def test_a_link_whose_expiry_was_moved_in_time_is_not_reported(
    booked: list[UUID], forger: LogForger, prove: Prove, desk: Desk
) -> None:
    link_id = desk.new_link(expires_at=NOW + timedelta(days=2))
    desk.change_link(link_id, expires_at=NOW + timedelta(days=9))
    desk.redeem(link_id, TOMORROW_AT_TEN + timedelta(hours=1), now=NOW + timedelta(hours=1))
    assert faults(prove()) == {}


def test_a_redeemed_link_that_was_never_issued_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    forger.delete(forger.positions("link.issued")[1])
    redeemed = forger.positions("link.redeemed")[1]
    assert faults(prove()) == {ISSUED: [redeemed], VERSIONS: [redeemed]}


def test_a_link_issued_on_an_archived_calendar_is_found(
    desk: Desk, forger: LogForger, prove: Prove
) -> None:
    calendar_id = desk.new_calendar()
    desk.new_link(calendar_id)
    desk.archive(calendar_id)
    assert faults(prove()) == {}
    position = forger.repeat(forger.positions("link.issued")[0], uuid4())
    assert faults(prove()) == {NOT_ARCHIVED: [position]}


@pytest.mark.parametrize(
    "changes",
    [
        {"calendar_version": 0},
        {"calendar_id": str(UUID(int=1))},
        {"timestamp": "2026-11-24T08:00:00Z"},  # without the notice that the calendar asks for
        {"timestamp": "2026-01-01T08:00:00Z"},  # before its window
    ],
)
def test_a_booking_outside_the_rules_of_its_calendar_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove, changes: dict[str, Any]
) -> None:
    made = forger.positions("booking.made")[1]
    forger.rewrite(made, **changes)
    assert faults(prove()) == {OFFERED: [made]}


def test_a_booking_is_judged_by_the_version_of_the_calendar_that_it_names(
    desk: Desk, forger: LogForger, prove: Prove
) -> None:
    calendar_id = desk.new_calendar()
    desk.redeem(desk.new_link(calendar_id), TOMORROW_AT_NINE)
    desk.change(calendar_id, duration_minutes=45)
    desk.redeem(desk.new_link(calendar_id), TOMORROW_AT_TEN.replace(minute=30))
    assert faults(prove()) == {}
    first, second = forger.positions("booking.made")
    forger.rewrite(first, calendar_version=2)
    forger.rewrite(second, calendar_version=1)
    assert faults(prove()) == {OFFERED: [first, second]}


def test_a_stream_with_a_gap_in_its_versions_is_found(
    booked: list[UUID], forger: LogForger, prove: Prove
) -> None:
    first, second = forger.positions("agenda.slot_reserved")
    forger.delete(first)
    made = forger.positions("booking.made")[0]
    assert faults(prove()) == {RESERVED: [made], VERSIONS: [second]}


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        ("booking.made", {"slot_start": "0001-01-01T00:00:00Z"}),
        ("booking.made", {"slot_end": "9999-12-31T23:59:59Z"}),
        ("agenda.slot_reserved", {"buffer_before_minutes": 10**15}),
        ("agenda.slot_reserved", {"buffer_after_minutes": -(10**15)}),
        ("calendar.created", {"owner_id": str(UUID(int=1))}),
    ],
)
def test_no_value_that_can_be_read_stops_the_report(
    booked: list[UUID], forger: LogForger, prove: Prove, topic: str, changes: dict[str, Any]
) -> None:
    forger.rewrite(forger.positions(topic)[0], **changes)
    prove()


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
