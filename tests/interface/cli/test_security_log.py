"""The security log on the command line: read, followed, signed, verified and exported."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from application.people import security_log
from application.proofs import verifier
from interface.bootstrap import Services
from interface.cli import security_log as command
from tests.support.audit_trail import recorded_accesses
from tests.support.command_line import Command
from tests.support.desk import Desk
from tests.support.log_trigger import bypass_log_trigger

ME = f"command:{pwd.getpwuid(os.getuid()).pw_name}"


@pytest.fixture
def olivia(admitone: Command) -> str:
    """An account that a command has created; the log begins with it and its sign-in link."""
    assert admitone("accounts", "create", "olivia@example.org").status == 0
    return "olivia@example.org"


def kinds(out: str) -> list[str]:
    return [json.loads(line)["kind"] for line in out.splitlines()]


def test_the_actor_of_a_command_is_its_real_user_whatever_the_environment_says(
    admitone: Command, services: Services, olivia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "the-ceo")
    assert admitone("accounts", "disable", olivia).status == 0
    assert admitone("audit", "accesses").status == 0
    assert services.security_log.newest(limit=1)[0].actor == ME
    assert recorded_accesses(services) == [(ME, "accesses")]


def test_the_log_is_printed_in_order_and_reading_it_is_recorded(
    admitone: Command, services: Services, olivia: str
) -> None:
    services.security_log.record(security_log.DATA_EXPORTED)
    printed = admitone("audit", "security", "--json")
    assert kinds(printed.out) == [
        "account.created",
        "sign-in.link-created",
        "personal-data.exported",
    ]
    first = json.loads(printed.out.splitlines()[0])
    assert first["actor"] == ME
    assert first["details"] == {"roles": "owner"}
    assert first["addresses"] == {"email": olivia}
    lines = admitone("audit", "security", "--account", olivia, "--kind", "account.created")
    assert lines.out.startswith("1  20")
    named = f"{first['account_id']} (olivia, {olivia})"
    assert f"account.created  {ME}  account={named}  roles=owner" in lines.out
    assert admitone("audit", "security", "--since", "2099-01-01").out == ""
    before = admitone("audit", "security", "--since", "2099-01-01", "--until", "2098-01-01")
    assert (before.status, before.out) == (2, "")
    assert "--until: Must not lie before the start." in before.err
    account = services.accounts.by_email(olivia)
    assert [what for _, what in recorded_accesses(services)] == [
        "security",
        f"security kind=account.created account_id={account.id}",
        "security since=2099-01-01 00:00:00+00:00",
    ]


def test_the_log_is_followed_until_somebody_interrupts(
    admitone: Command, services: Services, olivia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[float] = []

    def sleep(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 3:
            raise KeyboardInterrupt
        services.accounts.sign_out(services.accounts.by_email(olivia))

    monkeypatch.setattr(command, "sleep", sleep)
    followed = admitone("audit", "security", "--json", "--follow", "--limit", "1")
    assert kinds(followed.out) == ["sign-in.link-created", *["session.all-ended"] * 2]


def test_personal_data_that_is_exported_or_erased_by_a_command_is_recorded(
    admitone: Command, services: Services, desk: Desk
) -> None:
    assert admitone("privacy", "export", "ada@example.org").status == 0
    (entry,) = services.security_log.newest(limit=9)
    assert (entry.kind, entry.actor) == ("personal-data.exported", ME)
    assert entry.addresses == {"email": "ada@example.org"}
    booking_id = str(desk.book(desk.new_link()))
    assert admitone("privacy", "forget", booking_id).status == 0
    (erased, _) = services.security_log.newest(limit=9)
    assert (erased.kind, erased.actor) == ("personal-data.erased", ME)
    assert erased.details == {"booking": booking_id, "by": "operator"}


def test_old_addresses_are_deleted_with_all_else_that_is_stored_for_long_enough(
    admitone: Command, services: Services, olivia: str
) -> None:
    assert "addresses of 0 entries" in admitone("privacy", "retention").out
    with services.database.connection() as conn:
        conn.execute("UPDATE security_addresses SET at = at - interval '91 days'")
    assert "addresses of 1 entry of the security log" in admitone("privacy", "retention").out
    assert services.security_log.newest(limit=9)[-1].addresses is None


# Proofs


def tamper(conninfo: str, change: str) -> None:
    with psycopg.connect(conninfo) as conn:
        bypass_log_trigger(conn)
        conn.execute(change.encode())


@pytest.fixture
def signed(admitone: Command, desk: Desk, catch_up: Callable[[], None], olivia: str) -> None:
    """Both logs, signed; the security log by two checkpoints."""
    desk.new_link()
    catch_up()
    assert admitone("audit", "checkpoint").status == 0
    assert admitone("audit", "checkpoint", "--security").status == 0
    assert admitone("accounts", "sign-out", olivia).status == 0
    assert admitone("audit", "checkpoint", "--security").status == 0


@pytest.mark.usefixtures("signed")
def test_verify_covers_the_security_log_and_goes_on_when_addresses_are_forgotten(
    admitone: Command, services: Services, conninfo: str
) -> None:
    assert "So is the security log: 3 entries." in admitone("audit", "verify").out
    with services.database.connection() as conn:
        conn.execute("DELETE FROM security_addresses")
    assert "So is the security log: 3 entries." in admitone("audit", "verify").out


@pytest.mark.parametrize(
    ("change", "position", "fault"),
    [
        (
            "UPDATE security_log SET actor = 'account:x' WHERE position = 2",
            2,
            "the event at this position is not what was recorded",
        ),
        ("DELETE FROM security_log WHERE position = 3", 3, "the log ends before this position"),
        (
            """UPDATE security_addresses SET data = '{"email": "eve@example.org"}'""",
            1,
            "the addresses of this entry are not what was recorded",
        ),
    ],
)
@pytest.mark.usefixtures("signed")
def test_verify_names_the_entry_that_is_not_as_recorded(
    admitone: Command, conninfo: str, change: str, position: int, fault: str
) -> None:
    tamper(conninfo, change)
    verified = admitone("audit", "verify")
    assert verified.status == 1
    expected = f"NOT AS RECORDED: position {position} of the security log: {fault}."
    assert verified.out.splitlines()[0] == expected


@pytest.mark.usefixtures("signed")
def test_a_changed_log_is_signed_no_more(admitone: Command, conninfo: str) -> None:
    tamper(conninfo, "UPDATE security_log SET actor = 'account:x' WHERE position = 2")
    refused = admitone("audit", "checkpoint", "--security")
    assert refused.status == 1
    assert "does not lead to the last checkpoint" in refused.err


@pytest.mark.usefixtures("signed")
def test_an_export_is_proved_by_the_same_file_alone_and_has_no_addresses(
    admitone: Command, olivia: str, tmp_path: Path
) -> None:
    out, key = tmp_path / "security.jsonl", tmp_path / "key.txt"
    assert admitone("audit", "export", "--security", "--out", str(out)).status == 0
    key.write_text(admitone("audit", "key", "--security").out)
    arguments = [out, "--checkpoint", f"{out}.checkpoint", "--key", key]
    proved = subprocess.run(
        [sys.executable, verifier.__file__, *map(str, arguments)], capture_output=True, text=True
    )
    assert proved.stdout.startswith("Proved: 3 events from index 0 on are in the tree of 3 that")
    assert olivia not in out.read_text()
