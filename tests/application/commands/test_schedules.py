"""Commands about schedules: happened, repeated, refused, raced."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain.blocked_time import closed_during, opened_again
from domain.booking_rules import Availability
from domain.calendar import Calendar
from domain.errors import Invalid, ScheduleInUse, ScheduleNotFound, StaleVersion
from domain.schedule import Schedule
from domain.slot import Slot
from tests.support.desk import Desk, terms
from tests.support.examples import (
    ACTOR,
    MORNINGS,
    NOW,
    OFFICE_HOURS,
    OTHER_OWNER,
    OWNER,
    SCHEDULE_TERMS,
    TOMORROW_AT_NINE,
)

EVENINGS = Availability(weekly={"tuesday": (("18:00", "21:00"),)}, overrides={})


def calendar(desk: Desk, calendar_id: UUID) -> Calendar:
    return desk.services.event_store.get(Calendar, calendar_id)


def hours_of(desk: Desk, calendar_id: UUID) -> Availability:
    return calendar(desk, calendar_id).terms.rules.availability


def followers(desk: Desk, schedule_id: UUID) -> list[UUID]:
    return desk.services.event_store.get(Schedule, schedule_id).calendar_ids


def test_a_new_calendar_gets_the_hours_of_the_schedule_that_it_follows(desk: Desk) -> None:
    schedule_id = desk.new_schedule()
    calendar_id = desk.new_calendar(schedule_id=schedule_id, duration_minutes=45)
    assert calendar(desk, calendar_id).terms == terms(
        schedule_id=schedule_id,
        duration_minutes=45,
        time_zone=SCHEDULE_TERMS.time_zone,
        availability=SCHEDULE_TERMS.availability,
    )
    assert followers(desk, schedule_id) == [calendar_id]
    assert desk.topics() == ["schedule.created", "calendar.created", "schedule.calendar_joined"]


def test_a_change_of_a_schedule_is_one_save_with_every_calendar_that_follows(desk: Desk) -> None:
    schedule_id = desk.new_schedule()
    first, second = (desk.new_calendar(schedule_id=schedule_id) for _ in range(2))
    own = desk.new_calendar()
    before = desk.log()[-1]["position"]
    written = desk.change_schedule(schedule_id, availability=EVENINGS)
    log = desk.log(before)
    assert [line["id"] for line in log] == [schedule_id, first, second]
    assert len({line["transaction"] for line in log}) == 1
    assert written.position == log[-1]["position"]
    assert [hours_of(desk, each) for each in (first, second, own)] == [
        EVENINGS,
        EVENINGS,
        OFFICE_HOURS,
    ]
    desk.change_schedule(schedule_id, availability=EVENINGS)
    desk.change_schedule(schedule_id, name="Late")
    assert desk.topics(after=written.position) == ["schedule.changed"]


def test_a_change_of_an_old_version_is_refused(desk: Desk) -> None:
    schedule_id = desk.new_schedule()
    desk.change_schedule(schedule_id, 1, name="Late")
    with pytest.raises(StaleVersion):
        desk.change_schedule(schedule_id, 1, name="Early")


def test_a_calendar_moves_from_schedule_to_schedule_and_back_to_its_own_hours(desk: Desk) -> None:
    early, late = desk.new_schedule(), desk.new_schedule(availability=EVENINGS)
    calendar_id = desk.new_calendar()
    desk.change(calendar_id, None, schedule_id=early)
    assert hours_of(desk, calendar_id) == MORNINGS
    desk.change(calendar_id, None, schedule_id=late)
    assert hours_of(desk, calendar_id) == EVENINGS
    assert (followers(desk, early), followers(desk, late)) == ([], [calendar_id])
    desk.change(calendar_id, None, availability=OFFICE_HOURS)
    assert hours_of(desk, calendar_id) == OFFICE_HOURS
    assert followers(desk, late) == []


def test_a_schedule_of_nobody_of_another_owner_or_an_archived_one_cannot_be_followed(
    desk: Desk,
) -> None:
    archived = desk.new_schedule()
    desk.archive_schedule(archived)
    desk.archive_schedule(archived)
    calendar_id = desk.new_calendar()
    head = desk.services.event_store.head()
    for schedule_id in (uuid4(), desk.new_schedule(owner_id=OTHER_OWNER), archived, calendar_id):
        with pytest.raises(Invalid) as refusal:
            desk.change(calendar_id, schedule_id=schedule_id)
        assert refusal.value.errors == {"schedule_id": [str(ScheduleNotFound())]}
        with pytest.raises(Invalid):
            desk.new_calendar(schedule_id=schedule_id)
    assert desk.topics(after=head) == ["schedule.created"]


def test_nobody_changes_or_archives_the_schedule_of_another_owner(desk: Desk) -> None:
    theirs = desk.new_schedule(owner_id=OTHER_OWNER)
    with pytest.raises(ScheduleNotFound):
        desk.change_schedule(theirs, name="Mine")
    with pytest.raises(ScheduleNotFound):
        desk.archive_schedule(theirs)


def test_a_schedule_that_ends_leaves_each_calendar_a_copy_of_its_hours(desk: Desk) -> None:
    schedule_id = desk.new_schedule()
    calendar_id = desk.new_calendar(schedule_id=schedule_id)
    with pytest.raises(ScheduleInUse):
        desk.archive_schedule(schedule_id, release_calendars=False)
    desk.archive_schedule(schedule_id)
    assert hours_of(desk, calendar_id) == MORNINGS
    assert calendar(desk, calendar_id).terms.schedule_id is None
    with pytest.raises(ScheduleNotFound):
        desk.change_schedule(schedule_id, name="Late")


def test_an_archived_calendar_leaves_its_schedule(desk: Desk) -> None:
    schedule_id = desk.new_schedule()
    calendar_id = desk.new_calendar(schedule_id=schedule_id)
    desk.archive(calendar_id)
    desk.change_schedule(schedule_id, availability=EVENINGS)
    assert hours_of(desk, calendar_id) == MORNINGS
    assert followers(desk, schedule_id) == []


def test_a_calendar_that_joins_while_the_schedule_changes_gets_the_new_hours(desk: Desk) -> None:
    schedule_id, calendar_id = desk.new_schedule(), desk.new_calendar()
    desk.let_first(lambda: desk.change_schedule(schedule_id, availability=EVENINGS))
    desk.change(calendar_id, schedule_id=schedule_id)
    assert hours_of(desk, calendar_id) == EVENINGS


def test_a_schedule_that_changes_while_a_calendar_joins_takes_it_along(desk: Desk) -> None:
    schedule_id, calendar_id = desk.new_schedule(), desk.new_calendar()
    desk.let_first(lambda: desk.change(calendar_id, schedule_id=schedule_id))
    desk.change_schedule(schedule_id, availability=EVENINGS)
    assert hours_of(desk, calendar_id) == EVENINGS


def test_a_schedule_that_changes_while_a_calendar_is_renamed_keeps_both(desk: Desk) -> None:
    schedule_id = desk.new_schedule()
    calendar_id = desk.new_calendar(schedule_id=schedule_id)
    own = calendar(desk, calendar_id).terms.rules
    desk.let_first(
        lambda: desk.change(
            calendar_id,
            name="Renamed",
            schedule_id=schedule_id,
            time_zone=own.time_zone,
            availability=own.availability,
        )
    )
    desk.change_schedule(schedule_id, availability=EVENINGS)
    assert calendar(desk, calendar_id).terms.name == "Renamed"
    assert hours_of(desk, calendar_id) == EVENINGS


def test_time_that_is_blocked_in_a_calendar_is_blocked_in_its_schedule(desk: Desk) -> None:
    schedule_id = desk.new_schedule(time_zone="UTC")
    first, second = (desk.new_calendar(schedule_id=schedule_id) for _ in range(2))
    slot = Slot(TOMORROW_AT_NINE, TOMORROW_AT_NINE + timedelta(hours=1))
    for change, hours in (
        (closed_during, (("08:00", "09:00"), ("10:00", "12:00"))),
        (opened_again, None),
    ):
        written = desk.services.calendars.change_hours(
            change=change,
            slot=slot,
            calendar_ids=[first],
            owner_id=OWNER,
            actor=ACTOR,
            now=NOW,
        )
        assert [each.id for each in written.value] == [first, second]
        assert hours_of(desk, second).overrides.get("2026-11-24") == hours
        schedule = desk.services.event_store.get(Schedule, schedule_id)
        assert schedule.terms.availability == hours_of(desk, first)
