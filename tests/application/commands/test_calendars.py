"""Commands about calendars: happened, repeated, refused, raced."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.blocked_time import closed_during, opened_again
from domain.booking_rules import Availability
from domain.calendar import Calendar
from domain.errors import CalendarArchived, CalendarNotFound, Invalid, StaleVersion
from domain.slot import Slot
from tests.support.desk import Desk, terms
from tests.support.examples import ACTOR, NOW, OTHER_OWNER, OWNER, TOMORROW_AT_NINE

CLOSED = Availability(weekly={}, overrides={})


def change_tomorrow(
    desk: Desk, change: Callable[[Availability, str, Slot], Availability], *calendar_ids: UUID
) -> list[Calendar]:
    """Blocks tomorrow from nine to eleven in calendars or opens it; returns those that changed."""
    return desk.services.calendars.change_hours(
        change=change,
        slot=Slot(TOMORROW_AT_NINE, TOMORROW_AT_NINE + timedelta(hours=2)),
        calendar_ids=calendar_ids,
        owner_id=OWNER,
        actor=ACTOR,
        now=NOW,
    ).value


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


def test_the_hours_of_one_calendar_become_those_of_others_in_the_same_save(desk: Desk) -> None:
    calendar, other = desk.new_calendar(), desk.new_calendar(name="Other", duration_minutes=45)
    old = desk.new_calendar()
    desk.archive(old)
    before = desk.log()[-1]["position"]
    office = Availability(weekly={"tuesday": (("09:00", "17:00"),)}, overrides={"2026-12-24": ()})
    change: Any = {
        "calendar_id": calendar,
        "owner_id": OWNER,
        "change": lambda _: terms(time_zone="Europe/Berlin", availability=office),
        "version": 1,
        "actor": ACTOR,
        "now": NOW,
    }
    desk.services.calendars.change(**change, same_hours=[other, old, calendar, other])
    assert calendar_in_log(desk, other).terms == terms(
        name="Other", duration_minutes=45, time_zone="Europe/Berlin", availability=office
    )
    assert [line["id"] for line in desk.log(before)] == [calendar, other]
    assert len({line["transaction"] for line in desk.log(before)}) == 1
    theirs = desk.new_calendar(owner_id=OTHER_OWNER)
    with pytest.raises(CalendarNotFound):
        desk.services.calendars.change(
            **change | {"version": 2, "change": lambda _: terms()}, same_hours=[theirs]
        )
    assert calendar_in_log(desk, calendar).version == 2


def test_time_is_blocked_in_several_calendars_together_and_opened_again(desk: Desk) -> None:
    office = Availability(weekly={"tuesday": (("09:00", "17:00"),)}, overrides={})
    berlin = desk.new_calendar(time_zone="Europe/Berlin", availability=office)
    utc = desk.new_calendar(time_zone="UTC", availability=office)
    old, closed = desk.new_calendar(availability=office), desk.new_calendar(availability=CLOSED)
    desk.archive(old)
    ids = (berlin, utc, old, closed)
    before = desk.log()[-1]["position"]
    changed = change_tomorrow(desk, closed_during, *ids)
    assert {each.id: each.terms.rules.availability.overrides for each in changed} == {
        berlin: {"2026-11-24": (("09:00", "10:00"), ("12:00", "17:00"))},
        utc: {"2026-11-24": (("11:00", "17:00"),)},
    }
    assert [line["topic"] for line in desk.log(before)] == ["calendar.changed"] * 2
    assert len({line["transaction"] for line in desk.log(before)}) == 1
    assert change_tomorrow(desk, closed_during, *ids) == []
    change_tomorrow(desk, opened_again, *ids)
    assert calendar_in_log(desk, utc).terms == terms(time_zone="UTC", availability=office)


def test_blocking_time_races_with_a_change_and_keeps_both(desk: Desk) -> None:
    office = Availability(weekly={"tuesday": (("09:00", "17:00"),)}, overrides={})
    calendar = desk.new_calendar(time_zone="UTC", availability=office)
    desk.let_first(
        lambda: desk.change(calendar, name="Renamed", time_zone="UTC", availability=office)
    )
    change_tomorrow(desk, closed_during, calendar)
    newest = calendar_in_log(desk, calendar).terms
    assert newest.name == "Renamed"
    assert newest.rules.availability.overrides == {"2026-11-24": (("11:00", "17:00"),)}


def test_nobody_blocks_time_in_another_owners_calendar(desk: Desk) -> None:
    theirs = desk.new_calendar(owner_id=OTHER_OWNER)
    with pytest.raises(CalendarNotFound):
        change_tomorrow(desk, closed_during, theirs)
