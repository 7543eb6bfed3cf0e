"""What a process remembers is bounded, is never changed by a decision, and is never believed."""

from typing import Any
from uuid import UUID, uuid5

import pytest

from application.eventstore import streams
from application.eventstore.aggregate_memory import BYTES_BESIDE_EVENTS, AggregateMemory
from application.eventstore.event_sourced_application import EventSourcedApplication
from application.eventstore.loading import Wanted
from application.eventstore.streams import StoredRow
from domain.agenda import AgendaDay
from domain.calendar import Calendar
from domain.link import SingleUseLink
from domain.slot import Reservation, Slot
from tests.support.desk import Desk, minutes, terms
from tests.support.examples import ACTOR, LINK, NOW, OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN

ONE = uuid5(LINK, "one")
STATE = b"state"
DAY = AgendaDay.id_for(OWNER, TOMORROW_AT_NINE.date())


def a_calendar(memory: AggregateMemory, version: int, calendar: Calendar | None = None) -> Calendar:
    """Remembers a calendar as if it had this version."""
    calendar = calendar or Calendar.create(owner_id=OWNER, terms=terms(), actor=ACTOR, now=NOW)
    calendar.version = version
    row = StoredRow(version, Calendar.Changed.TOPIC, STATE)
    memory.remember(calendar, row, events=1, confirmed_at=0.0)
    return calendar


def remembered_version(memory: AggregateMemory, calendar_id: UUID) -> int | None:
    remembered = memory.get(calendar_id)
    return None if remembered is None else remembered.aggregate.version


def test_what_was_not_used_for_long_is_dropped_first() -> None:
    two_calendars = 2 * (BYTES_BESIDE_EVENTS + len(STATE))
    memory = AggregateMemory(most_bytes=two_calendars)
    one, two = a_calendar(memory, 1), a_calendar(memory, 1)
    assert memory.get(one.id)
    three = a_calendar(memory, 1)
    assert [remembered_version(memory, each.id) for each in (one, two, three)] == [1, None, 1]


def test_an_aggregate_counts_only_once_however_often_it_is_remembered() -> None:
    memory = AggregateMemory(most_bytes=2 * (BYTES_BESIDE_EVENTS + len(STATE)))
    one, two = a_calendar(memory, 1), a_calendar(memory, 1)
    for version in (2, 3, 4):
        a_calendar(memory, version, one)
    assert [remembered_version(memory, each.id) for each in (one, two)] == [4, 1]


def test_a_newer_version_is_not_replaced_by_an_older_one() -> None:
    memory = AggregateMemory()
    calendar = a_calendar(memory, 2)
    for version, expected in ((1, 2), (3, 3), (2, 3)):
        a_calendar(memory, version, calendar)
        assert remembered_version(memory, calendar.id) == expected


def test_what_the_log_did_not_confirm_is_forgotten_but_not_what_was_read_since() -> None:
    memory = AggregateMemory()
    calendar = a_calendar(memory, 1)
    outdated = memory.get(calendar.id)
    assert outdated
    a_calendar(memory, 2, calendar)
    memory.forget(outdated)
    assert remembered_version(memory, calendar.id) == 2
    newest = memory.get(calendar.id)
    assert newest
    memory.forget(newest)
    assert memory.get(calendar.id) is None


def test_days_with_many_bookings_weigh_more(desk: Desk) -> None:
    memory = AggregateMemory(most_bytes=BYTES_BESIDE_EVENTS + 100)
    day = AgendaDay.open(OWNER, TOMORROW_AT_NINE.date(), actor=ACTOR, now=NOW)
    row = StoredRow(1, AgendaDay.SlotReserved.TOPIC, b"ten bytes.")
    memory.remember(day, row, events=10, confirmed_at=0.0)
    assert memory.get(day.id)
    memory.remember(day, row, events=11, confirmed_at=0.0)
    assert memory.get(day.id) is None


def test_a_decision_that_is_not_saved_changes_nothing_that_is_loaded_later(desk: Desk) -> None:
    store = desk.services.event_store
    calendar_id = desk.new_calendar()
    desk.redeem(desk.new_link(calendar_id))
    calendar, day = store.get(Calendar, calendar_id), store.get(AgendaDay, DAY)
    calendar.archive(actor=ACTOR, now=NOW)
    slot = Slot(TOMORROW_AT_TEN, TOMORROW_AT_TEN + minutes(30))
    no_time = minutes(0)
    day.reserve(ONE, Reservation(slot, no_time, no_time), actor=ACTOR, now=NOW)
    assert not store.get(Calendar, calendar_id).is_archived
    assert ONE not in store.get(AgendaDay, DAY).reservations
    assert desk.services.event_store.get(AgendaDay, DAY).pending_events == []


def test_what_was_saved_is_not_changed_by_whoever_still_has_it(desk: Desk) -> None:
    store = desk.services.event_store
    calendar = desk.services.calendars.create(
        owner_id=OWNER, terms=terms(), actor=ACTOR, now=NOW
    ).value
    calendar.archive(actor=ACTOR, now=NOW)
    assert not store.get(Calendar, calendar.id).is_archived


@pytest.mark.parametrize("changes", [1, 2, 5])
def test_what_another_process_changed_is_seen_at_once(desk: Desk, changes: int) -> None:
    here = desk.services.event_store
    there = EventSourcedApplication(desk.services.database)
    calendar_id = desk.new_calendar()
    there.get(Calendar, calendar_id)
    for number in range(changes):
        desk.change(calendar_id, version=None, duration_minutes=30 + 15 * (1 + number % 2))
    desk.archive(calendar_id)
    assert there.get(Calendar, calendar_id) == here.get(Calendar, calendar_id)


def test_a_calendar_of_any_age_is_what_all_of_its_events_make_it(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    states = [desk.services.event_store.get(Calendar, calendar_id)]
    for number in range(4):
        length = 45 + 15 * (number % 2)
        states.append(desk.change(calendar_id, None, duration_minutes=length).value)
    states.append(desk.archive(calendar_id).value)
    cold = EventSourcedApplication(desk.services.database)
    for version, state in enumerate(states, start=1):
        assert cold.get(Calendar, calendar_id, version=version) == state
    assert cold.get(Calendar, calendar_id) == cold.get(Calendar, calendar_id) == states[-1]


def test_no_more_is_read_of_what_has_a_long_history(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar_id = desk.new_calendar()
    for number in range(9):
        desk.change(calendar_id, None, duration_minutes=30 + 15 * (1 + number % 2))
    links = desk.new_links(desk.new_calendar(), 9)
    for number, link_id in enumerate(links):
        desk.redeem(link_id, TOMORROW_AT_NINE + number * minutes(30))
    rows: list[StoredRow] = []
    read = streams.read

    def noted(*arguments: Any) -> Any:
        parts, is_busy = read(*arguments)
        rows.extend(row for part in parts for row in part)
        return parts, is_busy

    monkeypatch.setattr(streams, "read", noted)
    cold = EventSourcedApplication(desk.services.database)
    cold.get(Calendar, calendar_id)
    cold.get(Calendar, calendar_id, version=5)
    assert [row.version for row in rows] == [1, 9, 10, 1, 4, 5]
    for expected in ([9, 10, 9, 10, 1, 2], [10, 10, 2]):
        rows.clear()
        desk.services.event_store.load(
            Wanted(Calendar, calendar_id), Wanted(AgendaDay, DAY), Wanted(SingleUseLink, links[0])
        )
        assert [row.version for row in rows] == expected


def test_an_aggregate_has_no_version_0_and_its_newest_is_what_comes_before_a_later_one(
    desk: Desk,
) -> None:
    store = desk.services.event_store
    calendar_id = desk.new_calendar()
    for version in (0, -1, -(2**70)):
        assert store.find(Calendar, calendar_id, version=version) is None
    for version in (2, 2**70):
        assert store.get(Calendar, calendar_id, version=version).version == 1
