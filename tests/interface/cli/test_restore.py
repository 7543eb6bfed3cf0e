"""A backup of an earlier version is restored by this one: all of it, or nothing."""

import errno
import json
import os
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
from interface.cli.restore import has_own_checkpoints
from interface.settings import Settings
from projections.evidence import checkpoint_repair, erasure_list
from tests.support.command_line import Command, refusal
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


def refused_by_the_file_system(*_: Any) -> None:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


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


def at_commit(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """Lets a signal come while the tables are committed."""
    restore_tables = import_module("interface.bootstrap").restore_tables

    def end_at_commit(*arguments: Any, before_commit: Any, **options: Any) -> None:
        def commits() -> None:
            before_commit()
            ended()

        restore_tables(*arguments, before_commit=commits, **options)

    monkeypatch.setattr("interface.bootstrap.restore_tables", end_at_commit)


def at_damaged_erasures(monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """Damages the list of erasures beside the checkpoints."""
    listed = data / "checkpoints" / erasure_list.FOLDER / f"{1:015}-{0:032}.ids"
    listed.parent.mkdir(parents=True)
    listed.write_text("nonsense\n")


@pytest.mark.parametrize("ends", [at_commit, at_damaged_erasures])
def test_a_restore_that_ends_during_the_commit_or_later_says_what_is_to_be_done(
    run: Command,
    data: Path,
    empty_database: str,
    monkeypatch: pytest.MonkeyPatch,
    ends: Callable[[pytest.MonkeyPatch, Path], None],
) -> None:
    ends(monkeypatch, data)
    done = run("restore", str(FOLDER / "admitone.backup"))
    assert done.status == 1
    assert done.err.count("`admitone privacy reapply`") == 1
    assert "secret_keys" in files_in(data)
    assert has_tables(empty_database)


def test_a_backup_that_is_older_than_the_checkpoints_comes_back_without_those_forgotten_since(
    run: Command,
    data: Path,
    empty_database: str,
    new_empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("restore", str(FOLDER / "admitone.backup")).status == 0
    settings = Settings(data=data)
    with closing(build(settings, empty_database, now=lambda: NOW)) as services:
        booking_id = services.tokens.booking_id(HANDED_OUT["manage"])
        Desk(services).forget(booking_id)
        apply_log(empty_database)
        sign(services, empty_database)

    # The checkpoints may be those of a database still in use, so nothing is changed unasked.
    lost_and_new, before = new_empty_database(), files_in(data)
    monkeypatch.setenv("ADMITONE_DATABASE_URL", lost_and_new)
    refused = refusal(run("restore", str(FOLDER / "admitone.backup")))
    assert "checkpoints that are newer" in refused
    assert "--set-aside" in refused
    assert (files_in(data), has_tables(lost_and_new)) == (before, False)

    # Nothing is recorded before they are set aside: afterwards they could not be any more.
    with monkeypatch.context() as read_only:
        read_only.setattr(checkpoint_repair, "_set_aside_later", refused_by_the_file_system)
        done = run("restore", str(FOLDER / "admitone.backup"), "--set-aside")
    assert done.status == 1
    assert "can't be written: Read-only file system" in done.err
    assert "`admitone audit checkpoints set-aside`" in done.err
    with psycopg.connect(lost_and_new) as conn:
        assert conn.execute("SELECT count(*) FROM stored_events").fetchone() == (43,)

    lost_and_new = new_empty_database()
    monkeypatch.setenv("ADMITONE_DATABASE_URL", lost_and_new)
    done = run("restore", str(FOLDER / "admitone.backup"), "--set-aside")
    assert done.status == 0, done
    assert "and the log has 43." in done.out  # behind "Set aside"
    assert "Recorded 1 erasure that the log had lost." in done.out
    with closing(build(settings, lost_and_new, now=lambda: NOW)) as services:
        assert Desk(services).booking(booking_id).is_invitee_forgotten
        apply_log(lost_and_new)
        sign(services, lost_and_new)
    assert run("audit", "verify").status == 0


@pytest.mark.parametrize(
    ("settings", "own"),
    [
        ({}, True),
        ({"checkpoints": Path("/elsewhere")}, False),
        ({"database_url": "postgresql://elsewhere"}, False),
    ],
)
def test_checkpoints_are_set_aside_unasked_only_if_no_other_database_can_have_them(
    tmp_path: Path, settings: dict[str, Any], own: bool
) -> None:
    assert has_own_checkpoints(Settings(data=tmp_path, **settings)) is own


def test_links_and_keys_of_step_0051_work_and_the_log_is_as_it_was_signed_then(
    run: Command, data: Path, empty_database: str
) -> None:
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
