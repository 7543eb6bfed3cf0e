"""A rebuild while others read, write and project."""

from threading import Event, Thread
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from projections.catalogue import CATALOGUE, REACTIONS
from projections.engine import positions
from projections.rebuild import jobs, rebuild
from projections.rebuild.rebuild import NotSwitched, Rebuild
from projections.views.link_list import links_of
from tests.projections.rebuild.rebuilds import LINKS, rebuilt, states, take, tamper
from tests.projections.unreadable_events import NAMES, Views, empty_all_views, rows
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import NOW, OWNER
from tests.support.projector import apply_all, running_projector

# Beside the others


def test_a_live_view_that_nobody_brings_up_to_date_is_replaced_at_once_without_a_comparison(
    desk: Desk, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sleep(_: float) -> None:
        pytest.fail("it waits for the live view")

    monkeypatch.setattr(rebuild, "sleep", sleep)
    everything_happens(desk)
    for done in rebuilt(conninfo):
        assert (done.state, done.differing, done.rows) == ("done", None, None)
    shown = rows(conn)
    head = desk.services.event_store.head()
    views = {projection.name: head for projection in CATALOGUE}
    assert positions.positions_of(conn) == views | {reaction.name: 0 for reaction in REACTIONS}
    apply_all(conn)
    assert rows(conn) == shown
    assert all(shown.values())


def test_a_live_view_without_a_projector_is_compared_at_its_own_position(
    right: Views, desk: Desk, conn: Connection[DictRow], conninfo: str
) -> None:
    late: list[object] = []

    def write_more(found: Any) -> None:
        if found[0].state == "comparing" and not late:
            late.append(desk.new_link())
            apply_all(conn)

    (done,) = rebuilt(conninfo, "link_list", report=write_more)
    assert done.differing == 0
    assert late[0] in [row["link_id"] for row in rows(conn)["link_list_v3"]]


def test_events_that_the_live_view_has_applied_just_before_the_switch_are_in_the_new_one(
    right: Views,
    desk: Desk,
    conn: Connection[DictRow],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late: list[UUID] = []
    switch_now = Rebuild._switch_now

    def delayed(*args: Any) -> None:
        late.append(desk.new_link())
        apply_all(conn)
        switch_now(*args)

    monkeypatch.setattr(Rebuild, "_switch_now", delayed)
    rebuilt(conninfo, "link_list")
    assert late[0] in [row["link_id"] for row in rows(conn)["link_list_v3"]]


def test_a_long_read_of_the_old_view_delays_only_the_switch(
    right: Views,
    desk: Desk,
    conn: Connection[DictRow],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebuild, "PAUSE_SECONDS", 0.05)
    tamper(conn)
    refused = Event()
    switch_now = Rebuild._switch_now

    def noticing(*args: Any) -> None:
        try:
            switch_now(*args)
        except psycopg.errors.LockNotAvailable:
            refused.set()
            raise

    monkeypatch.setattr(Rebuild, "_switch_now", noticing)
    with psycopg.connect(conninfo) as reader:
        reader.execute("SELECT FROM link_list_v3")
        rebuilding = Thread(target=rebuilt, args=(conninfo, "link_list"))
        rebuilding.start()
        try:
            for _ in range(20):
                assert refused.wait(30)
                refused.clear()
                assert desk.services.database.fetch_all("SELECT * FROM link_list_v3")
                desk.new_link()
                apply_all(conn)
            assert states(conn) == ["switching"]
            assert rows(conn)["link_list_v3_bookings"] == []
        finally:
            reader.rollback()
            rebuilding.join()
    assert states(conn) == ["done"]
    assert rows(conn)["link_list_v3_bookings"] == right["link_list_v3_bookings"]
    assert len(rows(conn)["link_list_v3"]) == len(right["link_list_v3"]) + 20


def test_a_switch_that_readers_block_is_given_up_and_finished_later(
    right: Views, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tamper(conn)
    with psycopg.connect(conninfo) as reader, monkeypatch.context() as hurried:
        hurried.setattr(rebuild, "SWITCH_SECONDS", 0.0)
        reader.execute("SELECT FROM link_list_v3")
        with pytest.raises(NotSwitched):
            rebuilt(conninfo, "link_list")
    failed = jobs.newest(conn)[LINKS.name]
    assert (failed.state, failed.progress < 1.0) == ("failed", False)
    (done,) = rebuilt(conninfo, "link_list")
    assert done.id == failed.id
    assert rows(conn)["link_list_v3"] == right["link_list_v3"]


def test_readers_never_see_an_error_or_an_empty_or_older_view(
    right: Views, desk: Desk, conn: Connection[DictRow], conninfo: str
) -> None:
    database = desk.services.database
    issued = len(right["link_list_v3"])
    seen: list[int] = []
    wrong: list[object] = []
    stop = Event()

    def read() -> None:
        newest = issued
        while not stop.is_set():
            # Prepared by the fifth time, and joined with a second table of the view.
            links = links_of(database, OWNER, now=NOW, limit=1000)
            booked = sum(link.booking is not None for link in links)
            if booked != BOOKED or len(links) < newest:
                wrong.append((booked, len(links), newest))
            newest = len(links)
            seen.append(newest)

    issued = len(links_of(database, OWNER, now=NOW, limit=1000))
    readers = [Thread(target=read) for _ in range(4)]
    with running_projector(conninfo):
        for reader in readers:
            reader.start()
        for _ in range(5):
            desk.new_link()
            rebuilt(conninfo)
        stop.set()
        for reader in readers:
            reader.join()
        desk.new_link()
        head = desk.services.event_store.head()
        positions.wait_for(database, NAMES, head, seconds=30)
    assert wrong == []
    assert len(seen) > 20
    assert len(links_of(database, OWNER, now=NOW, limit=1000)) == issued + 6


BOOKED = 3
"""The bookings of `OWNER` in the story."""


def test_a_rebuild_during_writes_ends_with_the_rows_of_the_log(
    desk: Desk, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(monkeypatch, 100)
    stop = Event()
    everything_happens(desk)

    def write() -> None:
        while not stop.wait(0.005):
            desk.revoke(desk.new_link())

    writer = Thread(target=write)
    with running_projector(conninfo):
        writer.start()
        try:
            done = [generation for _ in range(3) for generation in rebuilt(conninfo)]
        finally:
            stop.set()
            writer.join()
        positions.wait_for(
            desk.services.database, NAMES, desk.services.event_store.head(), seconds=30
        )
    assert {generation.differing for generation in done} == {0}
    shown = rows(conn)
    empty_all_views(conn)
    apply_all(conn)
    assert rows(conn) == shown
