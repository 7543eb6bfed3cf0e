"""A schedule is created, changed by version, followed by calendars, and archived."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.booking_rules import Availability
from domain.calendar import Calendar
from domain.errors import Invalid, ScheduleInUse, ScheduleNotFound, StaleVersion
from domain.schedule import MOST_CALENDARS, Schedule, ScheduleTerms
from tests.domain.replay import collected, copy_of
from tests.support.examples import (
    ACTOR,
    CALENDAR,
    NOW,
    OFFICE_HOURS,
    OWNER,
    RULES,
    SCHEDULE_TERMS,
    TERMS,
)

LATER = NOW + timedelta(hours=1)
RENAMED = replace(SCHEDULE_TERMS, name="Early")


def created(terms: ScheduleTerms = SCHEDULE_TERMS) -> Schedule:
    return Schedule.create(owner_id=OWNER, terms=terms, actor=ACTOR, now=NOW)


def admit(schedule: Schedule, calendar_id: UUID = CALENDAR) -> None:
    schedule.admit(calendar_id, actor=ACTOR, now=LATER)


def archive(schedule: Schedule) -> None:
    schedule.archive(actor=ACTOR, now=LATER)


def test_a_schedule_begins_with_an_owner_and_terms_and_without_calendars() -> None:
    schedule = created()
    (event,) = collected(schedule)
    assert (schedule.owner_id, schedule.terms, schedule.calendar_ids) == (OWNER, SCHEDULE_TERMS, [])
    assert (event.actor, event.timestamp) == (ACTOR, NOW)


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": " "}, ["name"]),
        ({"name": "n" * 201}, ["name"]),
        (
            {
                "time_zone": "Mars/Base",
                "availability": Availability({"monday": (("9", "10:00"),)}, {}),
            },
            ["time_zone", "availability.weekly.monday"],
        ),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_every_field_that_is_wrong(
    changes: dict[str, Any], fields: list[str]
) -> None:
    terms = replace(SCHEDULE_TERMS, **changes)
    with pytest.raises(Invalid) as at_first:
        created(terms)
    assert list(at_first.value.errors) == fields
    schedule = created()
    with pytest.raises(Invalid) as later:
        schedule.change(terms, version=1, actor=ACTOR, now=LATER)
    assert later.value.errors == at_first.value.errors
    assert schedule.terms == SCHEDULE_TERMS


def test_a_change_names_the_newest_version_and_happens_once() -> None:
    schedule = created()
    history = collected(schedule)
    schedule.change(RENAMED, version=1, actor=ACTOR, now=LATER)
    schedule.change(RENAMED, version=2, actor=ACTOR, now=LATER)
    history = collected(schedule, history)
    assert (schedule.terms, len(history)) == (RENAMED, 2)
    with pytest.raises(StaleVersion):
        copy_of(history).change(SCHEDULE_TERMS, version=1, actor=ACTOR, now=LATER)


def test_a_calendar_that_follows_has_the_hours_of_the_schedule_and_all_else_of_its_own() -> None:
    schedule = created()
    terms = schedule.terms_for(TERMS)
    assert terms.schedule_id == schedule.id
    assert terms.rules.time_zone == SCHEDULE_TERMS.time_zone
    assert terms.rules.availability == SCHEDULE_TERMS.availability
    assert replace(terms, rules=RULES, schedule_id=None) == TERMS


def test_a_calendar_joins_once_and_leaves_once() -> None:
    schedule = created()
    history = collected(schedule)
    admit(schedule)
    admit(schedule)
    assert schedule.calendar_ids == [CALENDAR]
    for _ in range(2):
        schedule.release(CALENDAR, actor=ACTOR, now=LATER)
    topics = [event.TOPIC for event in collected(schedule, history)]
    assert topics[1:] == ["schedule.calendar_joined", "schedule.calendar_left"]
    assert schedule.calendar_ids == []


def test_a_schedule_takes_so_many_calendars_and_no_more() -> None:
    schedule = created()
    for _ in range(MOST_CALENDARS):
        admit(schedule, uuid4())
    with pytest.raises(Invalid) as refusal:
        admit(schedule)
    assert list(refusal.value.errors) == ["schedule_id"]
    admit(schedule, schedule.calendar_ids[0])
    assert len(schedule.calendar_ids) == MOST_CALENDARS


def test_a_schedule_is_archived_once_no_calendar_follows_it() -> None:
    schedule = created()
    admit(schedule)
    with pytest.raises(ScheduleInUse):
        archive(schedule)
    schedule.release(CALENDAR, actor=ACTOR, now=LATER)
    archive(schedule)
    archive(schedule)
    assert [event.TOPIC for event in collected(schedule)][3:] == ["schedule.archived"]
    with pytest.raises(ScheduleNotFound):
        admit(schedule)
    with pytest.raises(ScheduleNotFound):
        schedule.change(RENAMED, version=schedule.version, actor=ACTOR, now=LATER)


def following(schedule: Schedule) -> Calendar:
    return Calendar.create(owner_id=OWNER, terms=schedule.terms_for(TERMS), actor=ACTOR, now=NOW)


def test_a_calendar_that_follows_takes_other_hours_from_its_schedule_alone() -> None:
    schedule = created()
    calendar = following(schedule)
    named = replace(calendar.terms, name="Renamed")
    calendar.change(named, version=1, actor=ACTOR, now=LATER)
    other_hours = replace(named, rules=replace(named.rules, availability=OFFICE_HOURS))
    with pytest.raises(Invalid) as refusal:
        calendar.change(other_hours, version=2, actor=ACTOR, now=LATER)
    assert list(refusal.value.errors) == ["schedule_id"]
    calendar.follow(other_hours, actor=ACTOR, now=LATER)
    assert calendar.terms == other_hours
    own = replace(other_hours, schedule_id=None, rules=RULES)
    calendar.change(own, version=3, actor=ACTOR, now=LATER)
    assert calendar.terms == own
    assert len(collected(calendar)) == 4


def test_a_calendar_that_follows_can_be_saved_without_the_weekdays_that_have_no_hours() -> None:
    weekly = {"monday": (("09:00", "10:00"),), "tuesday": ()}
    schedule = created(replace(SCHEDULE_TERMS, availability=Availability(weekly, {})))
    terms = schedule.terms_for(TERMS)
    calendar = Calendar.create(owner_id=OWNER, terms=terms, actor=ACTOR, now=NOW)
    named = Availability({"monday": weekly["monday"]}, {})
    typed = replace(terms, name="Renamed", rules=replace(terms.rules, availability=named))
    calendar.change(typed, version=1, actor=ACTOR, now=LATER)
    assert calendar.terms == replace(terms, name="Renamed")


def test_a_calendar_keeps_its_hours_when_it_no_longer_follows_and_when_it_is_archived() -> None:
    left, archived = following(created()), following(created())
    left.keep_hours(actor=ACTOR, now=LATER)
    archived.archive(actor=ACTOR, now=LATER)
    for calendar in (left, archived):
        collected(calendar)
        assert calendar.terms.schedule_id is None
        assert calendar.terms.rules.time_zone == SCHEDULE_TERMS.time_zone
