"""The calendar of bookings: its rows, its list, and reserved time."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.booking import Booking, BookingStatus
from domain.errors import BookingNotFound
from domain.slot import Reservation, Slot
from projections.views.booking_calendar import (
    BookingRow,
    booking,
    booking_of,
    bookings_of,
    taken_times,
)
from tests.support.desk import ALL_DAY, Desk, minutes
from tests.support.examples import (
    ADA,
    GRACE,
    NOW,
    OTHER_OWNER,
    OWNER,
    TOMORROW,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)

AT_TEN = Slot(TOMORROW_AT_TEN, TOMORROW_AT_TEN + minutes(30))
LONG_AGO, FAR_AHEAD = NOW - timedelta(days=1000), NOW + timedelta(days=1000)


@pytest.fixture
def shown(desk: Desk, catch_up: Callable[[], None]) -> Callable[[UUID], BookingRow]:
    """A booking as the calendar shows it now."""

    def read(booking_id: UUID) -> BookingRow:
        catch_up()
        return booking(desk.services.database, booking_id)

    return read


@pytest.fixture
def listed(desk: Desk, catch_up: Callable[[], None]) -> Callable[..., list[UUID]]:
    """The ids of an owner's bookings in the order that the calendar shows them."""

    def read(owner_id: UUID = OWNER, **wish: Any) -> list[UUID]:
        catch_up()
        wanted: dict[str, Any] = {"limit": 50} | wish
        return [row.id for row in bookings_of(desk.services.database, owner_id, **wanted)]

    return read


@pytest.fixture
def reserved(desk: Desk, catch_up: Callable[[], None]) -> Callable[[], list[Reservation]]:
    """All of the owner's time that is not free."""

    def read() -> list[Reservation]:
        catch_up()
        return taken_times(desk.services.database, OWNER, since=LONG_AGO, until=FAR_AHEAD)

    return read


def book(desk: Desk, *starts: Any, calendar_id: UUID | None = None) -> list[UUID]:
    """Bookings of one calendar."""
    calendar_id = calendar_id or desk.new_calendar()
    return [desk.book(desk.new_link(calendar_id), start) for start in starts]


# What becomes of a booking


def test_a_booking_is_shown_with_invitee_and_notes(
    desk: Desk, shown: Callable[[UUID], BookingRow]
) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id)
    desk.redeem(link_id, notes="By phone")
    assert shown(Booking.id_for(link_id)) == BookingRow(
        id=Booking.id_for(link_id),
        link_id=link_id,
        owner_id=OWNER,
        calendar_id=calendar_id,
        start=TOMORROW.start,
        end=TOMORROW.end,
        status=BookingStatus.CONFIRMED,
        version=1,
        changed_at=NOW,
        title="Intro call",
        location="Room 1",
        is_asked_to_reschedule=False,
        message=None,
        reason=None,
        invitee=ADA,
        notes="By phone",
    )


def test_a_booking_keeps_the_title_and_place_that_its_calendar_had_when_it_was_made(
    desk: Desk, shown: Callable[[UUID], BookingRow]
) -> None:
    calendar_id = desk.new_calendar()
    links = desk.new_links(calendar_id, 3)
    before = desk.book(links[0])
    desk.change(calendar_id, name="Long talk", location="Room 2")
    after = desk.book(links[1], TOMORROW_AT_TEN)
    desk.archive(calendar_id)
    last = desk.book(links[2], TOMORROW_AT_NINE + timedelta(hours=3))
    rows = [shown(booking_id) for booking_id in (before, after, last)]
    assert [(row.title, row.location) for row in rows] == [
        ("Intro call", "Room 1"),
        ("Long talk", "Room 2"),
        ("Long talk", "Room 2"),
    ]


def test_a_booking_is_shown_where_it_was_moved_to(
    desk: Desk, shown: Callable[[UUID], BookingRow]
) -> None:
    (booking_id,) = book(desk, TOMORROW_AT_NINE)
    for place in ("Room 2", ""):
        desk.change_place(booking_id, place)
        assert shown(booking_id).location == place
    desk.change_place(booking_id, "At Ada's")
    desk.forget(booking_id)
    assert shown(booking_id).location is None


def test_a_request_for_another_time_is_shown_while_it_is_open(
    desk: Desk, shown: Callable[[UUID], BookingRow]
) -> None:
    (booking_id,) = book(desk, TOMORROW_AT_NINE)
    for end in (desk.reschedule, desk.cancel):
        desk.ask_to_reschedule(booking_id, "Noon?")
        row = shown(booking_id)
        assert (row.is_asked_to_reschedule, row.message) == (True, "Noon?")
        end(booking_id)
        row = shown(booking_id)
        assert (row.is_asked_to_reschedule, row.message) == (False, None)


def test_a_rescheduled_booking_is_shown_and_reserved_at_its_new_time(
    desk: Desk,
    shown: Callable[[UUID], BookingRow],
    reserved: Callable[[], list[Reservation]],
) -> None:
    calendar_id = desk.new_calendar()
    (booking_id,) = book(desk, TOMORROW_AT_NINE, calendar_id=calendar_id)
    assert reserved() == [Reservation(TOMORROW, minutes(0), minutes(0))]
    desk.change(calendar_id, buffer_before_minutes=20, buffer_after_minutes=25)
    desk.reschedule(booking_id, AT_TEN.start)
    row = shown(booking_id)
    assert (row.start, row.end, row.status) == (AT_TEN.start, AT_TEN.end, BookingStatus.CONFIRMED)
    assert row.invitee == ADA
    assert reserved() == [Reservation(AT_TEN, minutes(20), minutes(25))]


def test_a_cancelled_booking_is_shown_as_cancelled_and_leaves_its_time_free(
    desk: Desk,
    shown: Callable[[UUID], BookingRow],
    reserved: Callable[[], list[Reservation]],
) -> None:
    cancelled, kept = book(desk, TOMORROW_AT_NINE, TOMORROW_AT_TEN)
    desk.cancel(cancelled, reason="Fell ill")
    row = shown(cancelled)
    assert (row.status, row.start) == (BookingStatus.CANCELLED, TOMORROW.start)
    assert row.reason == "Fell ill"
    assert shown(kept).status is BookingStatus.CONFIRMED
    assert [each.slot for each in reserved()] == [AT_TEN]


def test_a_booking_keeps_time_free_by_the_buffers_of_its_calendar(
    desk: Desk, reserved: Callable[[], list[Reservation]]
) -> None:
    calendar_id = desk.new_calendar(buffer_before_minutes=5, buffer_after_minutes=10)
    book(desk, TOMORROW_AT_NINE, calendar_id=calendar_id)
    desk.change(calendar_id, buffer_before_minutes=60)
    assert reserved() == [Reservation(TOMORROW, minutes(5), minutes(10))]


def test_a_forgotten_invitee_is_no_longer_shown(
    desk: Desk, shown: Callable[[UUID], BookingRow], listed: Callable[..., list[UUID]]
) -> None:
    (booking_id,) = book(desk, TOMORROW_AT_NINE)
    with desk.services.database.connection() as conn:
        conn.execute("DELETE FROM personal_data")
    row = shown(booking_id)
    assert (row.invitee, row.notes, row.start) == (None, None, TOMORROW.start)
    assert listed() == [booking_id]
    assert listed(q="Ada") == []


# The list


def test_bookings_are_listed_by_start_page_by_page(
    desk: Desk, listed: Callable[..., list[UUID]]
) -> None:
    ten, nine, noon = book(
        desk, TOMORROW_AT_TEN, TOMORROW_AT_NINE, TOMORROW_AT_NINE + timedelta(hours=3)
    )
    assert listed() == [nine, ten, noon]
    assert listed(limit=1) == [nine]
    assert listed(limit=1, after=(TOMORROW_AT_NINE, nine)) == [ten]
    assert listed(after=(TOMORROW_AT_TEN, ten)) == [noon]
    assert listed(newest_first=True) == [noon, ten, nine]
    assert listed(newest_first=True, after=(TOMORROW_AT_TEN, ten)) == [nine]


def test_bookings_of_the_same_start_are_listed_by_id(
    desk: Desk, listed: Callable[..., list[UUID]]
) -> None:
    ids = []
    for _ in range(3):
        (booking_id,) = book(desk, TOMORROW_AT_NINE)
        desk.cancel(booking_id)
        ids.append(booking_id)
    first, second, third = sorted(ids)
    assert listed() == [first, second, third]
    assert listed(after=(TOMORROW_AT_NINE, first)) == [second, third]
    assert listed(after=(TOMORROW_AT_NINE, third)) == []


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        (None, None, True),
        (TOMORROW.end - minutes(1), None, True),
        (TOMORROW.end, None, False),
        (None, TOMORROW.start + minutes(1), True),
        (None, TOMORROW.start, False),
        (TOMORROW.start + minutes(5), TOMORROW.start + minutes(6), True),
        (TOMORROW.end, FAR_AHEAD, False),
        (LONG_AGO, TOMORROW.start, False),
    ],
)
def test_bookings_are_listed_when_some_of_their_time_is_asked_for(
    desk: Desk, listed: Callable[..., list[UUID]], since: Any, until: Any, found: bool
) -> None:
    booked = book(desk, TOMORROW_AT_NINE)
    assert listed(since=since, until=until) == (booked if found else [])


def test_bookings_are_listed_by_calendar_by_status_and_when_they_are_over(
    desk: Desk, listed: Callable[..., list[UUID]]
) -> None:
    calendar_id = desk.new_calendar()
    nine, ten = book(desk, TOMORROW_AT_NINE, TOMORROW_AT_TEN, calendar_id=calendar_id)
    (noon,) = book(desk, TOMORROW_AT_NINE + timedelta(hours=3))
    desk.cancel(nine)
    assert listed(calendar_id=calendar_id) == [nine, ten]
    assert listed(status=BookingStatus.CANCELLED) == [nine]
    assert listed(status=BookingStatus.CONFIRMED) == [ten, noon]
    assert listed(over_by=AT_TEN.end) == [nine, ten]
    assert listed(over_by=AT_TEN.end - minutes(1)) == [nine]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("hopper", [1]),
        ("ADA@example", [0]),
        ("example.org", [0, 1]),
        ("100%", [1]),
        ("10_%", []),
        ("London", []),
    ],
)
def test_bookings_are_found_by_invitee_and_notes(
    desk: Desk, listed: Callable[..., list[UUID]], q: str, found: list[int]
) -> None:
    ada, grace = desk.new_link(), desk.new_link()
    desk.redeem(ada, TOMORROW_AT_NINE, ADA)
    desk.redeem(grace, TOMORROW_AT_TEN, GRACE, notes="100% sure")
    booked = [Booking.id_for(link_id) for link_id in (ada, grace)]
    assert listed(q=q) == [booked[place] for place in found]


def test_another_owners_bookings_are_not_seen(
    desk: Desk,
    listed: Callable[..., list[UUID]],
    shown: Callable[[UUID], BookingRow],
    reserved: Callable[[], list[Reservation]],
) -> None:
    link_id = desk.new_link(owner_id=OTHER_OWNER)
    theirs = desk.book(link_id)
    assert (listed(), reserved(), listed(OTHER_OWNER)) == ([], [], [theirs])
    database = desk.services.database
    assert booking_of(database, OTHER_OWNER, theirs) == shown(theirs)
    with pytest.raises(BookingNotFound):
        booking_of(database, OWNER, theirs)
    with pytest.raises(BookingNotFound):
        booking(database, uuid4())


def test_reservations_of_a_day_include_all_that_can_clash_with_a_slot_of_that_day(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    longest: dict[str, Any] = {
        "availability": ALL_DAY,
        "duration_minutes": 1440,
        "start_increment_minutes": 1440,
        "buffer_before_minutes": 1440,
        "buffer_after_minutes": 1440,
    }
    calendar_id = desk.new_calendar(**longest)
    midnight = TOMORROW_AT_NINE.replace(hour=0)
    starts = [midnight + timedelta(days=2 * n) for n in range(1, 8)]
    book(desk, *starts, calendar_id=calendar_id)
    catch_up()
    rules = desk.change(calendar_id, **longest).value.terms.rules
    for day in range(18):
        since = midnight + timedelta(days=day)
        until = since + timedelta(days=1)
        near = taken_times(desk.services.database, OWNER, since=since, until=until)
        seen = {each.slot.start for each in near}
        for start in (since, until - minutes(1)):
            wanted = rules.reservation(rules.slot_at(start))
            clashing = {
                other
                for other in starts
                if wanted.clashes_with(rules.reservation(rules.slot_at(other)))
            }
            assert clashing <= seen
