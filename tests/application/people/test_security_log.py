"""The security log: what it records about whom, what it never holds, and that it only grows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from application.people import security_log
from application.people.accounts import Account, Accounts
from application.people.api_keys import ApiKeys
from application.people.authentication import Session, Sessions, WrongPassword
from application.people.personal_data import commitment
from application.people.security_log import Entry, Origin, SecurityLog
from application.people.tokens import InvalidToken
from interface.bootstrap import Services
from tests.application.conftest import rows_of
from tests.support.examples import NOW

PASSWORD = "correct horse battery"  # noqa: S105
ADDRESS = "192.0.2.7"


@pytest.fixture
def log(services: Services) -> SecurityLog:
    return services.security_log


@pytest.fixture
def session(services: Services, olivia: Account) -> Session:
    """A session of an account with a password; the log has three entries by then."""
    services.sessions.set_password(olivia, PASSWORD, now=NOW)
    return services.sessions.start(olivia, now=NOW, browser="Firefox, Linux")


def newest(log: SecurityLog) -> Entry:
    return log.newest(limit=1)[0]


def facts(entry: Entry) -> tuple[str, dict[str, str]]:
    return entry.kind, entry.details


ACTS: list[tuple[Callable[[Services, Account], object], str, dict[str, str]]] = [
    (
        lambda on, account: on.accounts.change(account, name="Olivia O.", time_zone=None),
        security_log.NAME_CHANGED,
        {},
    ),
    (
        lambda on, account: on.accounts.change_roles(account, ["auditor", "owner"]),
        security_log.ROLES_CHANGED,
        {"roles_before": "owner", "roles": "auditor,owner"},
    ),
    (
        lambda on, account: on.accounts.change_email(account, "olivia@example.com"),
        security_log.EMAIL_CHANGED,
        {},
    ),
    (lambda on, account: on.accounts.disable(account, now=NOW), security_log.ACCOUNT_DISABLED, {}),
    (lambda on, account: on.accounts.enable(account), security_log.ACCOUNT_ENABLED, {}),
    (lambda on, account: on.accounts.sign_out(account), security_log.ALL_SESSIONS_ENDED, {}),
    (lambda on, account: on.accounts.sign_in_token(account), security_log.SIGN_IN_LINK_CREATED, {}),
    (
        lambda on, account: on.sessions.set_password(account, PASSWORD, now=NOW),
        security_log.PASSWORD_SET,
        {},
    ),
]


@pytest.mark.parametrize(("act", "kind", "details"), ACTS, ids=[kind for _, kind, _ in ACTS])
def test_what_is_done_to_an_account_is_recorded_with_who_did_it_and_from_where(
    services: Services,
    log: SecurityLog,
    olivia: Account,
    act: Callable[[Services, Account], object],
    kind: str,
    details: dict[str, str],
) -> None:
    with security_log.acting(lambda: Origin("account:admin", ADDRESS)):
        act(services, olivia)
    entry = newest(log)
    assert facts(entry) == (kind, details)
    assert (entry.actor, entry.account_id) == ("account:admin", olivia.id)
    assert entry.addresses
    assert entry.addresses["address"] == ADDRESS


def test_a_new_account_is_recorded_with_its_roles_and_address(
    log: SecurityLog, olivia: Account
) -> None:
    entry = newest(log)
    assert facts(entry) == ("account.created", {"roles": "owner"})
    assert (entry.actor, entry.account_id) == ("service", olivia.id)
    assert entry.addresses == {"email": "olivia@example.org"}


def test_a_key_is_recorded_by_its_prefix_when_it_is_created_and_when_it_is_first_revoked(
    api_keys: ApiKeys, log: SecurityLog, olivia: Account
) -> None:
    key = api_keys.create(olivia, name="laptop", scopes=["links"], now=NOW)
    prefix = key.split("_")[1]
    expires_at = "2027-11-23T08:00:00+00:00"
    assert facts(newest(log)) == (
        "key.created",
        {"key": prefix, "scopes": "links", "expires_at": expires_at},
    )
    api_keys.revoke(prefix, now=NOW)
    api_keys.revoke(prefix, now=NOW)
    assert [entry.kind for entry in log.newest(limit=2)] == ["key.revoked", "key.created"]
    assert facts(newest(log)) == ("key.revoked", {"key": prefix})


def test_a_session_is_recorded_from_its_start_to_its_end(
    services: Services, log: SecurityLog, session: Session
) -> None:
    started = newest(log)
    expected = {"session": str(session.id), "how": "password", "browser": "Firefox, Linux"}
    assert facts(started) == ("session.started", expected)
    assert started.actor == f"account:{session.account.id}"
    services.sessions.end(session)
    services.sessions.end(session)
    ended = [facts(entry) for entry in log.newest(limit=2)]
    assert ended[0] == ("session.ended", {"session": str(session.id)})
    assert ended[1] == facts(started)


def test_nothing_is_recorded_of_what_was_not_done(
    accounts: Accounts, log: SecurityLog, olivia: Account, conn: Connection[DictRow]
) -> None:
    conn.execute("ALTER TABLE security_log ADD CONSTRAINT none CHECK (kind = 'x') NOT VALID")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            accounts.change_roles(olivia, ["admin"])
    finally:
        conn.execute("ALTER TABLE security_log DROP CONSTRAINT none")
    assert accounts.by_id(olivia.id).roles == ("owner",)
    assert newest(log).kind == "account.created"


# Failed sign-ins


def fail(sessions: Sessions, email: str, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(WrongPassword):
            sessions.with_password(email, "a wrong password")


def test_a_failed_sign_in_is_recorded_with_its_account_and_never_with_what_was_typed(
    services: Services, log: SecurityLog, olivia: Account, conninfo: str
) -> None:
    with security_log.acting(lambda: Origin("stranger", ADDRESS)):
        fail(services.sessions, olivia.email)
        fail(services.sessions, "my-password@example.org")
    unknown, known = log.newest(limit=2)
    for entry, account_id in ((known, olivia.id), (unknown, None)):
        assert facts(entry) == ("sign-in.failed", {"how": "password"})
        assert (entry.actor, entry.account_id) == ("stranger", account_id)
        assert entry.addresses == {"address": ADDRESS}
    stored = rows_of(conninfo, "security_log") + rows_of(conninfo, "security_addresses")
    assert "my-password" not in stored
    assert "wrong password" not in stored


def test_a_sign_in_link_that_was_used_before_is_a_failed_sign_in(
    accounts: Accounts, log: SecurityLog, olivia: Account
) -> None:
    token = accounts.sign_in_token(olivia)
    accounts.sign_in(token, now=NOW)
    with pytest.raises(InvalidToken):
        accounts.sign_in(token, now=NOW)
    assert facts(newest(log)) == ("sign-in.failed", {"how": "link"})


def test_strangers_fill_no_disk_and_what_was_not_recorded_is_counted(
    services: Services,
    log: SecurityLog,
    olivia: Account,
    monkeypatch: pytest.MonkeyPatch,
    conninfo: str,
) -> None:
    monkeypatch.setattr(security_log, "FAILURES_IN_ALL", 4)
    monkeypatch.setattr(security_log, "FAILURES_OF_AN_ACCOUNT", 2)
    fail(services.sessions, olivia.email, times=5)
    fail(services.sessions, "nobody@example.org", times=3)
    fail(services.sessions, "somebody@example.org", times=3)
    failed = log.newest(limit=100, kind=security_log.SIGN_IN_FAILED)
    assert [entry.account_id for entry in failed] == [None, None, olivia.id, olivia.id]
    assert log.tell_unrecorded() == 7
    assert log.tell_unrecorded() == 0
    told = log.newest(limit=100, kind=security_log.SIGN_INS_UNRECORDED)
    assert {entry.account_id: entry.details["times"] for entry in told} == {
        None: "4",
        olivia.id: "3",
    }


# Addresses


def test_addresses_are_deleted_after_a_while_and_the_hashes_stay_as_they_were(
    log: SecurityLog, olivia: Account, conn: Connection[DictRow]
) -> None:
    entry = newest(log)
    row = conn.execute("SELECT salt, data FROM security_addresses").fetchone()
    assert row
    assert entry.commitment == commitment(row["salt"], row["data"])
    soon = datetime.now(UTC) + timedelta(days=1)
    assert log.forget_addresses(before=soon - timedelta(days=2)) == 0
    assert log.forget_addresses(before=soon) == 1
    later = newest(log)
    assert later.addresses is None
    assert later.leaf() == entry.leaf()


def test_an_act_without_any_address_has_no_commitment(log: SecurityLog, olivia: Account) -> None:
    log.record(security_log.DATA_EXPORTED, account_id=olivia.id)
    assert newest(log).commitment is None


# The log


def test_the_log_is_narrowed_to_an_account_as_actor_and_as_concerned_to_a_kind_and_to_a_time(
    services: Services, log: SecurityLog, olivia: Account
) -> None:
    with security_log.acting(lambda: Origin(f"account:{olivia.id}")):
        other = services.accounts.create(email="bob@example.org", name=None, roles=["owner"])
    log.record(security_log.DATA_EXPORTED)
    positions = [entry.position for entry in log.newest(limit=9)]
    assert positions == sorted(positions, reverse=True)
    exported, created, first = log.newest(limit=9)
    assert log.newest(limit=9, account_id=olivia.id) == [created, first]
    assert log.newest(limit=9, account_id=other.id) == [created]
    assert log.newest(limit=9, kind="account.created", before=created.position) == [first]
    assert log.newest(limit=9, since=exported.at) == [exported]
    assert log.newest(limit=1, until=exported.at) == [created]


@pytest.mark.parametrize(
    "change", ["UPDATE security_log SET actor = 'x'", "DELETE FROM security_log"]
)
def test_nobody_changes_or_deletes_an_entry(
    olivia: Account, conn: Connection[DictRow], change: str
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only grows"):
        conn.execute(change.encode())


def test_an_unknown_kind_is_refused(log: SecurityLog) -> None:
    with pytest.raises(ValueError, match="kinds"):
        log.record("account.invented")
