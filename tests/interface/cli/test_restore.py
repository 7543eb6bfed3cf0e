"""What an earlier version handed out works after its backup is restored by this one."""

import json
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest

from domain.link import LinkStatus
from interface.bootstrap import build
from interface.settings import Settings
from tests.support.command_line import Command
from tests.support.desk import Desk
from tests.support.examples import NOW

FOLDER = Path(__file__).with_name("backup_of_step_0051")
HANDED_OUT = json.loads((FOLDER / "handed_out.json").read_text())


def test_links_and_keys_of_step_0051_work_and_the_log_is_as_it_was_signed_then(
    run: Command, empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This process would keep a low priority, and no garbage collection, for all other tests.
    monkeypatch.setattr(
        import_module("interface.cli.projections"), "_yield_to_others", lambda: None
    )
    monkeypatch.setenv("ADMITONE_DATABASE_URL", empty_database)
    monkeypatch.setenv("ADMITONE_DATA", str(tmp_path / "data"))
    done = run("restore", str(FOLDER / "admitone.backup"))
    assert done.status == 0, done.err
    assert "The log is as it was recorded: 43 events, 43 of them covered" in done.out
    verified = run("projections", "verify", "--all")
    assert all("matches the log" in line for line in verified.out.splitlines()), verified.out

    settings = Settings(data=tmp_path / "data")
    with closing(build(settings, empty_database, now=lambda: NOW)) as services:
        desk = Desk(services)
        open_link = services.tokens.link_id(HANDED_OUT["open_link"])
        assert desk.link(open_link).status(NOW) is LinkStatus.ACTIVE
        desk.cancel(services.tokens.booking_id(HANDED_OUT["manage"]))
        desk.redeem(open_link)
        account = services.accounts.first()
        caller = services.accounts.caller(HANDED_OUT["api_key"], now=NOW)
        assert account is not None
        assert caller is not None
        assert caller.account_id == account.id
        password = HANDED_OUT["password"]
        assert services.sessions.with_password("ada@example.org", password) == account
