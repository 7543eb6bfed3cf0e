"""A calendar is created, changed by version, and archived."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.calendar import Calendar, CalendarTerms
from domain.errors import CalendarArchived, Invalid, StaleVersion
from tests.domain.replay import collected, copy_of
from tests.support.examples import ACTOR, NOW, OWNER, RULES, TERMS

LATER = NOW + timedelta(hours=1)
LONGER = replace(TERMS, rules=replace(RULES, duration_minutes=60))


def created(terms: CalendarTerms = TERMS) -> Calendar:
    return Calendar.create(owner_id=OWNER, terms=terms, actor=ACTOR, now=NOW)


def change(calendar: Calendar, terms: CalendarTerms, version: int) -> None:
    calendar.change(terms, version=version, actor=ACTOR, now=LATER)


def archived() -> tuple[Calendar, list[Any]]:
    calendar = created()
    calendar.archive(actor=ACTOR, now=LATER)
    return calendar, collected(calendar)


def test_a_calendar_begins_with_an_owner_and_terms() -> None:
    calendar = created()
    (event,) = collected(calendar)
    assert (calendar.owner_id, calendar.terms, calendar.is_archived) == (OWNER, TERMS, False)
    assert (event.actor, event.timestamp) == (ACTOR, NOW)
    calendar.must_take_links()


def test_each_calendar_gets_an_id_of_its_own() -> None:
    assert created().id != created().id


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"name": " \t"}, ["name"]),
        ({"name": "n" * 201}, ["name"]),
        ({"location": "l" * 501, "description": "d" * 4001}, ["location", "description"]),
        ({"contact": "c" * 201}, ["contact"]),
        (
            {"cancel_notice_minutes": -1, "reschedule_notice_minutes": 525_601},
            ["cancel_notice_minutes", "reschedule_notice_minutes"],
        ),
        (
            {"reschedule_limit": 101, "reminder_minutes": 43_201},
            ["reschedule_limit", "reminder_minutes"],
        ),
        (
            {"name": "", "rules": replace(RULES, time_zone="Mars/Base", duration_minutes=0)},
            ["name", "time_zone", "duration_minutes"],
        ),
    ],
)
def test_terms_that_make_no_sense_are_refused_with_every_field_that_is_wrong(
    changes: dict[str, Any], fields: list[str]
) -> None:
    terms = replace(TERMS, **changes)
    with pytest.raises(Invalid) as at_first:
        created(terms)
    assert sorted(at_first.value.errors) == sorted(fields)
    calendar = created()
    history = collected(calendar)
    with pytest.raises(Invalid) as later:
        change(calendar, terms, 1)
    assert later.value.errors == at_first.value.errors
    assert collected(calendar, history) == history


def test_texts_of_the_maximum_length_are_accepted() -> None:
    created(CalendarTerms("n" * 200, RULES, "l" * 500, "d" * 4000))


def test_a_change_records_the_terms_in_full() -> None:
    calendar = created()
    change(calendar, LONGER, 1)
    event = collected(calendar)[-1]
    assert (calendar.terms, calendar.version) == (LONGER, 2)
    assert (event.terms, event.actor, event.timestamp) == (LONGER, ACTOR, LATER)


def test_a_change_to_the_current_terms_triggers_no_event() -> None:
    calendar = created()
    history = collected(calendar)
    change(calendar, replace(TERMS), 1)
    assert collected(calendar, history) == history


@pytest.mark.parametrize("version", [1, 3])
def test_a_change_of_a_version_that_is_not_the_newest_is_refused(version: int) -> None:
    calendar = created()
    change(calendar, LONGER, 1)
    history = collected(calendar)
    with pytest.raises(StaleVersion):
        change(calendar, TERMS, version)
    assert collected(calendar, history) == history


def test_an_archived_calendar_takes_no_links_and_no_changes() -> None:
    calendar, history = archived()
    assert calendar.is_archived
    with pytest.raises(CalendarArchived):
        calendar.must_take_links()
    with pytest.raises(CalendarArchived):
        change(calendar, LONGER, calendar.version)
    assert collected(calendar, history) == history


def test_a_calendar_archived_again_stays_as_it_is() -> None:
    calendar, history = archived()
    calendar.archive(actor="key:other", now=LATER)
    assert collected(calendar, history) == history


def test_two_who_change_the_same_version_at_once_claim_the_same_next_one() -> None:
    history = collected(created())
    one, other = copy_of(history), copy_of(history)
    change(one, LONGER, 1)
    other.archive(actor=ACTOR, now=LATER)
    (first,), (second,) = one.collect_events(), other.collect_events()
    assert first.originator_id == second.originator_id
    assert first.originator_version == second.originator_version == 2
