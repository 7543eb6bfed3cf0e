"""Accounts and their roles."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.people import security_log
from application.people.email_address import (
    InvalidEmailAddress,
    normalized_email_address,
    spellings,
)
from application.people.recent_callers import RecentCallers
from application.people.roles import ROLES, scopes_of
from application.people.tokens import InvalidToken, Tokens
from domain.errors import AdmitOneError, Invalid, NotFound, Sentence
from domain.visible_text import is_visible, without_misleading

SIGN_IN_LIFETIME = timedelta(hours=24)
_ADDRESS_TAKEN = Sentence("An account with this address already exists.")


class AccountNotFound(NotFound):
    """There is no such account."""


class AccountDisabled(AdmitOneError):
    """This account is disabled. Enable it first."""


class OnlyByProvider(AdmitOneError):
    """People sign in only through the sign-in service here."""


class LastAdmin(AdmitOneError):
    """This is the only admin left. Make somebody else an admin first."""


@dataclass(frozen=True)
class Account:
    """A person who can sign in. Invitees see the `name`.

    `language` is the tag of the language in which they last signed in, such as `de-CH`. While an
    account is disabled, nobody signs in to it, and its keys are refused. `muted_mails` are kinds of
    mails about their bookings and links that they do without.
    """

    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    time_zone: str | None
    language: str | None
    has_password: bool
    has_signed_in: bool
    disabled_at: datetime | None
    muted_mails: tuple[str, ...]

    @property
    def scopes(self) -> tuple[str, ...]:
        """All scopes that the roles allow."""
        return scopes_of(self.roles)


BY_EMAIL = "WHERE lower(email) IN (lower(%s), lower(%s)) ORDER BY created_at, id LIMIT 1"
"""Takes the two `spellings` of an address."""

ACCOUNT_COLUMNS = """id, email, name, roles, time_zone, language,
    password_hash IS NOT NULL AS has_password, signed_in_at IS NOT NULL AS has_signed_in,
    disabled_at, muted_mails"""
"""Of the table `accounts`, for `account_of_row`."""

_ACCOUNT = f"SELECT {ACCOUNT_COLUMNS} FROM accounts"  # noqa: S608 - a constant
_ID_BY_EMAIL = f"SELECT id FROM accounts {BY_EMAIL}"  # noqa: S608 - a constant
# Locked in one order, so that two admins who remove each other wait for each other.
_ADMINS = """SELECT id FROM accounts WHERE 'admin' = ANY(roles) AND disabled_at IS NULL
    ORDER BY id FOR UPDATE"""


class Accounts:
    """The accounts of one installation."""

    def __init__(
        self,
        database: Database,
        tokens: Tokens,
        recent_callers: RecentCallers,
        *,
        only_by_provider: bool = False,
    ) -> None:
        """Forgets those of the `recent_callers` whose account it changes.

        With `only_by_provider`, nobody signs in by password, passkey or sign-in link. The one
        exception is a link that was created to break the glass.
        """
        self.only_by_provider = only_by_provider
        self._database = database
        self._tokens = tokens
        self._recent_callers = recent_callers

    def create(self, *, email: str, name: str | None, roles: Collection[str]) -> Account:
        """Creates an account; raises `Invalid`.

        `name` defaults to the part of the address before the @. The address may belong to a
        local network, because the service can do without sending mail to it.
        """
        errors: dict[str, list[str]] = {}
        try:
            email = normalized_email_address(email, may_be_local=True)
        except InvalidEmailAddress as refusal:
            errors["email"] = [refusal.sentence]
        errors |= _role_errors(roles)
        if errors:
            raise Invalid(errors)
        shown = without_misleading(name) if name and is_visible(name) else None
        try:
            with self._database.connection() as conn, conn.transaction():
                account_id = uuid4()
                conn.execute(
                    "INSERT INTO accounts (id, email, name, roles, sign_in_nonce)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    (account_id, email, shown or email.partition("@")[0], list(roles), uuid4()),
                )
                security_log.record(
                    conn,
                    security_log.ACCOUNT_CREATED,
                    account_id=account_id,
                    details={"roles": security_log.listed(roles)},
                    addresses={"email": email},
                )
        except psycopg.errors.UniqueViolation:
            raise Invalid({"email": [_ADDRESS_TAKEN]}) from None
        return self.by_email(email)

    def all(self) -> list[Account]:
        """Returns all accounts, the oldest first."""
        return self._database.fetch_objects(account_of_row, f"{_ACCOUNT} ORDER BY created_at, id")

    def by_email(self, email: str) -> Account:
        """Returns the account with this address, in any case. Raises `AccountNotFound`."""
        return self._one(f"{_ACCOUNT} {BY_EMAIL}", *spellings(email))

    def id_by_email(self, email: str) -> UUID:
        """Like `by_email`, but needs to read no more of an account than auditors may."""
        row = self._database.fetch_one(_ID_BY_EMAIL, spellings(email))
        if row is None:
            raise AccountNotFound
        account_id: UUID = row["id"]
        return account_id

    def by_id(self, account_id: UUID) -> Account:
        """Returns the account with this id. Raises `AccountNotFound`."""
        return self._one(f"{_ACCOUNT} WHERE id = %s", account_id)

    def with_ids(self, account_ids: Collection[UUID]) -> dict[UUID, Account]:
        """Returns those of these accounts that exist, by id."""
        query = f"{_ACCOUNT} WHERE id = ANY(%s)"
        found = self._database.fetch_objects(account_of_row, query, (list(account_ids),))
        return {account.id: account for account in found}

    def change(self, account: Account, *, name: str, time_zone: str | None) -> Account:
        """Changes the name and the IANA time zone of the pages; None means none chosen yet."""
        with self._database.connection() as conn, conn.transaction():
            conn.execute(
                "UPDATE accounts SET name = %s, time_zone = %s WHERE id = %s",
                (name, time_zone, account.id),
            )
            if name != account.name:
                security_log.record(conn, security_log.NAME_CHANGED, account_id=account.id)
        return self.by_id(account.id)

    def set_default_time_zone(self, account_id: UUID, time_zone: str) -> None:
        """Sets the time zone of the pages, unless the account has one already."""
        with self._database.connection() as conn:
            conn.execute(
                "UPDATE accounts SET time_zone = %s WHERE id = %s AND time_zone IS NULL",
                (time_zone, account_id),
            )

    def mute_mails(self, account: Account, kinds: Collection[str]) -> None:
        """Sets the kinds of mails about bookings that the account does without."""
        with self._database.connection() as conn:
            conn.execute(
                "UPDATE accounts SET muted_mails = %s WHERE id = %s",
                (sorted(set(kinds)), account.id),
            )

    def set_language(self, account: Account, language: str) -> None:
        """Sets the language in which the account reads mail."""
        if language != account.language:
            with self._database.connection() as conn:
                conn.execute(
                    "UPDATE accounts SET language = %s WHERE id = %s", (language, account.id)
                )

    def change_email(self, account: Account, email: str) -> Account:
        """Changes the address with which somebody signs in. Raises `Invalid`."""
        try:
            email = normalized_email_address(email, may_be_local=True)
            with self._database.connection() as conn, conn.transaction():
                conn.execute("UPDATE accounts SET email = %s WHERE id = %s", (email, account.id))
                security_log.record(
                    conn,
                    security_log.EMAIL_CHANGED,
                    account_id=account.id,
                    addresses={"email_before": account.email, "email": email},
                )
        except InvalidEmailAddress as refusal:
            raise Invalid({"email": [refusal.sentence]}) from None
        except psycopg.errors.UniqueViolation:
            raise Invalid({"email": [_ADDRESS_TAKEN]}) from None
        return self.by_id(account.id)

    def change_roles(self, account: Account, roles: Collection[str]) -> Account:
        """Gives the account these roles instead of those that it had. Its keys follow.

        Raises `Invalid` or `LastAdmin`.
        """
        if errors := _role_errors(roles):
            raise Invalid(errors)
        with self._database.connection() as conn, conn.transaction():
            if "admin" not in roles:
                _must_leave_an_admin(conn, account)
            conn.execute(
                "UPDATE accounts SET roles = %s WHERE id = %s", (sorted(set(roles)), account.id)
            )
            security_log.record(
                conn,
                security_log.ROLES_CHANGED,
                account_id=account.id,
                details={
                    "roles_before": security_log.listed(account.roles),
                    "roles": security_log.listed(roles),
                },
            )
        self._recent_callers.forget_account(account.id)
        return self.by_id(account.id)

    def disable(self, account: Account, *, now: datetime) -> Account:
        """Ends everybody's access to the account, and keeps what it owns. Raises `LastAdmin`.

        Links that it has shared can still be redeemed.
        """
        with self._database.connection() as conn, conn.transaction():
            _must_leave_an_admin(conn, account)
            conn.execute(
                "UPDATE accounts SET disabled_at = coalesce(disabled_at, %s) WHERE id = %s",
                (now, account.id),
            )
            end_sessions(conn, account.id)
            security_log.record(conn, security_log.ACCOUNT_DISABLED, account_id=account.id)
        self._recent_callers.forget_account(account.id)
        return self.by_id(account.id)

    def enable(self, account: Account) -> Account:
        """Lets people sign in to the account again, and its keys work again."""
        with self._database.connection() as conn, conn.transaction():
            conn.execute("UPDATE accounts SET disabled_at = NULL WHERE id = %s", (account.id,))
            security_log.record(conn, security_log.ACCOUNT_ENABLED, account_id=account.id)
        return self.by_id(account.id)

    def sign_out(self, account: Account) -> None:
        """Signs the account out in all browsers, and ends its sign-in link."""
        with self._database.connection() as conn, conn.transaction():
            end_sessions(conn, account.id)
            security_log.record(conn, security_log.ALL_SESSIONS_ENDED, account_id=account.id)

    def anybody_has_signed_in(self) -> bool:
        """Returns True once somebody has signed in to any account."""
        row = self._database.fetch_one(
            "SELECT EXISTS (SELECT FROM accounts WHERE signed_in_at IS NOT NULL) AS has"
        )
        return row == {"has": True}

    def first(self) -> Account | None:
        """Returns the oldest account, if there is any."""
        return self._find(f"{_ACCOUNT} ORDER BY created_at, id LIMIT 1")

    def sign_in_token(self, account: Account, *, breaks_glass: bool = False) -> str:
        """Returns a token that signs in once, within 24 hours. Earlier ones no longer work.

        A new password or signing out everywhere ends it. One that breaks the glass works even where
        people sign in by a provider only. Raises `AccountDisabled` or `OnlyByProvider`.
        """
        if not breaks_glass:
            self.refuse_if_only_by_provider()
        if account.disabled_at is not None:
            raise AccountDisabled
        nonce = uuid4()
        with self._database.connection() as conn, conn.transaction():
            conn.execute(
                "UPDATE accounts SET sign_in_nonce = %s WHERE id = %s", (nonce, account.id)
            )
            security_log.record(
                conn,
                security_log.SIGN_IN_LINK_CREATED,
                account_id=account.id,
                details={"kind": "break-glass" if breaks_glass else None},
            )
        return self._tokens.for_sign_in(account.id, nonce, breaks_glass=breaks_glass)

    def account_behind(self, token: str) -> Account:
        """Returns the account of a sign-in token, without using it up. Raises `InvalidToken`."""
        account = self._find(
            f"{_ACCOUNT} WHERE id = %s AND sign_in_nonce = %s AND disabled_at IS NULL",
            *self._sign_in(token),
        )
        if account is None:
            raise InvalidToken
        return account

    def sign_in(self, token: str, *, now: datetime) -> Account:
        """Uses the sign-in token up and returns its account. Raises `InvalidToken`."""
        account_id, nonce = self._sign_in(token)
        with self._database.connection() as conn, conn.transaction():
            used = conn.execute(
                """UPDATE accounts SET sign_in_nonce = %s, signed_in_at = %s
                WHERE id = %s AND sign_in_nonce = %s AND disabled_at IS NULL""",
                (uuid4(), now, account_id, nonce),
            )
            if used.rowcount == 0:
                security_log.record_failed_sign_in(conn, account_id=account_id, how="link")
        if used.rowcount == 0:
            raise InvalidToken
        return self.by_id(account_id)

    def refuse_if_only_by_provider(self) -> None:
        """Raises `OnlyByProvider` where that is the only way to sign in."""
        if self.only_by_provider:
            raise OnlyByProvider

    def _sign_in(self, token: str) -> tuple[UUID, UUID]:
        """Returns account id and nonce of a sign-in token. Raises `InvalidToken`."""
        if not self.only_by_provider:
            with suppress(InvalidToken):
                return self._tokens.sign_in(token, lifetime=SIGN_IN_LIFETIME)
        return self._tokens.sign_in(token, lifetime=SIGN_IN_LIFETIME, breaks_glass=True)

    def _one(self, query: str, *values: object) -> Account:
        account = self._find(query, *values)
        if account is None:
            raise AccountNotFound
        return account

    def _find(self, query: str, *values: object) -> Account | None:
        accounts = self._database.fetch_objects(account_of_row, query, values)
        return accounts[0] if accounts else None


def end_sessions(conn: Connection[DictRow], account_id: UUID) -> None:
    """Signs an account out in all browsers, and ends its sign-in link, which would sign in again.

    Part of the transaction of `conn`.
    """
    conn.execute("DELETE FROM sessions WHERE account_id = %s", (account_id,))
    conn.execute("UPDATE accounts SET sign_in_nonce = %s WHERE id = %s", (uuid4(), account_id))


def _role_errors(roles: Collection[str]) -> dict[str, list[str]]:
    unknown = sorted(set(roles) - set(ROLES))
    if not unknown:
        return {}
    return {"role": [f"Unknown: {', '.join(unknown)}. Known: {', '.join(ROLES)}."]}


def _must_leave_an_admin(conn: Connection[DictRow], account: Account) -> None:
    """Raises `LastAdmin` if nobody else is an admin. Holds this true until `conn` commits."""
    if [row["id"] for row in conn.execute(_ADMINS)] == [account.id]:
        raise LastAdmin


def account_of_row(*, roles: list[str], muted_mails: list[str], **columns: Any) -> Account:
    """Returns the account in a row of `ACCOUNT_COLUMNS`."""
    return Account(roles=tuple(roles), muted_mails=tuple(muted_mails), **columns)
