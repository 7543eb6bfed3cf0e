"""Everything that has to be kept is in one file, and comes back from it into an empty place."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from application import backup, key_fingerprints, schema
from application.calendar_feeds import FeedDetail
from application.eventstore.connection import connect
from application.key_fingerprints import KeyKind
from application.people import security_log
from interface import backup_files, key_store
from interface.bootstrap import Services, build, restore_tables
from interface.database_roles import DatabaseRole
from interface.settings import Settings
from projections.catalogue import CATALOGUE, REACTIONS
from tests.application.eventstore.turns import waiting_for_a_lock
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import NOW, SECRET
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import new_webhook

VIEWS = [table.name for projection in CATALOGUE for table in projection.tables]


@pytest.fixture
def original(conninfo: str, tmp_path: Path, catch_up: Callable[[], None]) -> Iterator[Services]:
    """A service to which everything has happened."""
    settings = Settings(data=tmp_path / "data", secret_keys=(SECRET,))
    services = build(settings, conninfo, now=lambda: NOW)
    account = services.accounts.create(email="ada@example.org", name="Ada", roles=("owner",))
    services.api_keys.create(account, name="Website", now=NOW)
    new_webhook(services, account.id, "https://93.184.216.34/hook")
    services.busy_calendars.add(
        owner_id=account.id, url="https://93.184.216.34/a.ics", name=None, now=NOW
    )
    services.calendar_feeds.create(
        owner_id=account.id, calendar_id=None, detail=FeedDetail.FULL, now=NOW
    )
    everything_happens(Desk(services))
    catch_up()
    yield services
    services.close()


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command on a database, with a data folder of its own for each."""

    def start(
        conninfo: str, *arguments: str, stdout: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("ADMITONE_")
        }
        environment["ADMITONE_DATABASE_URL"] = conninfo
        environment["ADMITONE_DATA"] = str(tmp_path / str(abs(hash(conninfo))))
        return subprocess.Popen(
            [sys.executable, "-m", "interface.cli", *arguments],
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def run(
    start: Callable[..., subprocess.Popen[str]],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command to its end."""

    def run(
        conninfo: str, *arguments: str, stdout: int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        with start(conninfo, *arguments, stdout=stdout) as running:
            out, err = running.communicate(timeout=60)
            return subprocess.CompletedProcess(arguments, running.returncode, out, err)

    return run


def contents(conninfo: str, tables: Sequence[str]) -> dict[str, list[Any]]:
    """All rows of the tables, in a fixed order."""
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        select = sql.SQL("SELECT to_jsonb(t) AS row FROM {} AS t ORDER BY to_jsonb(t)::text")
        return {
            table: conn.execute(select.format(sql.Identifier(table))).fetchall() for table in tables
        }


def tables_of(conninfo: str) -> set[str]:
    """The names of all tables."""
    with psycopg.connect(conninfo) as conn:
        found = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {row[0] for row in found}


def kept(conninfo: str) -> list[str]:
    """The tables that a backup has to hold."""
    return sorted(tables_of(conninfo) - set(backup.LEFT_OUT) - set(VIEWS))


def followers(conninfo: str) -> list[Any]:
    """How far each reaction has come, and since when."""
    with psycopg.connect(conninfo) as conn:
        names = [reaction.name for reaction in REACTIONS]
        return conn.execute(
            "SELECT name, position, begun_at FROM projection_positions"
            " WHERE name = ANY(%s) ORDER BY name",
            (names,),
        ).fetchall()


def test_everything_comes_back_and_nobody_is_told_again(
    original: Services,
    conninfo: str,
    empty_database: str,
    run: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    file = tmp_path / "admitone.backup"

    made = run(conninfo, "audit", "checkpoint")
    made = run(conninfo, "backup", str(file))
    restored = run(empty_database, "restore", str(file))

    assert (made.returncode, restored.returncode) == (0, 0), made.stderr + restored.stderr
    assert "The log is as it was recorded" in restored.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    tables = [name for name in kept(conninfo) if not name.startswith(("security_", "audit_acc"))]
    assert {"accounts", "deliveries", "personal_data", "stored_events", "webhooks"} <= set(tables)
    assert contents(empty_database, tables) == contents(conninfo, tables)
    assert contents(empty_database, VIEWS) == contents(conninfo, VIEWS)
    assert followers(empty_database) == followers(conninfo)
    services = build(Settings(data=tmp_path, secret_keys=(SECRET,)), empty_database)
    try:
        entries = services.security_log.newest(limit=999)
        before = original.security_log.newest(limit=999)
        assert before.pop(0).kind == security_log.BACKED_UP  # once the backup was made
        assert entries[-len(before) :] == before
        assert security_log.RESTORED in {entry.kind for entry in entries[: -len(before)]}
        # New events follow the last position.
        head = services.event_store.head()
        Desk(services).new_calendar()
        assert services.event_store.head() == head + 1
    finally:
        services.close()


def written(conninfo: str, file: Path, *, compression: int = ZIP_STORED, **manifest: Any) -> Path:
    """A backup of the tables alone, whose manifest says some things wrongly."""
    with (
        connect(conninfo, application_name="test") as conn,
        ZipFile(file, "w", compression) as archive,
    ):
        text = backup.write(conn, archive, "1").to_json()
        archive.writestr(backup.MANIFEST, json.dumps(json.loads(text) | manifest))
    return file


def restored(
    conninfo: str, file: Path, *, accept_lost_keys: bool = False, owner: str | None = None
) -> None:
    """Restores the tables alone, where there are no keys. `owner`: as an owner with other roles."""
    settings = Settings(data=file.parent / "nothing", owner_database_url=owner)
    with ZipFile(file) as archive:
        manifest = backup.Manifest.read(archive)
        restore_tables(conninfo, archive, manifest, settings, accept_lost_keys=accept_lost_keys)


def test_without_a_key_that_was_in_use_nothing_is_restored_unless_its_loss_is_accepted(
    conninfo: str, empty_database: str, tmp_path: Path
) -> None:
    with connect(conninfo, application_name="test") as conn:
        key_fingerprints.record(conn, {KeyKind.SECRET: [SECRET]})
    file = written(conninfo, tmp_path / "admitone.backup")

    with pytest.raises(key_store.KeyMissing, match="is not in"):
        restored(empty_database, file)
    assert tables_of(empty_database) == set()
    restored(empty_database, file, accept_lost_keys=True)

    with connect(empty_database, application_name="test") as conn:
        assert key_fingerprints.known(conn) == []


@pytest.mark.usefixtures("original")
def test_the_roles_of_a_restored_database_have_their_rights_if_there_are_any(
    conninfo: str, empty_database: str, new_database: Callable[[], str], tmp_path: Path
) -> None:
    file = written(conninfo, tmp_path / "admitone.backup")
    without_roles = new_database()
    with psycopg.connect(without_roles) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")

    restored(empty_database, file, owner=empty_database)
    restored(without_roles, file)

    reads = "SELECT has_table_privilege(%s, 'public.stored_events', 'SELECT')"
    for target, may_read in ((empty_database, True), (without_roles, False)):
        with connect(target, application_name="test") as conn:
            assert schema.have_grants(conn) == may_read
            row = conn.execute(reads, (DatabaseRole.SERVICE,)).fetchone()
            assert row == {"has_table_privilege": may_read}


def test_a_backup_of_an_earlier_version_is_upgraded(
    empty_database: str, new_database: Callable[[], str], tmp_path: Path
) -> None:
    earlier = schema.all_steps()[:-4]
    with psycopg.connect(empty_database, row_factory=dict_row) as conn:
        schema.apply(conn, only=earlier)
        conn.execute(
            "INSERT INTO accounts (id, email, name, roles, sign_in_nonce, created_at) VALUES"
            " (gen_random_uuid(), 'ada@example.org', 'Ada', '{owner}', gen_random_uuid(), now())"
        )
    file = written(empty_database, tmp_path / "earlier.backup")
    target = new_database()
    with psycopg.connect(target, autocommit=True) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")

    restored(target, file)

    with connect(target, application_name="test") as conn:
        assert schema.missing_steps(conn) == []
        assert conn.execute("SELECT name FROM accounts").fetchall() == [{"name": "Ada"}]


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ({"format": 2}, "It has format 2"),
        ({"steps": ["9999_later.sql"]}, "a newer version"),
        ({"tables": {"stored_events": {"columns": ["state"], "rows": 1}}}, "It is damaged"),
        ({"tables": {"flights": {"columns": [], "rows": 0}}}, "The database lacks flights"),
        ({"tables": 1}, "It is no backup"),
    ],
)
def test_a_backup_that_does_not_fit_is_refused_and_leaves_nothing(
    conninfo: str, empty_database: str, tmp_path: Path, manifest: dict[str, Any], why: str
) -> None:
    file = written(conninfo, tmp_path / "wrong.backup", **manifest)

    with pytest.raises(backup.BackupUnusable, match=why):
        restored(empty_database, file)

    assert tables_of(empty_database) == set()


def test_a_database_that_holds_something_is_refused(
    original: Services, conninfo: str, tmp_path: Path
) -> None:
    file = written(conninfo, tmp_path / "admitone.backup")

    with pytest.raises(backup.BackupUnusable, match="The database is not empty"):
        restored(conninfo, file)


@pytest.mark.usefixtures("original")
def test_a_damaged_file_is_refused_and_leaves_nothing(
    conninfo: str, empty_database: str, tmp_path: Path
) -> None:
    whole = written(conninfo, tmp_path / "admitone.backup").read_bytes()
    half, flipped = tmp_path / "half.backup", tmp_path / "flipped.backup"
    packed = written(conninfo, tmp_path / "packed.backup", compression=ZIP_DEFLATED)
    half.write_bytes(whole[: len(whole) // 2])
    middle = whole.index(b"calendar.created")
    flipped.write_bytes(whole[:middle] + b"X" + whole[middle + 1 :])
    with ZipFile(packed) as archive:
        begins = archive.getinfo("tables/stored_events").header_offset + 60
    content = packed.read_bytes()
    packed.write_bytes(content[:begins] + bytes(40) + content[begins + 40 :])

    with pytest.raises(BadZipFile):
        restored(empty_database, half)
    for damaged in (flipped, packed):
        with pytest.raises(backup.BackupUnusable, match="stored_events can't be read"):
            restored(empty_database, damaged)

    assert tables_of(empty_database) == set()


def test_what_is_left_out_exists(conninfo: str) -> None:
    assert set(backup.LEFT_OUT) <= tables_of(conninfo)


def test_keys_and_checkpoints_come_back_and_never_replace_others(tmp_path: Path) -> None:
    source = Settings(data=tmp_path / "source")
    key_store.secret_keys(source)
    key_store.checkpoint_signer(source)
    (source.checkpoints_folder / "2026-11-27").mkdir(parents=True)
    (source.checkpoints_folder / "2026-11-27" / "000000000000001.checkpoint").write_text("signed")
    file = tmp_path / "files.backup"
    with ZipFile(file, "w") as archive:
        backup_files.write_keys(archive, source)
        backup_files.write_checkpoints(archive, source.checkpoints_folder)
    target = Settings(data=tmp_path / "target")

    with ZipFile(file) as archive:
        backup_files.write_planned(backup_files.plan(archive, target), target)
        again = backup_files.plan(archive, target)
        with pytest.raises(backup.BackupUnusable, match="ADMITONE_SECRET_KEYS has not the keys"):
            backup_files.plan(archive, replace(target, secret_keys=("x" * 32,)))
        key_store.secret_keys(Settings(data=tmp_path / "other"))
        with pytest.raises(backup.BackupUnusable, match="choose an empty data folder"):
            backup_files.plan(archive, Settings(data=tmp_path / "other"))

    assert again == {}
    assert key_store.secret_keys(target) == key_store.secret_keys(source)
    assert {file.stat().st_mode & 0o777 for file in target.data.iterdir() if file.is_file()} == {
        0o600
    }
    name = "2026-11-27/000000000000001.checkpoint"
    assert (target.checkpoints_folder / name).read_text() == "signed"


def test_a_file_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "evil.backup", "w") as archive:
        archive.writestr("checkpoints/../../evil", "x")
    with ZipFile(tmp_path / "evil.backup") as archive, pytest.raises(backup.BackupUnusable):
        backup_files.plan(archive, Settings(data=tmp_path / "data"))


def test_a_backup_that_is_ended_leaves_nothing_half_made(
    conninfo: str, start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    with psycopg.connect(conninfo) as admin:
        admin.execute("LOCK TABLE personal_data IN ACCESS EXCLUSIVE MODE")
        with start(conninfo, "backup", str(folder / "admitone.backup")) as backing_up:
            wait_until(lambda: waiting_for_a_lock(conninfo))
            assert len(list(folder.iterdir())) == 1
            backing_up.terminate()
            assert backing_up.wait(60) == 1
    assert list(folder.iterdir()) == []


def test_a_backup_never_replaces_a_file_and_can_go_to_standard_output(
    conninfo: str, run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    file = tmp_path / "there"
    file.write_text("mine")

    refused = run(conninfo, "backup", str(file))
    with (tmp_path / "stream").open("wb") as stream:
        made = run(conninfo, "backup", "--without-keys", "-", stdout=stream.fileno())

    assert (refused.returncode, file.read_text()) == (1, "mine")
    assert "exists already" in refused.stderr
    assert (made.returncode, "without the keys" in made.stderr) == (0, True)
    with ZipFile(tmp_path / "stream") as archive:
        assert archive.testzip() is None
        assert not any(name.startswith("keys/") for name in archive.namelist())
