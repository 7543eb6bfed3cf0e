"""The list of calendars."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from domain.errors import CalendarNotFound
from projections.views.calendar_list import CalendarRow, calendar, calendar_of, calendars_of
from tests.support.desk import Desk, terms
from tests.support.examples import OTHER_OWNER, OWNER


def test_a_created_calendar_is_shown_with_its_terms(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    calendar_id = desk.new_calendar(buffer_before_minutes=5)
    catch_up()
    shown = calendar(desk.services.database, calendar_id)
    assert shown == CalendarRow(
        id=calendar_id,
        owner_id=OWNER,
        version=1,
        is_archived=False,
        terms=terms(buffer_before_minutes=5),
    )


def test_a_changed_calendar_is_shown_as_last_decided_with_the_version_to_name(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    calendar_id = desk.new_calendar()
    catch_up()
    desk.change(calendar_id, duration_minutes=60)
    catch_up()
    shown = calendar(desk.services.database, calendar_id)
    assert (shown.version, shown.terms) == (2, terms(duration_minutes=60))


def test_an_archived_calendar_is_shown_as_archived(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    calendar_id = desk.new_calendar()
    desk.archive(calendar_id)
    catch_up()
    shown = calendar(desk.services.database, calendar_id)
    assert (shown.version, shown.is_archived, shown.terms) == (2, True, terms())


def test_an_owner_sees_their_calendars_in_the_order_they_were_created(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    mine = [desk.new_calendar() for _ in range(5)]
    theirs = desk.new_calendar(owner_id=OTHER_OWNER)
    desk.archive(mine[1])
    desk.change(mine[0], duration_minutes=60)
    catch_up()
    database = desk.services.database
    assert [row.id for row in calendars_of(database, OWNER)] == mine
    assert [row.id for row in calendars_of(database, OTHER_OWNER)] == [theirs]
    assert calendars_of(database, uuid4()) == []


def test_another_owners_calendar_does_not_exist(desk: Desk, catch_up: Callable[[], None]) -> None:
    calendar_id = desk.new_calendar()
    catch_up()
    database = desk.services.database
    assert calendar_of(database, OWNER, calendar_id) == calendar(database, calendar_id)
    with pytest.raises(CalendarNotFound):
        calendar_of(database, OTHER_OWNER, calendar_id)
    with pytest.raises(CalendarNotFound):
        calendar(database, uuid4())
