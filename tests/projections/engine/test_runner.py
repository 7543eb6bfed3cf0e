"""The runner keeps the views up through lost connections, stops and missing tables."""

import logging
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.mapper import JSONMapper
from application.eventstore.recorder import CHANNEL
from projections.catalogue import CATALOGUE
from projections.engine import positions, runner
from projections.engine.runner import Runner
from tests.support.database_proxy import Proxy
from tests.support.desk import Desk
from tests.support.every_event import everything_happens, view
from tests.support.projector import running_projector, start_projector
from tests.support.waiting import wait_until

NAMES = [projection.name for projection in CATALOGUE]
TABLES = [table.name for projection in CATALOGUE for table in projection.tables]
PATIENCE = 30.0


def shown(desk: Desk) -> None:
    """Returns once all views show the whole log."""
    head = desk.services.event_store.head()
    positions.wait_for(desk.services.database, NAMES, head, seconds=PATIENCE)


def projectors(desk: Desk, *, at_work: bool | None = None) -> list[int]:
    """Returns the server processes of runners: all, or those at work, or those standing by."""
    rows = desk.services.database.fetch_all(
        """SELECT a.pid, bool_or(l.pid IS NOT NULL) AS at_work FROM pg_stat_activity a
        LEFT JOIN pg_locks l ON l.pid = a.pid AND locktype = 'advisory' AND granted
        WHERE application_name = 'admitone projector' AND datname = current_database()
        GROUP BY a.pid"""
    )
    return [row["pid"] for row in rows if at_work in (None, row["at_work"])]


def write_without_a_word(conn: Connection[DictRow], topic: str = "link.issued") -> int:
    """Appends a copy of an event with another topic and without NOTIFY; returns its position."""
    (row,) = conn.execute(
        """INSERT INTO stored_events (originator_id, originator_version, topic, state)
        SELECT gen_random_uuid(), 1, %s, state FROM stored_events WHERE topic = 'link.issued'
        ORDER BY notification_id LIMIT 1 RETURNING notification_id""",
        (topic,),
    ).fetchall()
    position: int = row["notification_id"]
    return position


# At work


def test_a_runner_applies_earlier_and_new_events(desk: Desk, conninfo: str) -> None:
    everything_happens(desk)
    with running_projector(conninfo):
        shown(desk)
        link_id = desk.new_link()
        shown(desk)
    assert link_id in [row["link_id"] for row in view(desk.services, "link_list_v3")]


def test_a_log_longer_than_a_batch_is_shown_in_full(
    desk: Desk,
    conn: Connection[DictRow],
    catch_up: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "SMALLEST_BATCH", 3)
    everything_happens(desk)
    catch_up()
    by_three = [view(desk.services, name) for name in TABLES]
    monkeypatch.undo()
    for name in TABLES:
        conn.execute(f"TRUNCATE {name}")
    for name in NAMES:
        positions.advance(conn, name, 0)
    catch_up()
    assert [view(desk.services, name) for name in TABLES] == by_three


def test_what_was_written_without_notify_is_found_by_polling(
    desk: Desk, conn: Connection[DictRow], conninfo: str
) -> None:
    desk.new_link()
    with running_projector(conninfo):
        shown(desk)
        position = write_without_a_word(conn)
        shown(desk)
    assert positions.all_positions(desk.services.database)["link_list_v3"] == position


def test_notify_shortens_the_wait(
    desk: Desk, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "POLL_SECONDS", 10 * PATIENCE)
    with running_projector(conninfo) as stop:
        desk.new_link()
        shown(desk)
        desk.new_link()
        shown(desk)
        stop.set()
        conn.execute(f"NOTIFY {CHANNEL}")


# Connections


def test_a_runner_whose_connection_is_cut_connects_again_and_goes_on(
    desk: Desk, conn: Connection[DictRow], conninfo: str
) -> None:
    with running_projector(conninfo):
        for _ in range(2):
            (cut,) = projectors(desk, at_work=True)
            conn.execute("SELECT pg_terminate_backend(%s)", (cut,))
            desk.new_link()
            shown(desk)
            wait_until(lambda: projectors(desk, at_work=True))
            assert projectors(desk, at_work=True) != [cut]


def test_a_runner_whose_network_falls_silent_connects_again_and_catches_up(
    desk: Desk, conninfo: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxy = Proxy(conninfo)
    try:
        with running_projector(proxy.conninfo):
            before = projectors(desk, at_work=True)
            with proxy.silence():
                desk.new_link()
                wait_until(lambda: "connecting again" in caplog.text)
            shown(desk)
            wait_until(lambda: projectors(desk, at_work=True) not in ([], before))
    finally:
        proxy.close()


def test_a_runner_that_stands_still_loses_its_place_to_one_that_stands_by(
    desk: Desk, conninfo: str, tmp_path: Path
) -> None:
    with start_projector(conninfo, tmp_path) as first:
        try:
            before = projectors(desk, at_work=True)
            desk.new_link()
            shown(desk)
            first.send_signal(signal.SIGSTOP)
            with running_projector(conninfo):
                assert projectors(desk, at_work=True) not in ([], before)
                desk.new_link()
                shown(desk)
        finally:
            first.kill()


def test_a_runner_that_finds_no_server_keeps_trying_and_says_so_once(
    conninfo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    proxy = Proxy(conninfo)
    try:
        proxy.refuse()
        with running_projector(proxy.conninfo, may_stand_by=True):
            wait_until(lambda: proxy.refused > 2)
            proxy.accept()
            wait_until(lambda: "connected again after" in caplog.text)
    finally:
        proxy.close()
    assert caplog.text.count("connecting again") == 1


def test_a_second_runner_stands_by_and_takes_over_when_the_first_ends(
    desk: Desk, conninfo: str
) -> None:
    with running_projector(conninfo) as stop_first:
        (first,) = projectors(desk, at_work=True)
        with running_projector(conninfo, may_stand_by=True):
            wait_until(lambda: projectors(desk, at_work=False))
            desk.new_link()
            shown(desk)
            assert projectors(desk, at_work=True) == [first]
            stop_first.set()
            wait_until(lambda: first not in projectors(desk))
            desk.new_link()
            shown(desk)
            wait_until(lambda: projectors(desk, at_work=True))
        wait_until(lambda: projectors(desk) == [])


def test_runners_stop_both_at_work_and_standing_by(desk: Desk, conninfo: str) -> None:
    with (
        running_projector(conninfo, may_stand_by=True),
        running_projector(conninfo, may_stand_by=True),
    ):
        wait_until(lambda: projectors(desk, at_work=True) and projectors(desk, at_work=False))
    wait_until(lambda: projectors(desk) == [])


# What cannot be applied


def test_a_view_whose_table_is_gone_stands_still_and_the_others_go_on(
    desk: Desk, conn: Connection[DictRow], conninfo: str, caplog: pytest.LogCaptureFixture
) -> None:
    tried = Runner(conninfo, CATALOGUE, JSONMapper())

    def seen() -> list[int]:
        while tried.catch_up(conn):
            pass
        now = positions.all_positions(desk.services.database)
        return [now[projection.name] for projection in CATALOGUE]

    conn.execute("ALTER TABLE calendar_list_v2 RENAME TO mislaid")
    try:
        everything_happens(desk)
        head = desk.services.event_store.head()
        assert seen() == [0, *[head] * (len(NAMES) - 1)]
        assert list(tried.stuck) == ["calendar_list_v2"]
        assert "does not exist" in tried.stuck["calendar_list_v2"]
        assert seen() == [0, *[head] * (len(NAMES) - 1)]
        assert [record.message.partition(":")[0] for record in caplog.records] == [
            "calendar_list_v2 is stuck"
        ]
    finally:
        conn.execute("ALTER TABLE mislaid RENAME TO calendar_list_v2")
    assert seen() == [head] * len(NAMES)
    assert tried.stuck == {}
    assert conn.execute("SELECT FROM parked_events").fetchall() == []
