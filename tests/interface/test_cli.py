"""The `admitone` command: what it does, what it prints where, and how it says no."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import psycopg
import pytest

from application.accounts import ALL_SCOPES
from application.tokens import InvalidToken
from interface import bootstrap, cli
from interface.bootstrap import DatabaseTooOld, Services, apply_schema, refuse_old_server
from interface.embedded_postgres import EmbeddedPostgres
from projections.catalogue import CATALOGUE
from projections.positions import all_positions
from tests.conftest import SECRET, Owner
from tests.examples import calendar_json
from tests.service import Service, free_port, wait_until

SIGN_IN_LINK = re.compile(r"http://127\.0\.0\.1:8000/sign-in/(\S+)\n")
KEY = re.compile(r"ao_([0-9a-f]{8})_\S{43}\n")


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `admitone` with these arguments, as its script does."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["admitone", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def admitone(
    run: Command, monkeypatch: pytest.MonkeyPatch, conninfo: str, tmp_path: Path
) -> Command:
    """Runs `admitone` on an empty database."""
    monkeypatch.setenv("ADMITONE_DATABASE_URL", conninfo)
    monkeypatch.setenv("ADMITONE_SECRET_KEYS", SECRET)
    monkeypatch.setenv("ADMITONE_DATA", str(tmp_path))
    return run


def refusal(done: Done) -> str:
    """The one sentence of a command that said no."""
    assert (done.status, done.out) == (1, ""), done
    (line,) = done.err.splitlines()
    return line


def test_a_new_account_is_an_owners_and_signs_in_with_the_link(
    admitone: Command, services: Services
) -> None:
    done = admitone("accounts", "create", "ada@example.org")
    link = SIGN_IN_LINK.fullmatch(done.out)
    assert link, done
    account = services.accounts.account_behind(link[1])
    assert (account.email, account.name, account.roles) == ("ada@example.org", "ada", ("owner",))


def test_a_new_account_has_the_name_and_the_roles_that_were_asked_for(
    admitone: Command, services: Services
) -> None:
    roles = ("--role", "auditor", "--role", "operator")
    assert admitone("accounts", "create", "a@example.org", "--name", "Ann Other", *roles)[0] == 0
    account = services.accounts.by_email("a@example.org")
    assert (account.name, account.roles) == ("Ann Other", ("auditor", "operator"))


def test_a_new_sign_in_link_ends_the_one_before(admitone: Command, services: Services) -> None:
    first = SIGN_IN_LINK.fullmatch(admitone("accounts", "create", "ada@example.org").out)
    second = SIGN_IN_LINK.fullmatch(admitone("accounts", "sign-in-link", "ADA@example.org").out)
    assert first
    assert second
    assert services.accounts.account_behind(second[1]).email == "ada@example.org"
    with pytest.raises(InvalidToken):
        services.accounts.account_behind(first[1])


def test_a_key_stands_alone_on_standard_output_and_works_until_it_is_revoked(
    admitone: Command, owner: Owner
) -> None:
    done = admitone("keys", "create", "--account", "olivia@example.org", "--name", "calendar sync")
    key = KEY.fullmatch(done.out)
    assert key, done
    owner.headers["Authorization"] = f"Bearer {key[0].strip()}"
    assert owner.get("/calendars").status_code == 200
    listed = admitone("keys", "list").out
    assert len(listed.splitlines()) == 2
    (line,) = [line for line in listed.splitlines() if line.startswith(key[1])]
    assert "olivia@example.org  calendar sync  calendars,links,bookings" in line
    assert "revoked" not in line
    assert key[0].strip() not in listed
    for _ in range(2):
        assert admitone("keys", "revoke", key[1])[:2] == (0, f"Revoked {key[1]}.\n")
    assert owner.get("/calendars").status_code == 401
    assert sum("revoked" in line for line in admitone("keys", "list").out.splitlines()) == 1


def test_a_key_has_only_the_scopes_that_were_asked_for(admitone: Command, owner: Owner) -> None:
    scopes = ("--scope", "links", "--scope", "bookings")
    done = admitone("keys", "create", "--account", "olivia@example.org", *scopes)
    owner.headers["Authorization"] = f"Bearer {done.out.strip()}"
    assert owner.get("/links").status_code == 200
    assert owner.get("/calendars").status_code == 403


def test_an_admins_key_may_do_everything(admitone: Command) -> None:
    admitone("accounts", "create", "root@example.org", "--role", "admin")
    assert admitone("keys", "create", "--account", "root@example.org").status == 0
    assert ",".join(ALL_SCOPES) in admitone("keys", "list").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("accounts", "create", "not an address"), "email: Not an e-mail address."),
        (
            ("accounts", "create", "OLIVIA@example.org"),
            "email: There is an account with this address already.",
        ),
        (("accounts", "sign-in-link", "nobody@example.org"), "There is no such account."),
        (("keys", "create", "--account", "nobody@example.org"), "There is no such account."),
        (
            ("keys", "create", "--account", "olivia@example.org", "--scope", "audit"),
            "scope: This account may not have audit. It may have: calendars, links, bookings.",
        ),
        (("keys", "revoke", "01234567"), "There is no such API key."),
    ],
)
def test_what_can_not_be_done_is_told_in_one_sentence(
    admitone: Command, owner: Owner, arguments: tuple[str, ...], sentence: str
) -> None:
    assert refusal(admitone(*arguments)) == sentence


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("accounts", "create"),
        ("accounts", "create", "ada@example.org", "--role", "king"),
        ("keys", "create"),
        ("keys", "create", "--account", "olivia@example.org", "--scope", "everything"),
        ("projections", "status", "--yaml"),
        ("accounts", "create", os.fsdecode(b"\xff@example.org")),
    ],
)
def test_a_command_that_is_not_understood_ends_with_status_2(
    admitone: Command, arguments: tuple[str, ...]
) -> None:
    done = admitone(*arguments)
    assert (done.status, done.out) == (2, "")
    assert done.err


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
    reading = psycopg.conninfo.make_conninfo(
        conninfo, options="-c default_transaction_read_only=on"
    )
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
        return read

    names = [projection.name for projection in CATALOGUE]
    empty = {"position": 0, "head": 0, "lag": 0, "state": "live"}
    assert rows() == [{"name": name} | empty for name in names]
    owner.post("/calendars", calendar_json())
    behind = {"position": 0, "head": 1, "lag": 1, "state": "behind"}
    assert rows() == [{"name": name} | behind for name in names]
    owner.catch_up()
    lines = admitone("projections", "status").out.splitlines()
    assert lines == [f"{name}  position 1  head 1  lag 0  live" for name in names]


@pytest.fixture
def projectors(admitone: Command) -> Iterator[list[subprocess.Popen[str]]]:
    """Two `admitone projections run` on the empty database."""
    command = [sys.executable, "-m", "interface.cli", "projections", "run"]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
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
        return set(all_positions(services.database).values()) == {services.bookings.head()}

    wait_until(both_are_there)
    for number, projector in zip((signal.SIGTERM, signal.SIGINT), projectors, strict=True):
        owner.post("/calendars", calendar_json())
        wait_until(caught_up)
        projector.send_signal(number)
        said = projector.communicate(timeout=60)[1]
        assert (projector.returncode, "Traceback" in said) == (0, False)


def test_health_follows_the_service(
    run: Command, monkeypatch: pytest.MonkeyPatch, service: Service
) -> None:
    monkeypatch.setenv("ADMITONE_PORT", str(service.port))
    assert run("health") == (0, "ready\n", "")
    monkeypatch.setenv("ADMITONE_PORT", str(free_port()))
    assert "does not answer" in refusal(run("health"))


def test_without_a_service_a_command_starts_the_database_for_the_moment(
    run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And where a service is about to start it, waits for that one."""
    monkeypatch.delenv("ADMITONE_DATABASE_URL", raising=False)
    monkeypatch.setenv("ADMITONE_DATA", str(tmp_path))
    starting, done = Event(), Event()

    def serve() -> None:
        with EmbeddedPostgres(tmp_path / "postgres"):
            starting.set()
            done.wait()

    assert run("accounts", "create", "ada@example.org").status == 0
    assert not list((tmp_path / "postgres" / "socket").iterdir())
    server = Thread(target=serve)
    server.start()
    try:
        assert KEY.fullmatch(run("keys", "create", "--account", "ada@example.org").out)
        assert starting.is_set()
    finally:
        done.set()
        server.join()
