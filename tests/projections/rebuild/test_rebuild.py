"""A rebuild gives the same rows as the live view, one rebuild at a time."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import advisory_locks
from application.eventstore.advisory_locks import is_held
from projections.catalogue import CATALOGUE
from projections.engine import positions
from projections.engine.batch import retry
from projections.rebuild import jobs, rebuild
from projections.rebuild.jobs import REBUILD, VERIFY, RebuildRunning
from tests.benchmarks.long_log import fill
from tests.projections.rebuild.rebuilds import (
    LINKS,
    Killed,
    die,
    mapper,
    rebuilt,
    schemas,
    shape,
    states,
    take,
    tamper,
)
from tests.projections.unreadable_events import (
    GARBLED,
    NAMES,
    TABLES,
    VIEWS,
    Views,
    empty_all_views,
    expected,
    parked,
    rows,
    set_state,
    unreadable,
)
from tests.support.desk import Desk
from tests.support.log_trigger import writable_log
from tests.support.projector import apply_all
from tests.support.waiting import wait_until


def test_a_view_built_anew_has_the_same_rows_and_the_same_shape(
    right: Views, conn: Connection[DictRow], conninfo: str
) -> None:
    before = shape(conn)
    assert len(before) == len(TABLES)
    done = rebuilt(conninfo)
    assert (rows(conn), shape(conn)) == (right, before)
    head = max(positions.positions_of(conn).values())
    assert set(positions.positions_of(conn).values()) == {head}
    for generation in done:
        assert (generation.state, generation.differing, generation.error) == ("done", 0, None)
        assert generation.progress == 1.0
        assert generation.finished_at is not None
    built = {generation.name: generation.rows for generation in done}
    assert [built[projection.name] for projection in VIEWS] == [
        sum(len(right[table.name]) for table in projection.tables) for projection in VIEWS
    ]


@settings(
    deadline=None,
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 1500), batch=st.sampled_from([7, 100]))
def test_a_rebuilt_view_equals_the_live_one_for_any_log(
    conn: Connection[DictRow],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    count: int,
    batch: int,
) -> None:
    with writable_log(conn):
        conn.execute("DELETE FROM stored_events")
    empty_all_views(conn)
    fill(conninfo, count, seed=seed)
    apply_all(conn)
    followed = rows(conn)
    with monkeypatch.context() as sized:
        take(sized, 20 * batch)
        sized.setattr(rebuild, "_NEARLY_THERE", batch)
        done = rebuilt(conninfo)
    assert rows(conn) == followed
    assert [generation.differing for generation in done] == [0] * len(NAMES)


def test_rows_that_were_tampered_with_are_reported_and_replaced(
    right: Views, conn: Connection[DictRow], conninfo: str
) -> None:
    tamper(conn)
    calendars, schedules, links, bookings, tree = rebuilt(conninfo)
    assert schedules.differing == 0
    assert tree.differing == 0
    assert rows(conn) == right
    assert calendars.differing == len(right["calendar_list_v2"])
    assert links.differing == len(right["link_list_v3"]) + len(right["link_list_v3_bookings"])
    assert bookings.differing == 1
    assert calendars.differences is not None
    assert bookings.differences is not None
    for told in calendars.differences:
        assert (told["table"], told["live"]) == ("calendar_list_v2", {"version": 99})
        assert told["built"].keys() == {"version"}
    (extra,) = bookings.differences
    assert extra["built"] is None
    assert extra["live"]["booking_id"] == extra["key"]


def test_the_replaced_tables_remain_until_they_are_pruned(
    right: Views, conn: Connection[DictRow], conninfo: str
) -> None:
    before = schemas(conn, "retired_")
    tamper(conn)
    (done,) = rebuilt(conninfo, "calendar_list")
    conn.execute("SELECT set_config('search_path', %s, false)", (done.retired_schema,))
    assert {row["version"] for row in conn.execute("SELECT * FROM calendar_list_v2")} == {99}
    conn.execute("RESET search_path")
    rebuilt(conninfo, "calendar_list")
    assert schemas(conn, "retired_") == before + 2
    dropped = jobs.prune(conn, CATALOGUE)
    assert [words.partition(" as it was before ")[0] for words in dropped] == [done.name] * 2
    assert schemas(conn, "retired_") == before
    assert jobs.prune(conn, CATALOGUE) == []
    assert rows(conn)["calendar_list_v2"] == right["calendar_list_v2"]


# One at a time


@pytest.mark.parametrize("kind", [REBUILD, VERIFY])
def test_a_view_that_is_being_rebuilt_is_refused_to_everybody_else(
    right: Views,
    conn: Connection[DictRow],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    refused: list[type[Exception]] = []
    monkeypatch.setattr(jobs, "LOCK_SECONDS", 0.0)

    def meanwhile(_: object) -> None:
        if refused:
            return
        assert is_held(conn, advisory_locks.REBUILD, LINKS.name)
        assert not is_held(conn, advisory_locks.REBUILD, "calendar_list_v2")
        for attempt in (
            lambda: rebuilt(conninfo, "link_list"),
            lambda: rebuilt(conninfo),
            lambda: rebuilt(conninfo, "link_list", kind=VERIFY),
            lambda: jobs.request(conn, LINKS.name),
        ):
            try:
                attempt()
            except RebuildRunning as refusal:
                refused.append(type(refusal))

    rebuilt(conninfo, "link_list", kind=kind, report=meanwhile)
    assert refused == [RebuildRunning] * 4
    wait_until(lambda: not is_held(conn, advisory_locks.REBUILD, LINKS.name))
    assert states(conn) == ["done"]
    monkeypatch.undo()
    rebuilt(conninfo)
    assert rows(conn) == right


def test_a_rebuild_is_requested_once_and_done_by_whoever_comes_first(
    right: Views, conn: Connection[DictRow], conninfo: str
) -> None:
    asked = jobs.request(conn, LINKS.name)
    assert (asked.state, asked.by_projector) == ("waiting", True)
    assert jobs.request(conn, LINKS.name) == asked
    assert jobs.waiting(conn) == [asked]
    (done,) = rebuilt(conninfo, "link_list")
    assert done.id == asked.id
    assert jobs.waiting(conn) == []
    wait_until(lambda: not is_held(conn, advisory_locks.REBUILD, LINKS.name))
    assert jobs.request(conn, LINKS.name).id != asked.id


def test_a_verification_leaves_a_requested_rebuild_alone(
    right: Views, conn: Connection[DictRow], conninfo: str
) -> None:
    asked = jobs.request(conn, LINKS.name)
    (verified,) = rebuilt(conninfo, "link_list", kind=VERIFY)
    assert (verified.kind, verified.state, verified.differing) == (VERIFY, "done", 0)
    assert jobs.waiting(conn) == [asked]
    assert jobs.newest(conn)[LINKS.name] == asked


@pytest.mark.parametrize("kind", [REBUILD, VERIFY])
def test_a_killed_rebuild_does_not_block_a_new_request(
    right: Views, conn: Connection[DictRow], conninfo: str, kind: str
) -> None:
    before = schemas(conn, "rebuild_")
    with pytest.raises(Killed):
        rebuilt(conninfo, "link_list", kind=kind, report=die)
    left = jobs.newest(conn)[LINKS.name]
    asked = jobs.request(conn, LINKS.name)
    assert (asked.id == left.id, asked.kind) == (kind == REBUILD, REBUILD)
    rebuilt(conninfo, "link_list")
    assert schemas(conn, "rebuild_") == before


# Poison


def test_events_parked_during_a_rebuild_stay_parked_after_the_switch(
    right: Views, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(monkeypatch, 10)
    (line,) = conn.execute("SELECT min(position) AS at FROM log WHERE topic = 'link.issued'")
    poison: int = line["at"]
    waits = expected(conn, LINKS, {poison})
    assert len(waits) > 1
    live: list[dict[int, bool]] = []
    with unreadable(conn, {poison}):
        (done,) = rebuilt(
            conninfo, "link_list", report=lambda _: live.append(parked(conn, LINKS.name))
        )
        assert live[0] == {}
        assert done.differing is not None
        assert done.differing > 0
        assert parked(conn, LINKS.name) == waits
        rebuilt(conninfo, "link_list")
        assert parked(conn, LINKS.name) == waits
        generation = "SELECT DISTINCT generation FROM parked_events"
        assert [row["generation"] for row in conn.execute(generation)] == [LINKS.name]
    assert retry(conn, LINKS, mapper) == (len(waits), 0)
    assert rows(conn) == right


def test_a_rebuild_applies_events_that_the_live_view_had_parked(
    desk: Desk, conn: Connection[DictRow], conninfo: str
) -> None:
    link_id = desk.new_link()
    (line,) = conn.execute(
        "SELECT notification_id AS at, state FROM stored_events WHERE topic = 'link.issued'"
    ).fetchall()
    with writable_log(conn):
        set_state(conn, line["at"], GARBLED)
    apply_all(conn)
    assert parked(conn, LINKS.name) == {line["at"]: True}
    with writable_log(conn):
        set_state(conn, line["at"], line["state"])
    rebuilt(conninfo, "link_list")
    assert parked(conn, LINKS.name) == {}
    assert [row["link_id"] for row in rows(conn)["link_list_v3"]] == [link_id]
