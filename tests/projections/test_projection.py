"""What holds for every projection, whatever its view shows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.rows import DictRow, dict_row

from application.mapper import EVENT_CLASSES
from domain.calendar import Calendar
from projections import positions
from projections.catalogue import CATALOGUE, create_views, missing_views
from projections.projection import Change, Projection, Recorded
from tests.application.golden_events import EVENTS
from tests.desk import Desk
from tests.projections.story import everything_happens, recorded, view

NAMES = [projection.name for projection in CATALOGUE]
each_projection = pytest.mark.parametrize("projection", CATALOGUE, ids=NAMES)


@pytest.fixture
def conn(conninfo: str) -> Iterator[Connection[DictRow]]:
    """A connection as the runner has one."""
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def position_of(desk: Desk, name: str) -> int:
    return positions.all_positions(desk.services.database)[name]


def views(desk: Desk) -> list[tuple[Sequence[dict[str, Any]], int]]:
    """Rows and position of every view."""
    return [(view(desk.services, name), position_of(desk, name)) for name in NAMES]


class FailsInTheMiddle(Projection):
    """As another projection, but for one event that it cannot apply."""

    def __init__(self, other: Projection, position: int) -> None:
        self._other = other
        self._position = position

    @property
    def name(self) -> str:  # type: ignore[override]
        return self._other.name

    def changes(self, recorded: Recorded) -> Iterator[Change]:
        yield from self._other.changes(recorded)
        if recorded.position == self._position:
            yield Change("SELECT 1 / %s", (0,))


def test_the_story_has_every_kind_of_event_there_is(desk: Desk) -> None:
    everything_happens(desk)
    assert set(desk.topics()) == {kind.TOPIC for kind in EVENT_CLASSES}


def test_views_thrown_away_and_built_again_come_out_row_for_row_the_same(
    desk: Desk, conn: Connection[DictRow], catch_up: Callable[[], None]
) -> None:
    desk.new_link()
    catch_up()
    everything_happens(desk)
    catch_up()
    live = views(desk)
    assert all(len(rows) > 3 for rows, _ in live)
    for name in NAMES:
        conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(name)))
        positions.advance(conn, name, 0)
    assert views(desk) == [([], 0)] * len(NAMES)
    catch_up()
    assert views(desk) == live


def test_events_one_by_one_or_again_make_the_same_views_as_all_at_once(
    desk: Desk, conn: Connection[DictRow], catch_up: Callable[[], None]
) -> None:
    everything_happens(desk)
    batch = recorded(desk.services)
    for projection in CATALOGUE:
        for each in batch[:-1]:
            projection.apply(conn, [each])
            assert position_of(desk, projection.name) == each.position
        projection.apply(conn, batch)
    one_by_one = views(desk)
    for again in (batch, batch[:5], batch[-1:], batch[3:9]):
        for projection in CATALOGUE:
            projection.apply(conn, again)
        assert views(desk) == one_by_one
    with conn.transaction(force_rollback=True):
        for projection in CATALOGUE:
            conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(projection.name)))
            positions.advance(conn, projection.name, 0)
            projection.apply(conn, batch)
            at_once = conn.execute(
                sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(projection.name))
            ).fetchall()
            assert at_once == one_by_one[NAMES.index(projection.name)][0]


def test_rows_and_position_move_together_or_not_at_all(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    everything_happens(desk)
    batch = recorded(desk.services)
    for projection in CATALOGUE:
        projection.apply(conn, batch[:10])
    before = views(desk)
    for projection in CATALOGUE:
        for place in (10, len(batch) // 2, len(batch) - 1):
            failing = FailsInTheMiddle(projection, batch[place].position)
            with pytest.raises(psycopg.errors.DivisionByZero):
                failing.apply(conn, batch)
            assert views(desk) == before
    for projection in CATALOGUE:
        projection.apply(conn, batch)
        assert position_of(desk, projection.name) == desk.services.bookings.head()


@each_projection
def test_an_event_that_a_view_does_not_show_only_moves_its_position(
    desk: Desk, conn: Connection[DictRow], projection: Projection
) -> None:
    known = {
        topic for topic, event in EVENTS.items() if list(projection.changes(Recorded(7, event)))
    }
    assert known
    others = [EVENTS[topic] for topic in EVENTS if topic not in known]
    assert others
    projection.apply(conn, [Recorded(n, event) for n, event in enumerate(others, start=7)])
    assert view(desk.services, projection.name) == []
    assert position_of(desk, projection.name) == 6 + len(others)


@each_projection
def test_an_event_from_a_later_version_means_nothing_to_a_view(projection: Projection) -> None:
    class Later(Calendar.Event):
        TOPIC = "calendar.later"

    event = Later(
        originator_id=UUID(int=1),
        originator_version=9,
        timestamp=EVENTS["calendar.archived"].timestamp,
    )
    assert list(projection.changes(Recorded(7, event))) == []


@each_projection
def test_a_view_is_named_after_the_version_of_its_shape(projection: Projection) -> None:
    stem, _, number = projection.name.rpartition("_v")
    assert stem
    assert number.isdigit()
    assert f"CREATE TABLE IF NOT EXISTS {projection.name} " in projection.tables


def test_views_are_made_once_and_keep_what_they_have(
    desk: Desk, conn: Connection[DictRow], catch_up: Callable[[], None]
) -> None:
    everything_happens(desk)
    catch_up()
    before = views(desk)
    create_views(conn)
    assert views(desk) == before


def test_a_view_that_was_never_made_is_missed(conn: Connection[DictRow]) -> None:
    assert missing_views(conn) == []
    with conn.transaction(force_rollback=True):
        conn.execute("DELETE FROM projection_positions WHERE name = %s", (NAMES[0],))
        assert missing_views(conn) == [NAMES[0]]
        with pytest.raises(LookupError, match=NAMES[0]):
            positions.lock(conn, NAMES[0])
