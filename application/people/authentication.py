"""Passwords, and the sessions of browsers.

To check or set a password takes 64 MiB and a tenth of a second of all cores, so the web server
lets few do it at once.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
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
    hash_of_secret,
)
from application.people.email_address import spellings
from application.people.passwords import LONGEST_PASSWORD
from domain.errors import AdmitOneError, NotFound

NEW_PASSWORD = "new-password"  # noqa: S105 - the kind of mail about it
SESSION_LIFETIME = timedelta(days=30)
UNUSED_SESSION_LIFETIME = timedelta(days=7)
LINK_STANDS_FOR_PASSWORD = timedelta(hours=1)
_LAST_USE_IS_RECORDED_EVERY = timedelta(minutes=10)


# With the account as it is now: what its owner changes shows on the next page of any worker.
_SESSION = f"""
    SELECT {ACCOUNT_COLUMNS}, session_id, by_link, last_used_at
    FROM accounts JOIN (
        SELECT id AS session_id, account_id, by_link AND created_at > %s AS by_link, last_used_at
        FROM sessions WHERE token_sha256 = %s AND expires_at > %s AND last_used_at > %s
    ) AS session ON id = account_id
    WHERE disabled_at IS NULL"""  # noqa: S608 - constants


class WrongPassword(AdmitOneError):
    """E-mail address or password is wrong."""


class SessionNotFound(NotFound):
    """This session has ended already."""


@dataclass(frozen=True)
class Session:
    """A browser in which somebody is signed in.

    A person who came `by_link` within the last hour may set a new password without knowing the
    old one.
    """

    id: UUID
    token: str
    account: Account
    by_link: bool


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
        by_link: bool = False,
        how: str = "password",
        browser: str | None = None,
    ) -> Session:
        """Signs the account in at one browser, for 30 days, or until 7 days without use.

        `how` is recorded: with which proof somebody has signed in.
        """
        session_id, token = uuid4(), secrets.token_urlsafe(32)
        with self._database.connection() as conn, conn.transaction():
            conn.execute(
                "DELETE FROM sessions WHERE expires_at <= %s OR last_used_at <= %s",
                (now, now - UNUSED_SESSION_LIFETIME),
            )
            conn.execute(
                """INSERT INTO sessions (id, token_sha256, account_id, created_at, expires_at,
                    last_used_at, by_link, browser)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
                (
                    *(session_id, hash_of_secret(token), account.id),
                    *(now, now + SESSION_LIFETIME, now, by_link, browser),
                ),
            )
            security_log.record(
                conn,
                security_log.SESSION_STARTED,
                account_id=account.id,
                details={"session": str(session_id), "how": how, "browser": browser},
                actor=security_log.account_actor(account.id),
            )
        return Session(session_id, token, account, by_link)

    def find(self, token: str, *, now: datetime) -> Session | None:
        """Returns the session of a cookie, unless it has ended or its account is disabled."""
        row = self._database.fetch_one(
            _SESSION,
            (
                now - LINK_STANDS_FOR_PASSWORD,
                hash_of_secret(token),
                now,
                now - UNUSED_SESSION_LIFETIME,
            ),
        )
        if row is None:
            return None
        session_id: UUID = row.pop("session_id")
        by_link: bool = row.pop("by_link")
        if now - row.pop("last_used_at") > _LAST_USE_IS_RECORDED_EVERY:
            self._database.run_idempotent(
                lambda conn: conn.execute(
                    "UPDATE sessions SET last_used_at = %s WHERE id = %s", (now, session_id)
                )
            )
        return Session(session_id, token, account_of_row(**row), by_link)

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

        Raises `WrongPassword`, also for an account that is disabled.

        Takes as long for an address without an account, so that nobody can find out which
        addresses have one.
        """
        row = self._database.fetch_one(
            f"SELECT id, password_hash, disabled_at FROM accounts {BY_EMAIL}",  # noqa: S608 - a constant
            spellings(email),
        )
        stored = row["password_hash"] if row and row["disabled_at"] is None else None
        if not self._matches(stored or self._hash_of_nobody(), password) or not row or not stored:
            with self._database.connection() as conn, conn.transaction():
                security_log.record_failed_sign_in(
                    conn, account_id=row["id"] if row else None, how="password"
                )
            raise WrongPassword
        return self._accounts.by_id(row["id"])

    def set_password(self, account: Account, password: str, *, now: datetime) -> None:
        """Sets a new password, signs out everywhere and ends the account's sign-in link.

        The account gets a mail about it. Raises `Invalid`.
        """
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
