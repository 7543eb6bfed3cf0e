"""Everything can be restored from a backup of six tables made with PostgreSQL's own programs.

The steps are those of the manual in projections/README.md.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from application.calendar_feeds import FeedDetail
from interface.bootstrap import build
from interface.settings import Settings
from projections.catalogue import CATALOGUE
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import NOW, SECRET
from tests.support.projector import apply_log
from tests.support.webhook_receiver import new_webhook

KEPT = (
    *("stored_events", "personal_data", "accounts", "api_keys", "deliveries"),
    *("webhooks", "busy_calendars", "calendar_feeds"),
)
SECURITY_LOG = ("security_log", "security_addresses")
VIEWS = [table.name for projection in CATALOGUE for table in projection.tables]


@pytest.fixture
def programs(server: str) -> Path:
    """The folder of the programs that belong to the server."""
    with psycopg.connect(server) as conn:
        row = conn.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
    assert row is not None
    folder = Path(row[0])
    if not all((folder / name).exists() for name in ("pg_dump", "pg_restore")):
        pytest.skip(f"the server's programs are not at {folder} of this machine")
    return folder


@pytest.fixture
def empty_database(new_database: Callable[[], str]) -> str:
    """A database in which nothing is, no table either."""
    conninfo = new_database()
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")
    return conninfo


def admitone(conninfo: str, *arguments: str) -> str:
    """Runs a command that has to succeed, and returns its output."""
    environment = os.environ | {
        "ADMITONE_DATABASE_URL": conninfo,
        "ADMITONE_SECRET_KEYS": SECRET,
    }
    command = [sys.executable, "-m", "interface.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(program: Path, *arguments: str, database: str) -> None:
    """Runs one of PostgreSQL's programs on the database at a connection string."""
    done = subprocess.run(
        [program, *arguments, "--dbname", database], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def contents(conninfo: str, tables: Sequence[str]) -> dict[str, list[Any]]:
    """All rows of the tables."""
    with psycopg.connect(conninfo, row_factory=dict_row) as conn:
        select = sql.SQL("SELECT * FROM {} ORDER BY 1, 2")
        return {
            table: conn.execute(select.format(sql.Identifier(table))).fetchall() for table in tables
        }


def test_from_the_logs_and_eight_tables_everything_comes_back_and_nobody_is_told_again(
    programs: Path, conninfo: str, empty_database: str, catch_up: Callable[[], None], tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, secret_keys=(SECRET,))
    original = build(settings, conninfo, now=lambda: NOW)
    restored = build(settings, empty_database, now=lambda: NOW)
    backup = tmp_path / "admitone.dump"
    try:
        account = original.accounts.create(
            email="ada@example.org", name="Ada", roles=("owner", "operator")
        )
        key = original.accounts.create_key(account, name="Website", now=NOW)
        new_webhook(original, account.id, "https://93.184.216.34/hook")
        original.busy_calendars.add(
            owner_id=account.id, url="https://93.184.216.34/a.ics", name=None, now=NOW
        )
        original.calendar_feeds.create(
            owner_id=account.id, calendar_id=None, detail=FeedDetail.FULL, now=NOW
        )
        everything_happens(Desk(original))
        catch_up()

        tables = [f"--table={name}" for name in (*KEPT, *SECURITY_LOG)]
        entries = original.security_log.newest(limit=99)
        options = ("--format=custom", "--data-only", f"--file={backup}")
        run(programs / "pg_dump", *options, *tables, database=conninfo)
        admitone(empty_database, "schema", "apply")
        run(
            programs / "pg_restore",
            *("--data-only", "--single-transaction", "--exit-on-error", str(backup)),
            database=empty_database,
        )
        admitone(empty_database, "projections", "rebuild", "--all")
        apply_log(empty_database)
        verified = admitone(empty_database, "projections", "verify", "--all")

        assert len(verified.splitlines()) == len(CATALOGUE)
        assert contents(empty_database, KEPT) == contents(conninfo, KEPT)
        # It goes on with what was done to restore it.
        assert restored.security_log.newest(limit=99)[len(CATALOGUE) :] == entries
        assert contents(empty_database, VIEWS) == contents(conninfo, VIEWS)
        assert all(len(rows) > 0 for rows in contents(empty_database, [*KEPT, *VIEWS]).values())
        caller = restored.accounts.caller(key, now=original.now())
        assert caller is not None
        assert caller.account_id == account.id
        assert conninfo_to_dict(conninfo)["dbname"] != conninfo_to_dict(empty_database)["dbname"]
        calendars = [Desk(services).new_calendar() for services in (original, restored)]
        assert restored.event_store.head() == original.event_store.head()
        assert Desk(restored).log()[-1]["id"] == calendars[1]
    finally:
        original.close()
        restored.close()
