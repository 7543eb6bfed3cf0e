"""Commands about calendars: happened, repeated, refused, raced."""

from uuid import UUID, uuid4

import pytest

from domain.calendar import Calendar
from domain.errors import CalendarArchived, CalendarNotFound, Invalid, StaleVersion
from tests.support.desk import Desk, terms
from tests.support.examples import ACTOR, NOW, OTHER_OWNER, OWNER


def calendar_in_log(desk: Desk, calendar_id: UUID) -> Calendar:
    return desk.services.event_store.get(Calendar, calendar_id)


def test_a_created_calendar_is_in_the_log_at_the_returned_position(desk: Desk) -> None:
    written = desk.services.calendars.create(owner_id=OWNER, terms=terms(), actor=ACTOR, now=NOW)
    (line,) = desk.log()
    assert (line["topic"], line["id"], line["position"]) == (
        "calendar.created",
        written.value.id,
        written.position,
    )
    assert calendar_in_log(desk, written.value.id) == written.value


def test_a_calendar_that_makes_no_sense_is_not_created(desk: Desk) -> None:
    with pytest.raises(Invalid):
        desk.new_calendar(duration_minutes=0)
    assert desk.log() == []


def test_a_changed_calendar_has_its_new_terms_from_then_on(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    written = desk.change(calendar_id, duration_minutes=60)
    assert written.value == calendar_in_log(desk, calendar_id)
    assert written.value.terms == terms(duration_minutes=60)
    assert written.position == desk.log()[-1]["position"]


def test_a_change_is_given_the_current_terms(desk: Desk) -> None:
    calendar_id = desk.new_calendar(duration_minutes=45)
    seen = []
    desk.services.calendars.change(
        calendar_id=calendar_id,
        owner_id=OWNER,
        change=lambda now: seen.append(now) or now,  # type: ignore[func-returns-value]
        version=1,
        actor=ACTOR,
        now=NOW,
    )
    assert seen == [terms(duration_minutes=45)]


def test_a_change_to_the_current_terms_records_nothing(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    written = desk.change(calendar_id)
    assert desk.topics() == ["calendar.created"]
    assert (written.value.version, written.position) == (1, desk.services.event_store.head())


def test_a_change_of_an_old_version_is_refused(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    desk.change(calendar_id, duration_minutes=60)
    with pytest.raises(StaleVersion):
        desk.change(calendar_id, duration_minutes=90)
    assert calendar_in_log(desk, calendar_id).terms == terms(duration_minutes=60)


def test_a_change_of_any_version_is_decided_again_after_a_conflict(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    desk.let_first(lambda: desk.change(calendar_id, duration_minutes=60))
    desk.change(calendar_id, None, duration_minutes=90)
    assert desk.topics() == ["calendar.created", "calendar.changed", "calendar.changed"]
    assert calendar_in_log(desk, calendar_id).terms == terms(duration_minutes=90)


def test_the_second_of_two_concurrent_changes_is_refused_as_stale(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    desk.let_first(lambda: desk.change(calendar_id, duration_minutes=60))
    with pytest.raises(StaleVersion):
        desk.change(calendar_id, duration_minutes=90)
    assert desk.topics() == ["calendar.created", "calendar.changed"]
    assert calendar_in_log(desk, calendar_id).terms == terms(duration_minutes=60)


def test_a_calendar_is_archived_once(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    first, again = desk.archive(calendar_id), desk.archive(calendar_id)
    assert desk.topics() == ["calendar.created", "calendar.archived"]
    assert first == again
    with pytest.raises(CalendarArchived):
        desk.change(calendar_id, 2, duration_minutes=60)


def test_an_archived_calendar_keeps_the_terms_that_it_had_last(desk: Desk, there: Desk) -> None:
    calendar_id = desk.new_calendar()
    desk.change(calendar_id, duration_minutes=60)
    desk.change(calendar_id, 2, duration_minutes=90)
    desk.archive(calendar_id)
    read = there.services.event_store.get(Calendar, calendar_id)
    assert (read.terms, read.is_archived, read.version) == (terms(duration_minutes=90), True, 4)


def test_a_calendar_that_changes_at_the_last_moment_is_still_archived(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    desk.let_first(lambda: desk.change(calendar_id, duration_minutes=60))
    desk.archive(calendar_id)
    assert desk.topics() == ["calendar.created", "calendar.changed", "calendar.archived"]


def test_a_calendar_of_another_owner_is_not_found_nor_is_any_other_id(desk: Desk) -> None:
    link_id = desk.new_link()
    head = desk.services.event_store.head()
    for calendar_id in (desk.new_calendar(owner_id=OTHER_OWNER), link_id, uuid4()):
        for command in (desk.change, desk.archive, desk.new_link):
            with pytest.raises(CalendarNotFound):
                command(calendar_id)
    assert desk.topics(after=head) == ["calendar.created"]
