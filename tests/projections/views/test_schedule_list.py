"""The list of schedules."""

from collections.abc import Callable

import pytest

from domain.errors import ScheduleNotFound
from projections.views import calendar_list
from projections.views.schedule_list import ScheduleRow, schedule_of, schedules_of
from tests.support.desk import Desk, terms
from tests.support.examples import OTHER_OWNER, OWNER, SCHEDULE_TERMS


def test_a_schedule_is_shown_with_its_terms_and_the_calendars_that_follow_it(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    schedule_id = desk.new_schedule()
    left, stayed = (desk.new_calendar(schedule_id=schedule_id) for _ in range(2))
    catch_up()
    desk.change(left, None)
    desk.change_schedule(schedule_id, name="Early")
    catch_up()
    database = desk.services.database
    shown = schedule_of(database, OWNER, schedule_id)
    assert (shown.version, shown.terms.name, shown.calendar_ids) == (5, "Early", [stayed])
    assert calendar_list.calendar(database, stayed).terms.schedule_id == schedule_id
    assert calendar_list.calendar(database, left).terms == terms()


def test_an_owner_sees_their_schedules_in_the_order_they_were_created_but_archived_ones(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    first, archived, last = (desk.new_schedule() for _ in range(3))
    theirs = desk.new_schedule(owner_id=OTHER_OWNER)
    desk.archive_schedule(archived)
    catch_up()
    shown = schedules_of(desk.services.database, OWNER)
    assert [each.id for each in shown] == [first, last]
    assert shown[0] == ScheduleRow(first, OWNER, 1, SCHEDULE_TERMS, [])
    for schedule_id in (archived, theirs):
        with pytest.raises(ScheduleNotFound):
            schedule_of(desk.services.database, OWNER, schedule_id)
