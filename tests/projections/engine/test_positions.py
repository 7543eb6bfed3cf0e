"""The positions of views, and waiting until views reach one."""

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.eventstore.database import Database
from domain.errors import ViewBehind
from interface.bootstrap import Services
from projections.catalogue import CATALOGUE, FOLLOWERS
from projections.engine import positions

ONE, OTHER = CATALOGUE[0].name, CATALOGUE[1].name


@pytest.fixture
def database(services: Services) -> Database:
    return services.database


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records the waits instead of waiting."""
    waited: list[float] = []
    monkeypatch.setattr(positions, "sleep", waited.append)
    return waited


def test_a_new_view_or_reaction_on_an_empty_log_is_at_position_0(database: Database) -> None:
    assert set(positions.all_positions(database)) == {each.name for each in FOLLOWERS}
    assert set(positions.all_positions(database).values()) == {0}


def test_starting_a_view_again_keeps_its_position(
    database: Database, conn: Connection[DictRow]
) -> None:
    positions.advance(conn, ONE, 7)
    positions.start(conn, ONE)
    seen = positions.all_positions(database)
    assert (seen[ONE], seen[OTHER]) == (7, 0)


@pytest.mark.parametrize("position", [0, 6, 7])
def test_waiting_for_a_position_already_reached_returns_at_once(
    database: Database, conn: Connection[DictRow], waits: list[float], position: int
) -> None:
    positions.advance(conn, ONE, 7)
    positions.wait_for(database, [ONE], position, seconds=0)
    assert waits == []


def test_waiting_ends_when_all_views_have_reached_the_position(
    database: Database, conn: Connection[DictRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = [(ONE, 7), (OTHER, 6), (OTHER, 8)]

    def meanwhile(_: float) -> None:
        name, position = steps.pop(0)
        positions.advance(conn, name, position)

    monkeypatch.setattr(positions, "sleep", meanwhile)
    positions.wait_for(database, [ONE, OTHER], 7, seconds=60)
    assert steps == []


@pytest.mark.parametrize(("names", "position"), [([ONE], 8), ([ONE, OTHER], 7), (["gone_v1"], 0)])
def test_waiting_for_a_view_that_is_too_slow_raises_view_behind(
    database: Database, conn: Connection[DictRow], names: list[str], position: int
) -> None:
    positions.advance(conn, ONE, 7)
    with pytest.raises(ViewBehind):
        positions.wait_for(database, names, position, seconds=0.01)


def test_the_position_of_a_view_is_locked_while_it_moves(
    conninfo: str, conn: Connection[DictRow]
) -> None:
    with conn.transaction(), psycopg.connect(conninfo, row_factory=dict_row) as other:
        assert positions.lock(conn, ONE) == 0
        other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            positions.lock(other, ONE)
        other.rollback()
        assert positions.lock(other, OTHER) == 0
