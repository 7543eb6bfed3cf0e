"""A small round is written at once, and the careful way wherever something is not as remembered."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import Event, Thread
from typing import Any, cast

import psycopg
import pytest
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, dict_row

from application.eventstore.event_log import read_at
from application.eventstore.pipeline import Pipeline, Query
from application.eventstore.recorder import CHANNEL
from projections.catalogue import FOLLOWERS
from projections.engine import batch, parking, positions, runner
from projections.engine.batch import retry
from projections.engine.projection import Projection
from projections.engine.runner import BUSY_ROUNDS, Runner
from projections.views.link_list import LinkList
from projections.views.transparency_log import TILES
from tests.projections.unreadable_events import (
    TABLES,
    Views,
    empty_all_views,
    parked,
    rows,
    unreadable,
)
from tests.support.desk import ALWAYS_OPEN, Desk, minutes
from tests.support.every_event import everything_happens
from tests.support.examples import NOW
from tests.support.plans import JOINS_OF_ALL, prepared_plans, scans_of_all
from tests.support.projector import MAPPER, apply_all
from tests.support.waiting import wait_until

NAMES = [each.name for each in FOLLOWERS]
LINKS = LinkList()
MOST_STATEMENTS = 9


@pytest.fixture
def at_work(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Runner, Connection[DictRow]]]:
    """A runner and the connection that it works on, which may be idle while a test does more."""
    patient = dict.fromkeys(("idle_session_timeout", "idle_in_transaction_session_timeout"), "0")
    monkeypatch.setattr(runner, "_SETTINGS", runner._SETTINGS | patient)
    made = Runner(conninfo, FOLLOWERS, MAPPER)
    with made._connect() as working:
        yield made, working


@pytest.fixture
def careful(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of views that are written by themselves, in their order."""
    names: list[str] = []

    def noted(conn: Connection[DictRow], projection: Projection, events: batch.Batch) -> None:
        names.append(projection.name)
        batch.apply(conn, projection, events)

    monkeypatch.setattr(runner, "apply", noted)
    return names


def deliveries(conn: Connection[DictRow]) -> list[dict[str, Any]]:
    """Returns all deliveries but for their random ids."""
    return conn.execute(
        "SELECT channel, kind, audience, fact, due_at, state FROM deliveries ORDER BY 4, 2, 3"
    ).fetchall()


def everything(conn: Connection[DictRow]) -> tuple[Views, list[Any], list[Any], list[Any]]:
    """Returns the rows of all views, the tiles, the positions and the deliveries."""
    tiles = conn.execute("SELECT * FROM transparency_log_v1 ORDER BY tile").fetchall()
    reached = [positions.positions_of(conn)[name] for name in NAMES]
    return rows(conn), tiles, reached, deliveries(conn)


def link_ids(conn: Connection[DictRow]) -> set[Any]:
    return {row["link_id"] for row in rows(conn)[LINKS.name]}


def test_rounds_at_once_come_out_row_for_row_like_those_of_each_view_by_itself(
    desk: Desk,
    conn: Connection[DictRow],
    at_work: tuple[Runner, Connection[DictRow]],
    careful: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything_happens(desk)
    working, its_own = at_work
    with monkeypatch.context() as small:
        small.setattr(runner, "SMALLEST_BATCH", 3)
        working._batch_size = 3
        while working.catch_up(its_own):
            pass
    assert careful == []
    at_once = everything(conn)
    assert all(at_once[0].values())
    empty_all_views(conn)
    for each in FOLLOWERS:
        positions.advance(conn, each.name, 0)
    conn.execute("DELETE FROM deliveries")
    monkeypatch.setattr(runner, "MOST_AT_ONCE", 0)
    apply_all(conn)
    assert set(careful) == set(NAMES)
    assert everything(conn) == at_once


def test_a_round_takes_as_many_statements_for_twenty_bookings_as_for_one(
    desk: Desk,
    at_work: tuple[Runner, Connection[DictRow]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    working, its_own = at_work
    calendar_id = desk.new_calendar(**ALWAYS_OPEN)
    desk.redeem(desk.new_link(calendar_id), NOW + minutes(60))
    working.catch_up(its_own)
    executed: list[object] = []
    execute, transact = Cursor.execute, Pipeline.transact

    def counted(cursor: Cursor[Any], query: Any, *values: Any, **options: Any) -> Cursor[Any]:
        executed.append(query)
        return execute(cursor, query, *values, **options)

    def sent(pipeline: Pipeline, queries: Sequence[Query]) -> None:
        executed.extend(query.sql for query in queries)
        transact(pipeline, queries)

    def statements_of_a_round(bookings: int, at: int) -> int:
        for number in range(bookings):
            desk.redeem(desk.new_link(calendar_id), NOW + minutes(60 * (at + number)))
        with monkeypatch.context() as counting:
            counting.setattr(Cursor, "execute", counted)
            counting.setattr(Pipeline, "transact", sent)
            executed.clear()
            assert working.catch_up(its_own) >= bookings * len(FOLLOWERS)
        return len(executed)

    one = statements_of_a_round(1, at=2)
    assert one <= MOST_STATEMENTS
    assert statements_of_a_round(20, at=3) == one


def test_a_view_that_somebody_else_has_moved_gets_nothing_twice(
    desk: Desk,
    conn: Connection[DictRow],
    at_work: tuple[Runner, Connection[DictRow]],
    careful: list[str],
) -> None:
    working, its_own = at_work
    calendar_id = desk.new_calendar()
    working.catch_up(its_own)
    first = desk.new_link(calendar_id)
    apply_all(conn)
    assert careful == []
    second = desk.new_link(calendar_id)
    working.catch_up(its_own)
    assert careful == NAMES
    assert link_ids(conn) == {first, second}
    third = desk.new_link(calendar_id)
    working.catch_up(its_own)
    assert careful == NAMES  # of the round before
    assert link_ids(conn) == {first, second, third}


def test_a_tree_that_is_not_as_remembered_is_read_again_before_it_grows(
    desk: Desk,
    conn: Connection[DictRow],
    at_work: tuple[Runner, Connection[DictRow]],
    careful: list[str],
) -> None:
    working, its_own = at_work
    calendar_id = desk.new_calendar()
    working.catch_up(its_own)
    (changed,) = conn.execute(
        """UPDATE transparency_log_v1 SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 255)
        RETURNING hashes"""
    ).fetchall()
    desk.new_link(calendar_id)
    working.catch_up(its_own)
    assert careful == NAMES
    (grown,) = conn.execute("SELECT hashes FROM transparency_log_v1").fetchall()
    assert grown["hashes"].startswith(changed["hashes"])
    assert len(grown["hashes"]) > len(changed["hashes"])


def test_an_event_waits_for_one_that_was_parked_since_the_round_before(
    desk: Desk,
    conn: Connection[DictRow],
    at_work: tuple[Runner, Connection[DictRow]],
    careful: list[str],
) -> None:
    working, its_own = at_work
    link_id = desk.new_link()
    issued = desk.services.event_store.head()
    working.catch_up(its_own)
    # As a rebuild leaves the view that could not apply the event.
    conn.execute("DELETE FROM link_list_v3")
    with unreadable(conn, {issued}):
        (event,) = read_at(conn, [issued])
        parking.park(conn, LINKS.name, event, ValueError("unreadable"))
    desk.redeem(link_id)
    working.catch_up(its_own)
    assert careful == NAMES
    assert list(parked(conn, LINKS.name).values()) == [True, False]
    assert retry(conn, LINKS, MAPPER) == (2, 0)
    assert [row["redeemed_at"] is None for row in rows(conn)[LINKS.name]] == [False]


def test_an_event_at_fault_is_parked_by_the_same_round_and_nothing_else_is_lost(
    desk: Desk,
    conn: Connection[DictRow],
    at_work: tuple[Runner, Connection[DictRow]],
    careful: list[str],
) -> None:
    working, its_own = at_work
    calendar_id = desk.new_calendar()
    working.catch_up(its_own)
    refused, other = desk.new_link(calendar_id), desk.new_link(calendar_id)
    conn.execute(
        "INSERT INTO link_list_v3 VALUES (%(id)s, %(id)s, %(id)s, 1, 1, 1, now(), now())",
        {"id": refused},
    )
    working.catch_up(its_own)
    assert careful == NAMES
    assert list(parked(conn, LINKS.name).values()) == [True]
    assert other in link_ids(conn)
    assert positions.positions_of(conn) == dict.fromkeys(
        positions.positions_of(conn), desk.services.event_store.head()
    )


def test_a_round_that_waits_for_the_lock_of_a_view_does_not_hold_up_who_replaces_its_tables(
    desk: Desk, conn: Connection[DictRow], conninfo: str
) -> None:
    calendar_id = desk.new_calendar()
    apply_all(conn)
    link_id = desk.new_link(calendar_id)
    with psycopg.connect(conninfo, row_factory=dict_row) as rival:
        positions.lock(rival, LINKS.name)
        round_ = Thread(target=apply_all, args=(conn,))
        round_.start()
        with psycopg.connect(conninfo, autocommit=True) as watching:
            wait_until(
                lambda: (
                    watching.execute(
                        "SELECT FROM pg_locks WHERE pid = %s AND NOT granted",
                        (conn.info.backend_pid,),
                    ).rowcount
                    == 1
                )
            )
        rival.execute("SET lock_timeout = '100ms'")
        for table in TABLES:
            rival.execute(f"LOCK TABLE {table.name} IN ACCESS EXCLUSIVE MODE".encode())
        rival.commit()
        round_.join()
    assert link_ids(conn) == {link_id}


def test_an_idle_runner_finds_views_that_were_emptied_behind_its_back(
    desk: Desk,
    conn: Connection[DictRow],
    at_work: tuple[Runner, Connection[DictRow]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.01)
    working, its_own = at_work
    link_id = desk.new_link()
    working.catch_up(its_own)
    empty_all_views(conn)
    for each in FOLLOWERS:
        positions.advance(conn, each.name, 0)
    assert working.catch_up(its_own) == 0
    working._wait_for_events(its_own)
    working.catch_up(its_own)
    assert link_ids(conn) == {link_id}


def test_no_plan_of_a_round_reads_all_of_a_table_that_grows(
    desk: Desk,
    conn: Connection[DictRow],
    at_work: tuple[Runner, Connection[DictRow]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The plans are made once, while PostgreSQL believes that the tables are as good as empty."""
    working, its_own = at_work
    everything_happens(desk)
    monkeypatch.setattr(runner, "SMALLEST_BATCH", 1)
    working._batch_size = 1
    while working.catch_up(its_own):
        pass
    views = [table.name for table in TABLES]
    growing = [*views, TILES.name, "stored_events", "parked_events", "deliveries"]
    planned = set()
    for statement, plan in prepared_plans(its_own):
        planned |= {table for table in growing if f" on {table}" in plan}
        assert [join for join in JOINS_OF_ALL if join in plan] == [], statement
        whole = [
            scan for scan in scans_of_all(plan) if any(f" on {each}" in scan for each in growing)
        ]
        assert whole == [], statement
    assert planned == set(growing)


class Script:
    """Stands in for the event that stops a runner: each of its pauses takes no time.

    In each it notes whether the runner listens, and then does the next one of `acts`.
    """

    def __init__(self, conn: Connection[DictRow], acts: Sequence[Callable[[], object]]) -> None:
        self._conn = conn
        self._acts = list(acts)
        self.heard: list[bool] = []

    def is_set(self) -> bool:
        """Returns True once there is nothing left to do."""
        return not self._acts

    def wait(self, seconds: float) -> None:
        """Stands for a pause between two rounds."""
        self.note()

    def note(self, *_: object) -> None:
        """Notes whether the runner listens, and does the next act."""
        rows = self._conn.execute("SELECT pg_listening_channels() AS channel")
        self.heard.append([row["channel"] for row in rows] == [CHANNEL])
        self._acts.pop(0)()


@pytest.mark.parametrize(
    ("busy_seconds", "heard"),
    [(3600.0, [*[True] * (BUSY_ROUNDS - 1), False, False, True, False]), (0.0, [True] * 8)],
)
def test_only_a_runner_that_is_not_busy_listens(
    busy_seconds: float,
    heard: list[bool],
    desk: Desk,
    at_work: tuple[Runner, Connection[DictRow]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At first each round finds a link, then one finds none, and the last one a link again."""
    monkeypatch.setattr(runner, "BUSY_SECONDS", busy_seconds)
    working, its_own = at_work
    issue, rest = partial(desk.new_link, desk.new_calendar()), partial(int)
    script = Script(its_own, [*[issue] * BUSY_ROUNDS, rest, issue, rest])
    monkeypatch.setattr(working, "_wait_for_events", script.note)
    issue()
    working._follow(its_own, cast("Event", script), 0.0)
    assert script.heard == heard


@pytest.mark.parametrize(
    ("is_busy", "took", "pause"),
    [
        (False, 0.002, 0.02),
        (False, 0.02, 0.005),
        (True, 0.002, 0.041),
        (True, 0.02, 0.005),
        (True, 1.0, 0.0),
    ],
)
def test_events_wait_for_the_next_round_no_longer_than_the_load_asks_for_and_never_45_ms(
    is_busy: bool, took: float, pause: float
) -> None:
    assert runner._pause_after(took, is_busy=is_busy) == pytest.approx(pause)
