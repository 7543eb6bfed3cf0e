"""`admitone` with a database that is missing, too old, incomplete or about to start."""

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
from projections.catalogue import CATALOGUE
from projections.engine.positions import all_positions
from projections.engine.runner import is_running
from tests.support.command_line import Command, refusal
from tests.support.examples import calendar_json
from tests.support.owner import Owner
from tests.support.projector import start_projector
from tests.support.service import free_port
from tests.support.waiting import wait_until

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
    monkeypatch.setenv("ADMITONE_DATABASE_WAIT", "0")
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
    for arguments in COMMANDS[:-1]:
        # Those that run until they are stopped take secrets out of their environment.
        monkeypatch.setenv("ADMITONE_DATABASE_URL", bare_database)
        sentence = refusal(admitone(*arguments))
        assert sentence.startswith("The database lacks 0001_the_log.sql, ")
        assert sentence.endswith(": run `admitone schema apply`.")
    monkeypatch.setenv("ADMITONE_DATABASE_URL", bare_database)
    assert admitone("schema", "apply").out.startswith("applied 0001_the_log.sql\n")
    assert admitone("schema", "apply") == (0, "nothing to do\n", "")
    assert admitone("accounts", "create", "ada@example.org").status == 0


def test_applying_a_complete_schema_needs_only_the_right_to_read(
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


def test_the_status_lists_position_and_lag_of_each_view(admitone: Command, owner: Owner) -> None:
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
def start(conninfo: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts `admitone projections run` on the empty database."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        started.append(start_projector(conninfo, tmp_path, stderr=subprocess.PIPE))
        return started[-1]

    yield start
    for projector in started:
        projector.kill()
        projector.communicate()


def test_a_second_projector_takes_over_and_each_stops_on_a_signal(
    start: Callable[[], subprocess.Popen[str]], owner: Owner, services: Services
) -> None:
    def caught_up() -> bool:
        return set(all_positions(services.database).values()) == {services.event_store.head()}

    first = start()
    wait_until(lambda: is_running(services.database))
    second = start()
    for number, projector in ((signal.SIGTERM, first), (signal.SIGINT, second)):
        owner.new_calendar()
        wait_until(caught_up)
        projector.send_signal(number)
        said = projector.communicate(timeout=60)[1]
        assert (projector.returncode, "Traceback" in said) == (0, False)


@pytest.mark.parametrize(
    "arguments",
    [
        *COMMANDS[1:-1],
        ("backup", "of-nothing.backup"),
        ("deliveries", "run"),
        ("doctor",),
        ("projections", "rebuild", "--all"),
    ],
)
def test_a_command_that_lacks_the_settings_of_the_service_creates_no_empty_database(
    run: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.delenv("ADMITONE_DATABASE_URL", raising=False)
    monkeypatch.setenv("ADMITONE_DATA", str(elsewhere))
    done = run(*arguments)
    assert done.status == 1
    assert (
        f"There is no database in {elsewhere}. Give the command the settings of the service"
        " (ADMITONE_DATA, or ADMITONE_DATABASE_URL), or start the service there first.\n"
    ) in done.out + done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["accounts list", "doctor", "projections status"])
def test_a_data_folder_that_belongs_to_another_user_is_a_sentence(
    tmp_path: Path, command: str
) -> None:
    data = tmp_path / "data"
    (data / "postgres").mkdir(parents=True)
    data.chmod(0)
    # Root may read everything, unless it gives that right up.
    rights = "-dac_override,-dac_read_search"
    as_others = ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
    done = subprocess.run(
        [
            *(as_others if os.geteuid() == 0 else []),
            *(sys.executable, "-m", "interface.cli", *command.split()),
        ],
        env=os.environ | {"ADMITONE_DATA": str(data)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert f"{data}/postgres can't be read: Permission denied. Run the command as" in (
        done.stdout + done.stderr
    )
    assert "Traceback" not in done.stderr


def test_a_command_without_a_service_starts_the_database_for_its_own_time(
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
    lock.write_text("")
    server = Thread(target=serve)
    server.start()
    try:
        wait_until(lambda: lock.read_text() != "")
        assert run("keys", "create", "--account", "ada@example.org").out.startswith("ao_")
    finally:
        done.set()
        server.join()
