"""A process that starts waits for a database that is starting too, and for no other."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from threading import Event

import psycopg
import pytest

from application import key_fingerprints
from application.eventstore.connection import connect
from application.key_fingerprints import KeyKind
from interface.bootstrap import SchemaMissing
from interface.database_roles import DatabaseRole
from interface.key_store import KeyMissing
from interface.runtime.command_database import DatabaseRefused, database_of_process
from interface.runtime.database_start import once_reachable
from interface.settings import Settings
from tests.support.service import free_port

LONG = 60.0  # seconds; no test waits for so long


class _Refusing(TCPServer):
    """Speaks PostgreSQL's protocol, and refuses every connection for one reason."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate
        super().__init__(("127.0.0.1", 0), _Refusal)

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.server_address[1]} sslmode=disable gssencmode=disable"


class _Refusal(StreamRequestHandler):
    server: _Refusing

    def handle(self) -> None:
        length = int.from_bytes(self.rfile.read(4), "big")
        self.rfile.read(length - 4)
        fields = f"SFATAL\0VFATAL\0C{self.server.sqlstate}\0Mno, thanks\0\0".encode()
        self.wfile.write(b"E" + (4 + len(fields)).to_bytes(4, "big") + fields)


@contextmanager
def refusing(sqlstate: str) -> Iterator[_Refusing]:
    """Runs such a server during the block.

    In a process of its own: libpq lets no thread of this one run while it asks whether a server is
    there.
    """
    with _Refusing(sqlstate) as server:
        process = get_context("fork").Process(target=server.serve_forever, daemon=True)
        process.start()
        try:
            yield server
        finally:
            process.kill()
            process.join()


class _Work:
    """Connects at its first attempts, and is done at the one after."""

    def __init__(self, *attempts: str) -> None:
        self._attempts = iter(attempts)
        self.done = False

    def __call__(self) -> None:
        for conninfo in self._attempts:
            psycopg.connect(conninfo)
        self.done = True


@pytest.fixture
def nowhere() -> str:
    """The connection string of a port on which nothing listens."""
    return f"host=127.0.0.1 port={free_port()}"


@pytest.fixture
def stop() -> Event:
    """What ends the waiting."""
    return Event()


def test_a_server_that_is_starting_is_waited_for(
    stop: Event, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "interface")
    with refusing("57P03") as server:
        work = _Work(server.conninfo, server.conninfo)
        once_reachable(server.conninfo, work, seconds=LONG, stop=stop)
    assert work.done
    waiting, answers = caplog.messages
    assert waiting.startswith("waiting up to 60 s for the database: ")
    assert waiting.endswith("no, thanks")
    assert answers == "the database answers"


def test_so_is_one_that_is_not_there_yet(stop: Event, nowhere: str) -> None:
    work = _Work(nowhere)
    once_reachable(nowhere, work, seconds=LONG, stop=stop)
    assert work.done


@pytest.mark.parametrize(
    "sqlstate", ["28P01", "28000", "3D000"], ids=["password", "access rules", "no such database"]
)
def test_a_server_that_refuses_for_good_is_not_waited_for(stop: Event, sqlstate: str) -> None:
    with refusing(sqlstate) as server, pytest.raises(psycopg.OperationalError, match="no, thanks"):
        once_reachable(server.conninfo, _Work(server.conninfo), seconds=LONG, stop=stop)


def test_a_connection_that_is_lost_in_the_middle_begins_again(
    stop: Event, shared_database: str
) -> None:
    attempts = iter((True, False))

    def work() -> None:
        with psycopg.connect(shared_database) as conn:
            if next(attempts):
                conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    once_reachable(shared_database, work, seconds=LONG, stop=stop)
    assert list(attempts) == []


def test_what_fails_on_a_good_connection_is_not_repeated(stop: Event, shared_database: str) -> None:
    def work() -> None:
        with psycopg.connect(shared_database) as conn:
            conn.execute("SET statement_timeout = 1; SELECT pg_sleep(5)")

    with pytest.raises(psycopg.errors.QueryCanceled):
        once_reachable(shared_database, work, seconds=LONG, stop=stop)


def test_in_the_end_the_reason_is_told(stop: Event, nowhere: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="refused"):
        once_reachable(nowhere, _Work(nowhere), seconds=0, stop=stop)


def test_who_is_stopped_waits_no_longer(stop: Event, nowhere: str) -> None:
    stop.set()
    with pytest.raises(SystemExit) as ended:
        once_reachable(nowhere, _Work(nowhere), seconds=LONG, stop=stop)
    assert ended.value.code == 0


@pytest.mark.parametrize(
    ("role", "keys"),
    [(DatabaseRole.PROJECTOR, KeyKind.AUDIT), (DatabaseRole.SERVICE, KeyKind.SECRET)],
    ids=["projector", "sender"],
)
def test_a_process_that_runs_alone_waits_too(
    nowhere: str, stop: Event, tmp_path: Path, role: DatabaseRole, keys: KeyKind
) -> None:
    stop.set()  # so that it waits no longer than it must
    settings = Settings(nowhere, data=tmp_path)
    with pytest.raises(SystemExit), database_of_process(settings, role, keys, stop=stop):
        pass


def test_a_process_that_runs_alone_needs_the_keys_that_it_uses_and_no_others(
    conninfo: str, stop: Event, tmp_path: Path
) -> None:
    settings = Settings(conninfo, data=tmp_path)
    role = {KeyKind.SECRET: DatabaseRole.SERVICE, KeyKind.AUDIT: DatabaseRole.PROJECTOR}
    for lost, other in ((KeyKind.SECRET, KeyKind.AUDIT), (KeyKind.AUDIT, KeyKind.SECRET)):
        with connect(conninfo, application_name="test") as conn:
            key_fingerprints.drop(conn, key_fingerprints.fingerprint("lost"))
            key_fingerprints.record(conn, {lost: ["lost"]})
        with database_of_process(settings, role[other], other, stop=stop):
            pass
        with (
            pytest.raises(KeyMissing, match=f"The {lost} key"),
            database_of_process(settings, role[lost], lost, stop=stop),
        ):
            pass


def test_a_process_that_runs_alone_does_not_wait_for_tables_nor_for_ever(
    server: str, nowhere: str, stop: Event, tmp_path: Path
) -> None:
    settings = Settings(server, data=tmp_path)
    with (
        pytest.raises(SchemaMissing),
        database_of_process(settings, DatabaseRole.PROJECTOR, KeyKind.AUDIT, stop=stop),
    ):
        pass
    lost = replace(settings, database_url=nowhere, database_wait=0)
    with (
        pytest.raises(DatabaseRefused, match="The database can't be used: "),
        database_of_process(lost, DatabaseRole.PROJECTOR, KeyKind.AUDIT, stop=stop),
    ):
        pass
