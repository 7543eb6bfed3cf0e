"""A backup of an earlier version is restored by this one: all of it, or nothing."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domain.link import LinkStatus
from interface.bootstrap import build
from interface.settings import Settings
from tests.support.command_line import Command
from tests.support.desk import Desk
from tests.support.examples import NOW
from tests.support.projector import apply_log, sign

FOLDER = Path(__file__).with_name("backup_of_step_0051")
HANDED_OUT = json.loads((FOLDER / "handed_out.json").read_text())


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """This process goes on after a command, with the handlers that it had."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def data(empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty place."""
    monkeypatch.setenv("ADMITONE_DATABASE_URL", empty_database)
    monkeypatch.setenv("ADMITONE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def ended(*_: Any, **__: Any) -> None:
    signal.raise_signal(signal.SIGTERM)


def has_tables(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as conn:
        found = conn.execute("SELECT to_regclass('public.stored_events')::text").fetchone()
        return found == ("stored_events",)


def files_in(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*") if file.is_file()}


def test_a_restore_that_is_ended_before_the_commit_leaves_nothing(
    run: Command, data: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[set[str]] = []

    def end(*_: Any) -> None:
        before.append(files_in(data))
        ended()

    monkeypatch.setattr(import_module("interface.bootstrap").key_store, "refuse_without", end)
    assert run("restore", str(FOLDER / "admitone.backup")).status == 1
    assert "secret_keys" in before[0]
    assert files_in(data) == set()
    assert not has_tables(empty_database)


def test_a_restore_that_is_ended_during_the_commit_or_later_says_what_is_to_be_done(
    run: Command, data: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore_tables = import_module("interface.bootstrap").restore_tables

    def end_at_commit(*arguments: Any, before_commit: Any, **options: Any) -> None:
        def commits() -> None:
            before_commit()
            ended()

        restore_tables(*arguments, before_commit=commits, **options)

    monkeypatch.setattr("interface.bootstrap.restore_tables", end_at_commit)
    done = run("restore", str(FOLDER / "admitone.backup"))
    assert done.status == 1
    assert "`admitone privacy reapply`" in done.err
    assert "secret_keys" in files_in(data)
    assert has_tables(empty_database)


def test_a_backup_that_is_older_than_the_checkpoints_comes_back_without_those_forgotten_since(
    run: Command,
    data: Path,
    empty_database: str,
    new_empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        import_module("interface.cli.projections"), "_yield_to_others", lambda: None
    )
    assert run("restore", str(FOLDER / "admitone.backup")).status == 0
    settings = Settings(data=data)
    with closing(build(settings, empty_database, now=lambda: NOW)) as services:
        booking_id = services.tokens.booking_id(HANDED_OUT["manage"])
        Desk(services).forget(booking_id)
        apply_log(empty_database)
        sign(services, empty_database)

    lost_and_new = new_empty_database()
    monkeypatch.setenv("ADMITONE_DATABASE_URL", lost_and_new)
    done = run("restore", str(FOLDER / "admitone.backup"))
    assert done.status == 0, done
    assert "and the log has 43." in done.out  # behind "Set aside"
    assert "Recorded 1 erasure that the log had lost." in done.out
    with closing(build(settings, lost_and_new, now=lambda: NOW)) as services:
        assert Desk(services).booking(booking_id).is_invitee_forgotten
        apply_log(lost_and_new)
        sign(services, lost_and_new)
    assert run("audit", "verify").status == 0


def test_links_and_keys_of_step_0051_work_and_the_log_is_as_it_was_signed_then(
    run: Command, data: Path, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This process would keep a low priority, and no garbage collection, for all other tests.
    monkeypatch.setattr(
        import_module("interface.cli.projections"), "_yield_to_others", lambda: None
    )
    done = run("restore", str(FOLDER / "admitone.backup"))
    assert done.status == 0, done.err
    assert "The log is as it was recorded: 43 events, 43 of them covered" in done.out
    verified = run("projections", "verify", "--all")
    assert all("matches the log" in line for line in verified.out.splitlines()), verified.out

    settings = Settings(data=data)
    with closing(build(settings, empty_database, now=lambda: NOW)) as services:
        desk = Desk(services)
        open_link = services.tokens.link_id(HANDED_OUT["open_link"])
        assert desk.link(open_link).status(NOW) is LinkStatus.ACTIVE
        desk.cancel(services.tokens.booking_id(HANDED_OUT["manage"]))
        desk.redeem(open_link)
        account = services.accounts.first()
        caller = services.api_keys.caller(HANDED_OUT["api_key"], now=NOW)
        assert account is not None
        assert caller is not None
        assert caller.account_id == account.id
        password = HANDED_OUT["password"]
        assert services.sessions.with_password("ada@example.org", password) == account
