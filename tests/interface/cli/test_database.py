"""`admitone` and its database: there or not, ours or not, with all tables or not."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from interface import bootstrap
from interface.bootstrap import DatabaseTooOld, Services, apply_schema, refuse_old_server
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.runtime.parent_watchdog import for_children
from projections.catalogue import CATALOGUE
from projections.engine.positions import all_positions
from tests.conftest import Owner
from tests.support.command_line import Command, refusal
from tests.support.examples import calendar_json
from tests.support.service import free_port, wait_until

COMMANDS = [
    ("accounts", "create", "ada@example.org"),
    ("accounts", "sign-in-link", "ada@example.org"),
    ("keys", "create", "--account", "ada@example.org"),
    ("keys", "list"),
    ("keys", "revoke", "01234567"),
    ("projections", "status"),
    ("projections", "run"),
    ("schema", "apply"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_without_its_database_a_command_says_so_and_prints_no_password(
    admitone: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    url = f"postgresql://ada:s3cret-w0rd@127.0.0.1:{free_port()}/admitone"
    monkeypatch.setenv("ADMITONE_DATABASE_URL", url)
    sentence = refusal(admitone(*arguments))
    assert sentence.startswith("The database can't be used: ")
    assert "s3cret-w0rd" not in sentence


@pytest.mark.parametrize("arguments", COMMANDS)
def test_wrong_settings_are_named_by_every_command(
    admitone: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ADMITONE_PORT", "none")
    assert refusal(admitone(*arguments)).startswith("ADMITONE_PORT must be")


@pytest.fixture
def bare_database(new_database: Callable[[], str]) -> str:
    """A database without our tables."""
    conninfo = new_database()
    with psycopg.connect(conninfo) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")
    return conninfo


def test_the_schema_is_applied_once_and_until_then_nothing_else_works(
    admitone: Command, monkeypatch: pytest.MonkeyPatch, bare_database: str
) -> None:
    monkeypatch.setenv("ADMITONE_DATABASE_URL", bare_database)
    for arguments in COMMANDS[:-1]:
        sentence = refusal(admitone(*arguments))
        assert sentence.startswith("The database lacks 0001_the_log.sql, ")
        assert sentence.endswith(": run `admitone schema apply`.")
    assert admitone("schema", "apply").out.startswith("applied 0001_the_log.sql\n")
    assert admitone("schema", "apply") == (0, "nothing to do\n", "")
    assert admitone("accounts", "create", "ada@example.org").status == 0


def test_where_nothing_is_missing_the_schema_needs_no_right_to_make_tables(
    admitone: Command, conninfo: str
) -> None:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = on")
    reading = make_conninfo(conninfo, options="-c default_transaction_read_only=on")
    assert apply_schema(reading) == []


def test_a_server_that_is_too_old_is_refused(
    admitone: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_old_server(150000)
    with pytest.raises(DatabaseTooOld) as refused:
        refuse_old_server(140012)
    assert refused.value.detail == (
        "The database is PostgreSQL 14: Admit One needs PostgreSQL 15 or newer."
    )
    monkeypatch.setattr(bootstrap, "OLDEST_POSTGRES", 99)
    for arguments in COMMANDS:
        assert refusal(admitone(*arguments)).endswith("Admit One needs PostgreSQL 99 or newer.")


def test_the_status_of_projections_tells_how_far_each_has_come(
    admitone: Command, owner: Owner
) -> None:
    def rows() -> list[dict[str, object]]:
        read: list[dict[str, object]] = json.loads(admitone("projections", "status", "--json").out)
        assert all(row.pop("lag_seconds") == pytest.approx(0, abs=60) for row in read)
        return read

    names = [projection.name for projection in CATALOGUE]
    empty = {"position": 0, "head": 0, "lag": 0, "state": "live", "parked": 0, "waiting": 0}
    assert rows() == [{"name": name} | empty for name in names]
    owner.post("/calendars", calendar_json())
    behind = {"head": 1, "lag": 1, "state": "behind"}
    assert rows() == [{"name": name} | empty | behind for name in names]
    owner.catch_up()
    lines = admitone("projections", "status").out.splitlines()
    assert lines == [
        *(f"{name}  position 1  head 1  lag 0  live" for name in names),
        "No projector is running: run `admitone serve` or `admitone projections run`.",
    ]


@pytest.fixture
def projectors(admitone: Command) -> Iterator[list[subprocess.Popen[str]]]:
    """Two `admitone projections run` on the empty database."""
    command = [sys.executable, "-m", "interface.cli", "projections", "run"]
    started = [
        subprocess.Popen(command, env=for_children(os.environ), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    yield started
    for projector in started:
        projector.kill()
        projector.communicate()


def test_one_projector_works_another_stands_by_and_each_stops_when_told(
    projectors: list[subprocess.Popen[str]], owner: Owner, services: Services
) -> None:
    def both_are_there() -> bool:
        row = services.database.fetch_one(
            """SELECT count(*) AS n FROM pg_stat_activity
            WHERE application_name = 'admitone projector' AND datname = current_database()"""
        )
        return row == {"n": 2}

    def caught_up() -> bool:
        return set(all_positions(services.database).values()) == {services.event_store.head()}

    wait_until(both_are_there)
    for number, projector in zip((signal.SIGTERM, signal.SIGINT), projectors, strict=True):
        owner.post("/calendars", calendar_json())
        wait_until(caught_up)
        projector.send_signal(number)
        said = projector.communicate(timeout=60)[1]
        assert (projector.returncode, "Traceback" in said) == (0, False)


def test_without_a_service_a_command_starts_the_database_for_the_moment(
    run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And where a service is about to start it, waits for that one."""
    monkeypatch.delenv("ADMITONE_DATABASE_URL", raising=False)
    monkeypatch.setenv("ADMITONE_DATA", str(tmp_path))
    lock = tmp_path / "postgres" / "launcher.lock"
    done = Event()

    def serve() -> None:
        with EmbeddedPostgres(tmp_path / "postgres"):
            done.wait()

    assert run("accounts", "create", "ada@example.org").status == 0
    assert not list((tmp_path / "postgres" / "socket").iterdir())
    server = Thread(target=serve)
    server.start()
    try:
        wait_until(lambda: lock.read_text() != "")
        assert run("keys", "create", "--account", "ada@example.org").out.startswith("ao_")
    finally:
        done.set()
        server.join()
