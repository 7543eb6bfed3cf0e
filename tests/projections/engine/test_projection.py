"""What all projections have in common, on real tables."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection, sql
from psycopg.rows import DictRow

from application.eventstore.event_log import RecordedEvent
from application.eventstore.mapper import EVENT_CLASSES, JSONMapper
from projections.catalogue import CATALOGUE, create_views, missing_views
from projections.engine import batch as engine
from projections.engine import positions
from projections.engine.batch import Batch, fold
from projections.engine.projection import Projection
from tests.application.eventstore.golden_events import EVENTS
from tests.support.desk import Desk
from tests.support.every_event import everything_happens, recorded_events, view
from tests.support.examples import NOW

NAMES = [projection.name for projection in CATALOGUE]
TABLES = [table.name for projection in CATALOGUE for table in projection.tables]
OF_SOME_EVENTS = [projection for projection in CATALOGUE if projection.handlers]
each_projection = pytest.mark.parametrize("projection", CATALOGUE, ids=NAMES)
mapper = JSONMapper()


def position_of(desk: Desk, name: str) -> int:
    return positions.all_positions(desk.services.database)[name]


def views(desk: Desk) -> tuple[list[Sequence[dict[str, Any]]], list[int]]:
    """Returns the rows of every table and the position of every view."""
    rows = [view(desk.services, table) for table in TABLES]
    return rows, [position_of(desk, name) for name in NAMES]


def apply(
    conn: Connection[DictRow], projection: Projection, events: Sequence[RecordedEvent]
) -> None:
    """Apply events to one view."""
    engine.apply(conn, projection, Batch(events, mapper))


def begin_again(conn: Connection[DictRow]) -> None:
    """Empty views that have seen nothing."""
    for table in TABLES:
        conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
    for name in NAMES:
        positions.advance(conn, name, 0)


def stored(topic: str, position: int) -> RecordedEvent:
    """The example event of that topic as it stands in the log."""
    event = EVENTS[topic]
    state = mapper.to_stored_event(event).state
    return RecordedEvent(position, event.originator_id, event.originator_version, topic, state, NOW)


class TheServerDies(BaseException):
    """An exception that nothing catches."""


def test_the_example_log_has_every_kind_of_event(desk: Desk) -> None:
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
    assert all(live[0])
    begin_again(conn)
    assert views(desk) == ([[]] * len(TABLES), [0] * len(NAMES))
    catch_up()
    assert views(desk) == live


def test_events_one_by_one_or_again_make_the_same_views_as_all_at_once(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    everything_happens(desk)
    batch = recorded_events(desk.services)
    for projection in CATALOGUE:
        for each in batch[:-1]:
            apply(conn, projection, [each])
            assert position_of(desk, projection.name) == each.position
        apply(conn, projection, batch)
    one_by_one = views(desk)
    for again in (batch, batch[:5], batch[-1:], batch[3:9]):
        for projection in CATALOGUE:
            apply(conn, projection, again)
        assert views(desk) == one_by_one
    begin_again(conn)
    for projection in CATALOGUE:
        apply(conn, projection, batch)
    assert views(desk) == one_by_one


def test_rows_and_position_move_together_or_not_at_all(
    desk: Desk, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_happens(desk)
    batch = recorded_events(desk.services)
    for projection in CATALOGUE:
        apply(conn, projection, batch[:10])
    before = views(desk)

    def die(*_: object) -> None:
        raise TheServerDies

    for projection in CATALOGUE:
        with monkeypatch.context() as dying:
            dying.setattr(positions, "advance", die)
            with pytest.raises(TheServerDies):
                apply(conn, projection, batch)
        assert views(desk) == before
    for projection in CATALOGUE:
        apply(conn, projection, batch)
        assert position_of(desk, projection.name) == desk.services.event_store.head()


@pytest.mark.parametrize("projection", OF_SOME_EVENTS, ids=lambda one: one.name)
def test_an_event_that_a_view_does_not_show_only_moves_its_position(
    desk: Desk, conn: Connection[DictRow], projection: Projection
) -> None:
    others = [topic for topic in EVENTS if topic not in projection.handlers]
    assert others
    assert set(projection.handlers) <= set(EVENTS)
    batch = [stored(topic, position) for position, topic in enumerate(others, start=7)]
    apply(conn, projection, batch)
    assert [view(desk.services, table.name) for table in projection.tables] == [[]] * len(
        projection.tables
    )
    assert position_of(desk, projection.name) == 6 + len(others)


@each_projection
def test_an_event_with_an_unknown_topic_only_moves_the_position(
    desk: Desk, conn: Connection[DictRow], projection: Projection
) -> None:
    later = stored("calendar.archived", 7)._replace(topic="calendar.later", state=b"?")
    apply(conn, projection, [later])
    assert position_of(desk, projection.name) == 7
    assert conn.execute("SELECT FROM parked_events").fetchall() == []


def test_an_event_is_read_once_for_all_views_and_not_at_all_for_none() -> None:
    read: list[str] = []

    class Counting(JSONMapper):
        def event(self, originator_id: UUID | str, version: int, topic: str, state: bytes) -> Any:
            read.append(topic)
            return super().event(originator_id, version, topic, state)

    topics = ["link.issued", "agenda.opened", "booking.made", "link.redeemed"]
    batch = [stored(topic, position) for position, topic in enumerate(topics)]
    fold(CATALOGUE, batch, Counting())
    assert read == ["link.issued", "booking.made", "link.redeemed"]


@each_projection
def test_a_view_is_named_after_the_version_of_its_shape(projection: Projection) -> None:
    stem, _, number = projection.name.rpartition("_v")
    assert stem
    assert number.isdigit()
    assert projection.tables[0].name == projection.name
    for table in projection.tables[1:]:
        assert table.name.startswith(f"{projection.name}_")


def test_tables_are_created_as_declared(conn: Connection[DictRow]) -> None:
    for projection in CATALOGUE:
        for table in projection.tables:
            made = conn.execute(
                """SELECT column_name, is_nullable, format_type(atttypid, atttypmod) AS kind
                FROM information_schema.columns JOIN pg_attribute
                    ON attrelid = table_name::regclass AND attname = column_name
                WHERE table_name = %s AND table_schema = 'public' ORDER BY ordinal_position""",
                (table.name,),
            ).fetchall()
            short = {"timestamp with time zone": "timestamptz"}
            assert [
                (row["column_name"], short.get(row["kind"], row["kind"]), row["is_nullable"])
                for row in made
            ] == [
                (name, kind, "YES" if name in table.nullable else "NO")
                for name, kind in table.columns.items()
            ]


def test_creating_views_again_keeps_their_rows(
    desk: Desk, conn: Connection[DictRow], catch_up: Callable[[], None]
) -> None:
    everything_happens(desk)
    catch_up()
    before = views(desk)
    create_views(conn)
    assert views(desk) == before


def test_a_view_that_was_never_created_is_reported_missing(conn: Connection[DictRow]) -> None:
    assert missing_views(conn) == []
    with conn.transaction(force_rollback=True):
        conn.execute("DELETE FROM projection_positions WHERE name = %s", (NAMES[0],))
        assert missing_views(conn) == [NAMES[0]]
        with pytest.raises(LookupError, match=NAMES[0]):
            positions.lock(conn, NAMES[0])
