"""Reads that may be a little old come from a standby that keeps up, and else from the primary."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from application.eventstore import standby as standby_module
from application.eventstore.database import Database
from application.eventstore.standby import Standby
from tests.support.postgres_server import PostgresServer, follow
from tests.support.waiting import wait_until

WHERE_AM_I = "SELECT pg_is_in_recovery() AS is_standby"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A primary with a table, and a standby that follows it."""
    folder = tmp_path_factory.mktemp("servers")
    primary = PostgresServer(folder / "primary")
    primary.create()
    with primary.running() as of_primary:
        standby = primary.copy_to(folder / "standby")
        with standby.running(**follow(standby, primary)) as of_standby:
            yield of_primary, of_standby


@pytest.fixture
def primary(servers: tuple[str, str]) -> Iterator[Database]:
    """The primary."""
    database = Database(servers[0], max_pool_size=2)
    yield database
    database.close()


@pytest.fixture
def standby(servers: tuple[str, str], primary: Database) -> Iterator[Standby]:
    """The standby, which is looked at anew every time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standby_module, "CHECK_SECONDS", -1.0)
        standby = Standby(servers[1], primary, max_pool_size=2)
        yield standby
        standby.close()


def reads_at_the_standby(database: Database) -> bool:
    row = database.fetch_one(WHERE_AM_I)
    assert row is not None
    return bool(row["is_standby"])


def test_a_standby_that_keeps_up_is_read(standby: Standby) -> None:
    wait_until(lambda: standby.obstacle() is None)
    assert reads_at_the_standby(standby.choose())


def test_one_that_stands_still_is_read_for_no_longer_than_the_bound(
    standby: Standby, primary: Database, servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby_module, "MOST_SECONDS_BEHIND", 0.2)
    wait_until(lambda: standby.obstacle() is None)
    with psycopg.connect(servers[1], autocommit=True) as conn:
        conn.execute("SELECT pg_wal_replay_pause()")
        with primary.connection() as writing:
            writing.execute("CREATE TABLE written_meanwhile ()")
        wait_until(lambda: not reads_at_the_standby(standby.choose()))
        assert standby.obstacle() == "It is more than 0 s behind."
        conn.execute("SELECT pg_wal_replay_resume()")
    monkeypatch.setattr(standby_module, "MOST_SECONDS_BEHIND", 60.0)
    wait_until(lambda: reads_at_the_standby(standby.choose()))
    assert standby.fetch_all("SELECT * FROM written_meanwhile") == []


def test_one_that_does_not_answer_is_passed_over_at_once(
    primary: Database, servers: tuple[str, str]
) -> None:
    silent = Standby(f"{servers[1]} port=1", primary, max_pool_size=1)
    try:
        assert not reads_at_the_standby(silent)  # a request that had chosen it
        assert silent.obstacle() == "It does not answer."
        assert not reads_at_the_standby(silent.choose())
    finally:
        silent.close()


def test_a_query_that_fails_only_there_is_answered_by_the_primary(standby: Standby) -> None:
    wait_until(lambda: standby.obstacle() is None)
    assert standby.fetch_all("SELECT * FROM pg_current_wal_lsn()")  # refused by a standby
    assert not reads_at_the_standby(standby)


def test_the_primary_itself_is_no_standby(primary: Database, servers: tuple[str, str]) -> None:
    same = Standby(servers[0], primary, max_pool_size=1)
    try:
        assert same.obstacle() == "It is not a standby."
        assert same.choose() is primary
    finally:
        same.close()


def test_one_of_another_history_is_not_read_however_far_it_is(
    servers: tuple[str, str], conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby_module, "CHECK_SECONDS", -1.0)
    with closing(Database(conninfo)) as other, closing(Standby(servers[1], other)) as standby:
        assert standby.obstacle() == "It does not follow this primary yet, or follows another one."
        assert standby.choose() is other


def test_of_several_hosts_the_first_standby_is_read(
    servers: tuple[str, str], primary: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby_module, "CHECK_SECONDS", -1.0)
    hosts, ports = (
        ",".join(str(conninfo_to_dict(server)[name]) for server in servers)
        for name in ("host", "port")
    )
    both = make_conninfo(servers[0], host=hosts, port=ports)
    with closing(Standby(both, primary)) as standby:
        wait_until(lambda: standby.obstacle() is None)
        assert reads_at_the_standby(standby.choose())
