"""Passwords, and the sessions of browsers.

To check or set a password takes 64 MiB and a tenth of a second of all cores, so the web server
lets few do it at once.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from application.deliveries import outbox
from application.eventstore.database import Database
from application.people.accounts import (
    ACCOUNT_COLUMNS,
    BY_EMAIL,
    Account,
    Accounts,
    account_of_row,
    hash_of_secret,
)
from application.people.email_address import spellings
from domain.errors import AdmitOneError, Invalid, Sentence

NEW_PASSWORD = "new-password"  # noqa: S105 - the kind of mail about it
SESSION_LIFETIME = timedelta(days=30)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 256


# With the account as it is now: what its owner changes shows on the next page of any worker.
_SESSION = f"""SELECT {ACCOUNT_COLUMNS}, by_link
    FROM sessions JOIN accounts ON id = account_id
    WHERE token_sha256 = %s AND expires_at > %s"""  # noqa: S608 - constants


class WrongPassword(AdmitOneError):
    """E-mail address or password is wrong."""


@dataclass(frozen=True)
class Session:
    """A browser in which somebody is signed in.

    A person who came `by_link` may set a new password without knowing the old one.
    """

    token: str
    account: Account
    by_link: bool


class Sessions:
    """Signs people in and out. Sessions are stored on the server, so that it can end them."""

    def __init__(self, database: Database, accounts: Accounts) -> None:
        self._database = database
        self._accounts = accounts
        self._hasher = PasswordHasher()
        # Checked in place of accounts that do not exist, so that the time taken is the same.
        self._nobodys_hash: str | None = None

    def start(self, account: Account, *, now: datetime, by_link: bool = False) -> Session:
        """Signs the account in at one browser, for 30 days."""
        token = secrets.token_urlsafe(32)
        with self._database.connection() as conn:
            conn.execute("DELETE FROM sessions WHERE expires_at <= %s", (now,))
            conn.execute(
                """INSERT INTO sessions (token_sha256, account_id, created_at, expires_at, by_link)
                VALUES (%s, %s, %s, %s, %s)""",
                (hash_of_secret(token), account.id, now, now + SESSION_LIFETIME, by_link),
            )
        return Session(token, account, by_link)

    def find(self, token: str, *, now: datetime) -> Session | None:
        """Returns the session of a cookie, unless it has ended."""
        row = self._database.fetch_one(_SESSION, (hash_of_secret(token), now))
        if row is None:
            return None
        by_link = row.pop("by_link")
        return Session(token, account_of_row(**row), by_link)

    def end(self, session: Session) -> None:
        """Signs out at this browser."""
        with self._database.connection() as conn:
            conn.execute(
                "DELETE FROM sessions WHERE token_sha256 = %s", (hash_of_secret(session.token),)
            )

    def end_all(self, account_id: UUID) -> None:
        """Signs out everywhere."""
        with self._database.connection() as conn:
            conn.execute("DELETE FROM sessions WHERE account_id = %s", (account_id,))

    def with_password(self, email: str, password: str) -> Account:
        """Returns the account with this address and password.

        Raises `WrongPassword`.

        Takes as long for an address without an account, so that nobody can find out which
        addresses have one.
        """
        row = self._database.fetch_one(
            f"SELECT id, password_hash FROM accounts {BY_EMAIL}",  # noqa: S608 - a constant
            spellings(email),
        )
        stored = row["password_hash"] if row else None
        if not self._matches(stored or self._hash_of_nobody(), password) or not row or not stored:
            raise WrongPassword
        return self._accounts.by_id(row["id"])

    def set_password(self, account: Account, password: str, *, now: datetime) -> None:
        """Sets a new password and signs out everywhere. The account gets a mail about it.

        Raises `Invalid`.
        """
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            raise Invalid(
                {
                    "password": [
                        Sentence(
                            "Must be {least} to {most} characters.",
                            least=SHORTEST_PASSWORD,
                            most=LONGEST_PASSWORD,
                        )
                    ]
                }
            )
        hashed = self._hasher.hash(password)
        with self._database.connection() as conn, conn.transaction():
            conn.execute(
                "UPDATE accounts SET password_hash = %s WHERE id = %s", (hashed, account.id)
            )
            conn.execute("DELETE FROM sessions WHERE account_id = %s", (account.id,))
            outbox.add_notice(conn, account_id=account.id, kind=NEW_PASSWORD, now=now)

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
