"""Redeeming a link, one person after the other. Concurrent redemptions are in `test_races.py`."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from application.people.personal_data import Invitee
from domain.agenda import AgendaDay
from domain.booking import Booking, BookingStatus
from domain.calendar import Calendar
from domain.errors import (
    Invalid,
    LinkExpired,
    LinkNotFound,
    LinkRedeemed,
    LinkRevoked,
    SlotNotOffered,
    SlotTaken,
)
from domain.link import LinkStatus
from domain.slot import Slot
from tests.application.commands.conftest import FailingCommits
from tests.support.desk import ALL_DAY, Desk, minutes
from tests.support.examples import (
    ADA,
    GRACE,
    IN_90_DAYS,
    NOW,
    OTHER_OWNER,
    OWNER,
    TOMORROW,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)

MIDNIGHT = datetime(2026, 11, 25, tzinfo=NOW.tzinfo)


def agenda(desk: Desk, *days: date) -> list[AgendaDay | None]:
    bookings = desk.services.event_store
    return [bookings.find(AgendaDay, AgendaDay.id_for(OWNER, day)) for day in days]


def assert_still_usable(desk: Desk, link_id: Any) -> None:
    assert desk.link(link_id).status(NOW) is LinkStatus.ACTIVE
    desk.redeem(link_id, TOMORROW_AT_NINE + timedelta(hours=4))


def test_a_redeemed_link_books_the_slot_for_the_invitee(desk: Desk) -> None:
    link_id = desk.new_link()
    written = desk.redeem(link_id, notes="By phone, please")
    booking, calendar = written.value.booking, written.value.calendar
    assert (booking.slot, booking.status) == (TOMORROW, BookingStatus.CONFIRMED)
    assert (booking.link_id, booking.owner_id) == (link_id, OWNER)
    assert (booking.calendar_id, booking.calendar_version) == (calendar.id, calendar.version)
    assert written.value.invitee == ADA
    bookings = desk.services.event_store
    assert bookings.get(Booking, Booking.id_for(link_id)) == booking
    assert bookings.get(Calendar, calendar.id) == calendar
    assert desk.link(link_id).booking_id == booking.id
    assert written.position == bookings.head()


def test_link_booking_agenda_and_what_was_typed_are_saved_in_one_transaction(desk: Desk) -> None:
    link_id = desk.new_link()
    head = desk.services.event_store.head()
    desk.redeem(link_id)
    lines, (row,) = desk.log(after=head), desk.personal_rows()
    assert [line["topic"] for line in lines] == [
        "link.redeemed",
        "booking.made",
        "agenda.opened",
        "agenda.slot_reserved",
    ]
    assert {line["transaction"] for line in lines} == {row["transaction"]}
    assert {line["data"]["actor"] for line in lines} == {"invitee"}


@pytest.mark.parametrize("table", ["personal_data", "stored_events"])
def test_a_save_that_fails_in_the_middle_leaves_nothing_behind(
    desk: Desk, failing_commits: FailingCommits, table: str
) -> None:
    link_id = desk.new_link()
    before = desk.log()
    with failing_commits(table):
        desk.redeem(link_id)
    assert (desk.log(), desk.personal_rows()) == (before, [])
    assert_still_usable(desk, link_id)


def test_a_slot_is_reserved_with_its_buffers_on_its_day(desk: Desk) -> None:
    calendar_id = desk.new_calendar(buffer_before_minutes=5, buffer_after_minutes=10)
    booking_id = desk.book(desk.new_link(calendar_id))
    (day,) = agenda(desk, TOMORROW_AT_NINE.date())
    assert day is not None
    assert [
        (id_, r.slot, r.buffer_before, r.buffer_after) for id_, r in day.reservations.items()
    ] == [(booking_id, TOMORROW, minutes(5), minutes(10))]


@pytest.mark.parametrize(
    ("start", "rules", "days"),
    [
        (MIDNIGHT - minutes(30), {}, [24]),
        (MIDNIGHT - minutes(30), {"duration_minutes": 60}, [24, 25]),
        (MIDNIGHT, {}, [25]),
        (MIDNIGHT, {"buffer_before_minutes": 1}, [24, 25]),
        (MIDNIGHT - minutes(30), {"buffer_after_minutes": 1}, [24, 25]),
        (
            MIDNIGHT + minutes(30),
            {"duration_minutes": 1440, "buffer_before_minutes": 60, "buffer_after_minutes": 60},
            [24, 25, 26],
        ),
    ],
)
def test_a_slot_is_reserved_on_every_utc_day_that_it_touches_with_its_buffers(
    desk: Desk, start: datetime, rules: dict[str, Any], days: list[int]
) -> None:
    calendar_id = desk.new_calendar(availability=ALL_DAY, **rules)
    booking_id = desk.book(desk.new_link(calendar_id), start)
    around = [date(2026, 11, day) for day in range(23, 28)]
    reserved_on = [
        day.day.day for day in agenda(desk, *around) if day and booking_id in day.reservations
    ]
    assert reserved_on == days


def test_slots_that_clash_across_midnight_are_refused(desk: Desk) -> None:
    late = desk.new_calendar(availability=ALL_DAY, buffer_after_minutes=15)
    early = desk.new_calendar(availability=ALL_DAY)
    desk.redeem(desk.new_link(late), MIDNIGHT - minutes(30))
    link_id = desk.new_link(early)
    with pytest.raises(SlotTaken):
        desk.redeem(link_id, MIDNIGHT)
    assert_still_usable(desk, link_id)


def test_a_taken_slot_is_refused_across_calendars_and_the_link_stays_active(desk: Desk) -> None:
    desk.redeem(desk.new_link())
    link_id = desk.new_link()
    head = desk.services.event_store.head()
    with pytest.raises(SlotTaken):
        desk.redeem(link_id)
    assert desk.log(after=head) == []
    assert len(desk.personal_rows()) == 1
    assert_still_usable(desk, link_id)


def test_bookings_of_another_owner_do_not_clash(desk: Desk) -> None:
    desk.redeem(desk.new_link())
    desk.redeem(desk.new_link(owner_id=OTHER_OWNER))


@pytest.mark.parametrize(
    "start",
    [
        NOW + minutes(239),  # before the minimum notice
        TOMORROW_AT_NINE + minutes(1),  # beside the grid
        TOMORROW_AT_NINE + timedelta(hours=8),  # after hours
        NOW + timedelta(days=62),  # beyond the window
        datetime(9999, 12, 31, 23, 59, tzinfo=NOW.tzinfo),
    ],
)
def test_a_slot_that_is_not_offered_is_refused_and_the_link_stays_active(
    desk: Desk, start: datetime
) -> None:
    link_id = desk.new_link()
    with pytest.raises(SlotNotOffered):
        desk.redeem(link_id, start)
    assert_still_usable(desk, link_id)


def test_a_link_that_has_ended_says_why_whatever_the_slot(desk: Desk) -> None:
    used, revoked, unused = desk.new_link(), desk.new_link(), desk.new_link()
    desk.redeem(used)
    desk.revoke(revoked)
    before = desk.log()
    for start in (TOMORROW_AT_NINE, TOMORROW_AT_TEN, TOMORROW_AT_NINE + minutes(1)):
        with pytest.raises(LinkRedeemed):
            desk.redeem(used, start, GRACE)
        with pytest.raises(LinkRevoked):
            desk.redeem(revoked, start)
        with pytest.raises(LinkExpired):
            desk.redeem(unused, start, now=IN_90_DAYS)
    assert desk.log() == before


def test_a_link_that_was_never_issued_is_not_found(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    for link_id in (uuid4(), calendar_id):
        with pytest.raises(LinkNotFound):
            desk.redeem(link_id)


def test_an_invitee_without_name_and_address_is_refused(desk: Desk) -> None:
    link_id = desk.new_link()
    with pytest.raises(Invalid):
        desk.redeem(link_id, invitee=Invitee("", ""))
    assert_still_usable(desk, link_id)


def test_a_link_sent_before_its_calendar_was_archived_still_books(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id)
    desk.archive(calendar_id)
    assert desk.redeem(link_id).value.booking.calendar_version == 2


def test_nobody_books_by_rules_that_are_replaced_at_the_last_moment(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id)
    desk.let_first(
        lambda: desk.change(calendar_id, duration_minutes=90, start_increment_minutes=90)
    )
    with pytest.raises(SlotNotOffered):
        desk.redeem(link_id, TOMORROW_AT_TEN)
    assert desk.link(link_id).status(NOW) is LinkStatus.ACTIVE


def test_a_link_books_by_the_current_rules_of_its_calendar(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    link_id, other = desk.new_link(calendar_id), desk.new_link(calendar_id)
    desk.change(calendar_id, duration_minutes=90, start_increment_minutes=90)
    with pytest.raises(SlotNotOffered):
        desk.redeem(link_id, TOMORROW_AT_TEN)
    booking = desk.redeem(link_id).value.booking
    assert booking.slot == Slot(TOMORROW_AT_NINE, TOMORROW_AT_NINE + minutes(90))
    assert booking.calendar_version == 2
    with pytest.raises(SlotTaken):
        desk.redeem(other)
