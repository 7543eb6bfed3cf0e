"""A rebuild that is killed anywhere is finished by the next."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.connection import connect
from domain.link import SingleUseLink
from projections.catalogue import CATALOGUE
from projections.engine.projection import applies
from projections.engine.tables import Rows, Table
from projections.rebuild import jobs, rebuild
from projections.rebuild.rebuild import Rebuild
from projections.views.link_list import LINKS as LINK_LIST
from projections.views.link_list import LinkList
from tests.projections.rebuild.rebuilds import (
    LINKS,
    Killed,
    die,
    mapper,
    rebuilt,
    states,
    take,
    tamper,
)
from tests.projections.unreadable_events import VIEWS, Views, rows

# Killed on the way


class Mortal(psycopg.Connection[DictRow]):
    """A connection of a process that is killed at one of its round trips to the server."""

    left = 0
    after = False

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        Mortal.left -= 1
        if Mortal.left < 0 or (Mortal.left == 0 and not Mortal.after):
            raise Killed
        answer = super().wait(*args, **kwargs)
        if Mortal.left == 0:
            raise Killed
        return answer


class MortalRebuild(Rebuild):
    def _connect(self) -> Connection[DictRow]:
        return connect(
            self._conninfo,
            application_name="admitone rebuild",
            settings=rebuild._SETTINGS,
            kind=Mortal,
        )


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_rebuild_killed_at_any_round_trip_is_finished_by_the_next(
    right: Views,
    conn: Connection[DictRow],
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
    after: bool,
) -> None:
    take(monkeypatch, 20)
    monkeypatch.setattr(rebuild, "_NEARLY_THERE", 1)
    plenty = 10_000
    monkeypatch.setattr(Mortal, "left", plenty)
    monkeypatch.setattr(Mortal, "after", after)
    MortalRebuild(conninfo, CATALOGUE, mapper).run()
    whole = plenty - Mortal.left
    killed_at = set()
    for left in range(1, whole, whole // 18):
        tamper(conn)
        tampered = rows(conn)
        Mortal.left = left
        with pytest.raises(Killed):
            MortalRebuild(conninfo, CATALOGUE, mapper).run()
        killed_at.add(tuple(sorted(set(states(conn)) - {"done"})))
        now = rows(conn)
        for projection in VIEWS:
            shown = [now[table.name] for table in projection.tables]
            assert shown in (
                [tampered[table.name] for table in projection.tables],
                [right[table.name] for table in projection.tables],
            )
        rebuilt(conninfo)
        assert rows(conn) == right
        assert set(states(conn)) == {"done"}
        assert conn.execute("SELECT FROM parked_events").fetchall() == []
        jobs.prune(conn, CATALOGUE)
    assert {("building",), ("switching",)} <= killed_at | {
        (state,) for states in killed_at for state in states
    }


def test_an_interrupted_rebuild_is_resumed_where_it_stopped(
    right: Views, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(monkeypatch, 10)
    log = sum(1 for _ in conn.execute("SELECT FROM stored_events"))

    def die_after(found: Any) -> None:
        if found[0].events >= 20:
            raise Killed

    with pytest.raises(Killed):
        rebuilt(conninfo, report=die_after)
    begun = jobs.newest(conn)
    assert {generation.state for generation in begun.values()} == {"building"}
    assert all(20 <= generation.events < log for generation in begun.values())
    for done in rebuilt(conninfo):
        assert done.id == begun[done.name].id
        assert done.events == log
    assert rows(conn) == right


def test_views_of_one_rebuild_may_be_at_different_positions(
    right: Views, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(monkeypatch, 10)
    with pytest.raises(Killed):
        rebuilt(conninfo, "link_list", report=die)
    assert states(conn) == ["building"]
    take(monkeypatch, 7)
    assert {done.differing for done in rebuilt(conninfo)} == {0}
    assert rows(conn) == right


# Resumed only by the code that began it


class FaultyLinkList(LinkList):
    """A projection with a fault: it says that a link was issued a day late."""

    @applies(SingleUseLink.Issued)
    def issued_late(self, event: SingleUseLink.Issued, rows: Rows) -> None:
        LinkList.handlers[event.TOPIC](self, event, rows)
        rows.change(LINK_LIST, event.originator_id).issued_at += timedelta(days=1)


def test_a_rebuild_that_other_code_began_starts_over(
    right: Views, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(monkeypatch, 10)
    with pytest.raises(Killed):
        Rebuild(conninfo, [FaultyLinkList()], mapper, report=die).run()
    begun = jobs.newest(conn)[LINKS.name]
    assert begun.position > 0
    (done,) = rebuilt(conninfo, "link_list")
    assert (done.id, done.events, done.differing) == (begun.id, len(log(conn)), 0)
    assert rows(conn) == right


def test_a_rebuild_with_tables_of_other_columns_starts_over(
    right: Views, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass
    class EarlierRow:
        link_id: UUID

    with monkeypatch.context() as earlier:
        earlier.setattr(LinkList, "tables", [Table("link_list_v3", EarlierRow)])
        earlier.setattr(LinkList, "handlers", {})
        with pytest.raises(Killed):
            rebuilt(conninfo, "link_list", report=die)
    assert {done.differing for done in rebuilt(conninfo, "link_list")} == {0}
    assert rows(conn) == right


def test_a_fresh_rebuild_starts_over(
    right: Views, conn: Connection[DictRow], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(monkeypatch, 10)
    with pytest.raises(Killed):
        rebuilt(conninfo, "link_list", report=die)
    begun = jobs.newest(conn)[LINKS.name]
    with conn.transaction():
        jobs.enter(conn, begun)
        conn.execute("UPDATE link_list_v3 SET issued_at = now()")
    (done,) = rebuilt(conninfo, "link_list", fresh=True)
    assert (done.id, done.events, done.differing) == (begun.id, len(log(conn)), 0)


def log(conn: Connection[DictRow]) -> list[DictRow]:
    return conn.execute("SELECT position FROM log").fetchall()


def test_a_connection_that_is_terminated_is_stored_as_the_failure(
    right: Views, conn: Connection[DictRow], conninfo: str
) -> None:
    def cut(_: object) -> None:
        conn.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'admitone rebuild' AND datname = current_database()"""
        )

    with pytest.raises(psycopg.OperationalError):
        rebuilt(conninfo, "link_list", report=cut)
    failed = jobs.newest(conn)[LINKS.name]
    assert failed.state == "failed"
    assert failed.error is not None
    assert "terminating connection" in failed.error
    (done,) = rebuilt(conninfo, "link_list")
    assert (done.id, done.error) == (failed.id, None)
    assert rows(conn) == right
