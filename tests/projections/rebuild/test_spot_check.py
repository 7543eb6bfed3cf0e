"""A spot check compares the rows of each table, and finds no difference where there is none."""

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from projections.engine.projection import Projection
from projections.rebuild import spot_check
from projections.views.booking_calendar import BookingCalendar
from projections.views.calendar_list import CalendarList
from projections.views.link_list import LinkList
from tests.projections.rebuild.rebuilds import mapper
from tests.support.desk import Desk
from tests.support.every_event import everything_happens

SAMPLES = ("_from_log", "_from_view")


@pytest.fixture
def story(desk: Desk, catch_up: Callable[[], None]) -> None:
    """Views of a log in which everything happened."""
    everything_happens(desk)
    catch_up()


@pytest.mark.parametrize("projection", [CalendarList(), LinkList(), BookingCalendar()])
@pytest.mark.parametrize("left_out", SAMPLES)
def test_each_way_to_choose_a_sample_finds_right_rows_right(
    projection: Projection,
    left_out: str,
    story: None,
    conn: Connection[DictRow],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nothing(*_: Any) -> list[Any]:
        return []

    monkeypatch.setattr(spot_check, left_out, nothing)
    found = spot_check.verify(conn, projection, mapper, 100)
    assert (found.rows > 0, found.differences) == (True, [])


def test_a_wrong_row_of_a_calendars_terms_is_found(story: None, conn: Connection[DictRow]) -> None:
    conn.execute("UPDATE booking_calendar_v2_terms SET name = 'forged'")
    found = spot_check.verify(conn, BookingCalendar(), mapper, 100)
    assert found.differing > 0
    assert {difference["table"] for difference in found.differences} == {
        "booking_calendar_v2_terms"
    }
