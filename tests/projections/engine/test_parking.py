"""An event that a view cannot apply is parked with the rest of its history."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import event_log
from application.eventstore.mapper import JSONMapper
from domain.booking import Booking
from projections.catalogue import projection_named
from projections.engine import batch, parking, runner
from projections.engine.batch import retry
from projections.engine.projection import Projection
from projections.status import statuses
from tests.projections.unreadable_events import (
    GARBLED,
    VIEWS,
    empty_all_views,
    expected,
    history_of_each,
    parked,
    rows,
    unreadable,
)
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.projector import apply_all

LINKS = projection_named("link_list")
CALENDARS = projection_named("calendar_list")
HANDLED = [
    pytest.param(projection, topic, id=f"{projection.name} {topic}")
    for projection in VIEWS
    for topic in projection.handlers
]
mapper = JSONMapper()


def position_of(conn: Connection[DictRow], topic: str) -> int:
    """Returns the position of the first event of that topic."""
    row = conn.execute("SELECT min(position) AS first FROM log WHERE topic = %s", (topic,))
    (found,) = row.fetchall()
    position: int = found["first"]
    return position


def errors(conn: Connection[DictRow], name: str) -> list[str]:
    found = conn.execute(
        "SELECT error FROM parked_events WHERE generation = %s AND error IS NOT NULL", (name,)
    )
    return [row["error"] for row in found]


@pytest.mark.parametrize(("projection", "topic"), HANDLED)
def test_an_unreadable_event_parks_the_rest_of_its_history_until_it_can_be_read(
    desk: Desk, conn: Connection[DictRow], projection: Projection, topic: str
) -> None:
    everything_happens(desk)
    apply_all(conn)
    right = rows(conn)
    empty_all_views(conn)
    poison = position_of(conn, topic)
    waits = expected(conn, projection, {poison})
    told_by = history_of_each(conn)
    # The agenda's event is told apart by a part of it that can be read.
    state = f'{{"booking_id": "{booking_of(conn, poison)}"}}'.encode()
    agenda = topic.startswith("agenda.")
    with unreadable(conn, {poison}, state if agenda else GARBLED):
        apply_all(conn)
        assert parked(conn, projection.name) == waits
        assert [text.partition(":")[0] for text in errors(conn, projection.name)] == [
            "ValidationError" if agenda else "DecodeError"
        ]
        for table in projection.tables:
            own = {told_by[poison], str(Booking.id_for(UUID(told_by[poison])))}
            of_others = [row for row in right[table.name] if mentions(row).isdisjoint(own)]
            assert [row for row in rows(conn)[table.name] if row in of_others] == of_others
        assert retry(conn, projection, mapper) == (0, len(waits))
        assert parked(conn, projection.name) == waits
    for each in VIEWS:
        retry(conn, each, mapper)
    assert (rows(conn), parked(conn, projection.name)) == (right, {})


def booking_of(conn: Connection[DictRow], position: int) -> str:
    (line,) = conn.execute("SELECT data FROM log WHERE position = %s", (position,)).fetchall()
    return str(line["data"].get("booking_id", UUID(int=0)))


def mentions(row: dict[str, Any]) -> set[str]:
    """Returns the ids whose history a row shows: its own, or its link's."""
    names = ("link_id", "calendar_id", "booking_id", "schedule_id")
    return {str(row.get(name)) for name in names if name in row}


@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_parking_is_right_for_any_unreadable_events_in_any_batches(
    desk: Desk, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    if not desk.services.event_store.head():
        everything_happens(desk)
    empty_all_views(conn)
    apply_all(conn)
    right = rows(conn)
    empty_all_views(conn)
    log = list(history_of_each(conn))
    # What an agenda's event is about can't be known when nothing of it can be read.
    spoilable = [p for p in log if not topic_at(conn, p).startswith("agenda.")]
    poison = data.draw(st.sets(st.sampled_from(spoilable), min_size=1, max_size=6))
    waits = {each.name: expected(conn, each, poison) for each in VIEWS}
    with monkeypatch.context() as sized, unreadable(conn, poison):
        sized.setattr(runner, "SMALLEST_BATCH", data.draw(st.sampled_from([1, 3, 500])))
        sized.setattr(batch, "RETRY_BATCH", data.draw(st.sampled_from([1, 500])))
        apply_all(conn)
        assert {each.name: parked(conn, each.name) for each in VIEWS} == waits
        for each in VIEWS:
            assert retry(conn, each, mapper) == (0, len(waits[each.name]))
        assert {each.name: parked(conn, each.name) for each in VIEWS} == waits
    for each in VIEWS:
        assert retry(conn, each, mapper) == (len(waits[each.name]), 0)
    assert rows(conn) == right


def topic_at(conn: Connection[DictRow], position: int) -> str:
    (line,) = conn.execute("SELECT topic FROM log WHERE position = %s", (position,)).fetchall()
    topic: str = line["topic"]
    return topic


def test_an_entirely_unreadable_agenda_event_parks_its_whole_day(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    everything_happens(desk)
    apply_all(conn)
    right = rows(conn)
    empty_all_views(conn)
    poison = position_of(conn, "agenda.slot_reserved")
    with unreadable(conn, {poison}):
        apply_all(conn)
        day = conn.execute(
            """SELECT position FROM log WHERE topic = 'agenda.slot_reserved' AND id =
            (SELECT id FROM log WHERE position = %s)""",
            (poison,),
        )
        waiting = parked(conn, "booking_calendar_v2")
        assert {row["position"] for row in day} <= waiting.keys()
    assert retry(conn, projection_named("booking_calendar"), mapper) == (len(waiting), 0)
    assert rows(conn) == right


# Facts that meet a table which is not as it should be


def a_row_that_is_there_already(conn: Connection[DictRow], link_id: UUID) -> Callable[[], object]:
    conn.execute(
        """INSERT INTO link_list_v3 VALUES (%(id)s, %(id)s, %(id)s, 1, 1, 1, now(), now())""",
        {"id": link_id},
    )
    return lambda: conn.execute("DELETE FROM link_list_v3 WHERE link_id = %s", (link_id,))


def a_value_that_is_refused(conn: Connection[DictRow], link_id: UUID) -> Callable[[], object]:
    check = f"CHECK (link_id <> '{link_id}')"
    conn.execute(f"ALTER TABLE link_list_v3 ADD CONSTRAINT refused {check}".encode())
    return lambda: conn.execute("ALTER TABLE link_list_v3 DROP CONSTRAINT refused")


@pytest.mark.parametrize(
    ("fault", "error"),
    [(a_row_that_is_there_already, "UniqueViolation"), (a_value_that_is_refused, "CheckViolation")],
)
def test_an_event_whose_row_is_refused_is_parked_until_the_row_is_accepted(
    desk: Desk,
    conn: Connection[DictRow],
    fault: Callable[[Connection[DictRow], UUID], Callable[[], object]],
    error: str,
) -> None:
    calendar_id = desk.new_calendar()
    refused, other = desk.new_link(calendar_id), desk.new_link(calendar_id)
    desk.redeem(refused)
    mend = fault(conn, refused)
    apply_all(conn)
    (told,) = errors(conn, LINKS.name)
    assert told.startswith(f"{error}: ")
    assert str(refused) not in told
    assert list(parked(conn, LINKS.name).values()) == [True, False]
    assert other in [row["link_id"] for row in rows(conn)["link_list_v3"]]
    mend()
    assert retry(conn, LINKS, mapper) == (2, 0)
    shown = {row["link_id"]: row["redeemed_at"] for row in rows(conn)["link_list_v3"]}
    assert (shown[refused] is None, shown[other] is None) == (False, True)


def test_an_event_about_a_missing_row_is_parked_until_the_row_exists(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id, other = desk.new_link(), desk.new_link()
    apply_all(conn)
    conn.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM link_list_v3")
    conn.execute("DELETE FROM link_list_v3 WHERE link_id = %s", (link_id,))
    desk.revoke(link_id)
    desk.revoke(other)
    apply_all(conn)
    assert errors(conn, LINKS.name) == ["RowMissing: 1 of 1 rows are not in link_list_v3"]
    assert [row["revoked_at"] is None for row in rows(conn)["link_list_v3"]] == [False]
    conn.execute("INSERT INTO link_list_v3 SELECT * FROM kept WHERE link_id = %s", (link_id,))
    assert retry(conn, LINKS, mapper) == (1, 0)
    assert [row["revoked_at"] is None for row in rows(conn)["link_list_v3"]] == [False, False]


def test_text_that_postgresql_cannot_hold_is_parked_with_the_reason(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    desk.new_calendar()
    kept = desk.new_calendar()
    position = position_of(conn, "calendar.created")
    (row,) = conn.execute(
        "SELECT state FROM stored_events WHERE notification_id = %s", (position,)
    ).fetchall()
    with unreadable(conn, {position}, row["state"].replace(b"Intro", b"In\\u0000tro")):
        apply_all(conn)
        assert errors(conn, CALENDARS.name)[0].startswith("UntranslatableCharacter: ")
        assert [row["calendar_id"] for row in rows(conn)["calendar_list_v2"]] == [kept]
    assert retry(conn, CALENDARS, mapper) == (1, 0)


def test_a_fault_of_the_projection_itself_is_parked_like_any_other(
    desk: Desk, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("not thought of")

    desk.revoke(desk.new_link())
    with monkeypatch.context() as breaking:
        breaking.setitem(LINKS.handlers, "link.revoked", broken)
        apply_all(conn)
    assert errors(conn, LINKS.name) == ["RuntimeError: not thought of"]
    assert retry(conn, LINKS, mapper) == (1, 0)


# Trying again


def test_events_after_a_parked_one_of_their_history_are_applied_in_order(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link()
    poison = position_of(conn, "link.issued")
    with unreadable(conn, {poison}):
        apply_all(conn)
    desk.redeem(link_id)
    apply_all(conn)
    assert list(parked(conn, LINKS.name).values()) == [True, False]
    assert retry(conn, LINKS, mapper) == (2, 0)
    assert [row["redeemed_at"] is None for row in rows(conn)["link_list_v3"]] == [False]


def test_a_retry_that_gets_further_parks_the_next_event_that_fails(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    link_id = desk.new_link()
    desk.revoke(link_id)
    issued, revoked = position_of(conn, "link.issued"), position_of(conn, "link.revoked")
    with unreadable(conn, {revoked}):
        with unreadable(conn, {issued}):
            apply_all(conn)
            assert parked(conn, LINKS.name) == {issued: True, revoked: False}
        assert retry(conn, LINKS, mapper) == (1, 1)
        assert parked(conn, LINKS.name) == {revoked: True}
        mine = "SELECT attempts FROM parked_events WHERE generation = %s"
        (row,) = conn.execute(mine, (LINKS.name,)).fetchall()
        assert row["attempts"] == 2


def test_a_retry_that_is_killed_before_its_end_has_done_nothing(
    desk: Desk, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    desk.new_link()
    poison = position_of(conn, "link.issued")
    with unreadable(conn, {poison}):
        apply_all(conn)
    with monkeypatch.context() as dying:
        dying.setattr(parking, "release", die)
        with pytest.raises(Killed):
            retry(conn, LINKS, mapper)
    assert rows(conn)["link_list_v3"] == []
    assert parked(conn, LINKS.name) == {poison: True}
    assert retry(conn, LINKS, mapper) == (1, 0)


def test_parking_and_position_are_kept_together_or_not_at_all(
    desk: Desk, conn: Connection[DictRow], conninfo: str
) -> None:
    desk.new_link()
    poison = position_of(conn, "link.issued")
    with unreadable(conn, {poison}):
        with (
            psycopg.connect(conninfo) as rival,
            rival.cursor() as cursor,
        ):
            # Somebody who parks the same event at this moment makes the first attempt wait.
            cursor.execute("LOCK TABLE parked_events IN EXCLUSIVE MODE")
            conn.execute("SET lock_timeout = '20ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                apply_all(conn)
        assert parked(conn, LINKS.name) == {}
        apply_all(conn)
        assert parked(conn, LINKS.name) == {poison: True}


def test_thousands_of_parked_events_are_retried_in_batches(
    desk: Desk, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar_id = desk.new_calendar()
    link_ids = [desk.new_link(calendar_id) for _ in range(7)]
    where = [p for p in history_of_each(conn) if topic_at(conn, p) == "link.issued"]
    sizes = []

    def counting(conn: Connection[DictRow], wanted: list[int]) -> Any:
        sizes.append(len(wanted))
        return event_log.read_at(conn, wanted)

    monkeypatch.setattr(batch, "RETRY_BATCH", 3)
    monkeypatch.setattr(batch, "read_at", counting)
    with unreadable(conn, where):
        apply_all(conn)
        assert retry(conn, LINKS, mapper) == (0, 7)
    assert retry(conn, LINKS, mapper) == (7, 0)
    assert sizes == [3, 3, 1] * 2
    assert {row["link_id"] for row in rows(conn)["link_list_v3"]} == set(link_ids)


def test_the_status_says_how_many_are_parked_and_how_many_wait(
    desk: Desk, conn: Connection[DictRow]
) -> None:
    desk.redeem(desk.new_link())
    with unreadable(conn, {position_of(conn, "link.issued")}):
        apply_all(conn)
        found = {view.name: view for view in statuses(desk.services.database)}
        assert (found[LINKS.name].parked, found[LINKS.name].waiting) == (1, 1)
        assert found[LINKS.name].state == "parked"
        assert found[LINKS.name].lag_events == 0
        assert found[CALENDARS.name].state == "live"
    retry(conn, LINKS, mapper)
    found = {view.name: view for view in statuses(desk.services.database)}
    assert (found[LINKS.name].parked, found[LINKS.name].state) == (0, "live")
