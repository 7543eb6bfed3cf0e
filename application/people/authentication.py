"""Passwords, and the sessions of browsers.

To check or set a password takes 64 MiB and a tenth of a second of all cores, so the web server
lets few do it at once.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries import outbox
from application.eventstore.database import Database
from application.people import passwords, security_log
from application.people.accounts import (
    ACCOUNT_COLUMNS,
    BY_EMAIL,
    Account,
    Accounts,
    account_of_row,
    end_sessions,
)
from application.people.email_address import spellings
from application.people.passwords import LONGEST_PASSWORD
from application.people.tokens import hash_of_secret
from domain.errors import AdmitOneError, NotFound

NEW_PASSWORD = "new-password"  # noqa: S105 - the kind of mail about it
NEW_BROWSER = "new-browser"
"""The kind of mail about a sign-in at a new browser; its target is the id of the session."""
SESSION_LIFETIME = timedelta(days=30)
UNUSED_SESSION_LIFETIME = timedelta(days=7)
CONFIRMED_FOR = timedelta(minutes=10)
CONFIRMED_BY_LINK_FOR = timedelta(hours=1)
"""Longer than by anything else, so that the bearer of a link has time to set a password."""
_LAST_USE_IS_RECORDED_EVERY = timedelta(minutes=10)


# With the account as it is now: what its owner changes shows on the next page of any worker.
_SESSION = f"""
    SELECT {ACCOUNT_COLUMNS}, session_id, confirmed_by, confirmed_until, last_used_at
    FROM accounts JOIN (
        SELECT id AS session_id, account_id, last_used_at, confirmed_by,
            coalesce(confirmed_until, created_at) AS confirmed_until
        FROM sessions WHERE token_sha256 = %s AND expires_at > %s AND last_used_at > %s
    ) AS session ON id = account_id
    WHERE disabled_at IS NULL"""  # noqa: S608 - constants


_WITH_PASSWORD_HASH = f"""
    SELECT {ACCOUNT_COLUMNS} FROM accounts
    WHERE id = %s AND password_hash = %s AND disabled_at IS NULL"""  # noqa: S608 - constants


class Proof(StrEnum):
    """The kinds of proof that somebody can give of who they are."""

    PASSWORD = "password"  # noqa: S105 - a kind
    PASSKEY = "passkey"
    LINK = "link"
    PROVIDER = "provider"
    """The identity provider, by OpenID Connect."""


class WrongPassword(AdmitOneError):
    """E-mail address or password is wrong."""


class SessionNotFound(NotFound):
    """This session has ended already."""


@dataclass(frozen=True)
class Session:
    """A browser in which somebody is signed in.

    Until `confirmed_until` it may do what needs a fresh proof of who is there, such as creating
    an API key.
    """

    id: UUID
    token: str
    account: Account
    confirmed_by: Proof
    confirmed_until: datetime

    def is_confirmed(self, *, now: datetime) -> bool:
        """Returns True if it is proved by now who is at the browser."""
        return now < self.confirmed_until

    def can_set_password(self, *, now: datetime) -> bool:
        """Returns True if that takes no current password: a proof by something else is fresh."""
        return self.is_confirmed(now=now) and self.confirmed_by is not Proof.PASSWORD


@dataclass(frozen=True)
class OpenSession:
    """A session as its account sees it. `browser` is such as Firefox on Windows, if known."""

    id: UUID
    browser: str | None
    created_at: datetime
    last_used_at: datetime


class Sessions:
    """Signs people in and out. Sessions are stored on the server, so that it can end them."""

    def __init__(self, database: Database, accounts: Accounts) -> None:
        self._database = database
        self._accounts = accounts
        self._hasher = PasswordHasher()
        # Checked in place of accounts that do not exist, so that the time taken is the same.
        self._nobodys_hash: str | None = None

    def start(
        self,
        account: Account,
        *,
        now: datetime,
        by: Proof = Proof.PASSWORD,
        confirmed_until: datetime | None = None,
        is_renewal: bool = False,
        browser: str | None = None,
        is_new_browser: bool = False,
    ) -> Session:
        """Signs the account in at one browser, for 30 days, or until 7 days without use.

        `by` proves who is there for the usual time, or until `confirmed_until`. A renewal goes on
        from an earlier session. Somebody who has signed in before gets a mail about a browser that
        is new.
        """
        session_id, token = uuid4(), secrets.token_urlsafe(32)
        until = confirmed_until or now + _confirmed_for(by)
        how = "renewal" if is_renewal else by.value
        with self._database.connection() as conn, conn.transaction():
            conn.execute(
                "DELETE FROM sessions WHERE expires_at <= %s OR last_used_at <= %s",
                (now, now - UNUSED_SESSION_LIFETIME),
            )
            conn.execute(
                """INSERT INTO sessions (id, token_sha256, account_id, created_at, expires_at,
                    last_used_at, confirmed_by, confirmed_until, browser)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                (
                    *(session_id, hash_of_secret(token), account.id),
                    *(now, now + SESSION_LIFETIME, now, by, until, browser),
                ),
            )
            if is_new_browser and _has_signed_in(conn, account):
                outbox.add_notice(
                    conn, account_id=account.id, kind=NEW_BROWSER, target=str(session_id), now=now
                )
            security_log.record(
                conn,
                security_log.SESSION_STARTED,
                account_id=account.id,
                details={"session": str(session_id), "how": how, "browser": browser},
                actor=security_log.account_actor(account.id),
            )
        return Session(session_id, token, account, by, until)

    def find(self, token: str, *, now: datetime) -> Session | None:
        """Returns the session of a cookie, unless it has ended or its account is disabled."""
        row = self._database.fetch_one(
            _SESSION,
            (hash_of_secret(token), now, now - UNUSED_SESSION_LIFETIME),
        )
        if row is None:
            return None
        session_id: UUID = row.pop("session_id")
        confirmed_by = Proof(row.pop("confirmed_by"))
        confirmed_until: datetime = row.pop("confirmed_until")
        if now - row.pop("last_used_at") > _LAST_USE_IS_RECORDED_EVERY:
            self._database.run_idempotent(
                lambda conn: conn.execute(
                    "UPDATE sessions SET last_used_at = %s WHERE id = %s", (now, session_id)
                )
            )
        return Session(session_id, token, account_of_row(**row), confirmed_by, confirmed_until)

    def confirm(self, session: Session, *, by: Proof, now: datetime) -> None:
        """Records a fresh proof of who is at the browser."""
        with self._database.connection() as conn:
            conn.execute(
                "UPDATE sessions SET confirmed_by = %s, confirmed_until = %s WHERE id = %s",
                (by, now + _confirmed_for(by), session.id),
            )

    def all(self, account: Account, *, now: datetime) -> list[OpenSession]:
        """Returns the sessions of an account that have not ended, the last used one first."""
        return self._database.fetch_objects(
            OpenSession,
            """SELECT id, browser, created_at, last_used_at FROM sessions
            WHERE account_id = %s AND expires_at > %s AND last_used_at > %s
            ORDER BY last_used_at DESC, created_at DESC, id""",
            (account.id, now, now - UNUSED_SESSION_LIFETIME),
        )

    def end_one(self, account: Account, session_id: UUID) -> None:
        """Signs an account out at one browser. Raises `SessionNotFound`, also for another's."""
        with self._database.connection() as conn, conn.transaction():
            if not _end(conn, account, session_id):
                raise SessionNotFound

    def end(self, session: Session) -> None:
        """Signs out at this browser."""
        with self._database.connection() as conn, conn.transaction():
            _end(conn, session.account, session.id)

    def with_password(self, email: str, password: str) -> Account:
        """Returns the account with this address and password.

        Raises `OnlyByProvider`, or `WrongPassword`, also for an account that is disabled.

        Takes as long for an address without an account, so that nobody can find out which
        addresses have one.
        """
        self._accounts.refuse_if_only_by_provider()
        row = self._database.fetch_one(
            f"SELECT id, password_hash, disabled_at FROM accounts {BY_EMAIL}",  # noqa: S608 - a constant
            spellings(email),
        )
        stored = row["password_hash"] if row and row["disabled_at"] is None else None
        is_right = self._matches(stored or self._hash_of_nobody(), password)
        # Checked again, because that took a while: a password that was replaced meanwhile signs
        # nobody in any more.
        accounts = self._database.fetch_objects(
            account_of_row, _WITH_PASSWORD_HASH, (row and row["id"], stored if is_right else None)
        )
        if not accounts:
            with self._database.connection() as conn, conn.transaction():
                security_log.record_failed_sign_in(
                    conn, account_id=row["id"] if row else None, how="password"
                )
            raise WrongPassword
        return accounts[0]

    def set_password(self, account: Account, password: str, *, now: datetime) -> None:
        """Sets a new password, signs out everywhere and ends the account's sign-in link.

        The account gets a mail about it. Raises `Invalid` or `OnlyByProvider`.
        """
        self._accounts.refuse_if_only_by_provider()
        name, _, domain = account.email.partition("@")
        passwords.check(password, personal=(account.name, account.email, name, domain))
        hashed = self._hasher.hash(password)
        with self._database.connection() as conn, conn.transaction():
            conn.execute(
                "UPDATE accounts SET password_hash = %s WHERE id = %s", (hashed, account.id)
            )
            end_sessions(conn, account.id)
            outbox.add_notice(conn, account_id=account.id, kind=NEW_PASSWORD, now=now)
            security_log.record(conn, security_log.PASSWORD_SET, account_id=account.id)

    def _matches(self, hashed: str, password: str) -> bool:
        if len(password) > LONGEST_PASSWORD:
            return False
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _hash_of_nobody(self) -> str:
        if self._nobodys_hash is None:
            self._nobodys_hash = self._hasher.hash(secrets.token_urlsafe(16))
        return self._nobodys_hash


def _has_signed_in(conn: Connection[DictRow], account: Account) -> bool:
    """Returns True if the security log knows of an earlier session of the account."""
    found = conn.execute(
        "SELECT FROM security_log WHERE account_id = %s AND kind = %s LIMIT 1",
        (account.id, security_log.SESSION_STARTED),
    )
    return found.rowcount > 0


def _confirmed_for(proof: Proof) -> timedelta:
    return CONFIRMED_BY_LINK_FOR if proof is Proof.LINK else CONFIRMED_FOR


def _end(conn: Connection[DictRow], account: Account, session_id: UUID) -> bool:
    """Ends a session of an account; returns False if there is none."""
    ended = conn.execute(
        "DELETE FROM sessions WHERE id = %s AND account_id = %s", (session_id, account.id)
    )
    if ended.rowcount:
        security_log.record(
            conn,
            security_log.SESSION_ENDED,
            account_id=account.id,
            details={"session": str(session_id)},
        )
    return ended.rowcount > 0
