"""Accounts, their roles and their API keys."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID, uuid4

import psycopg

from application.deliveries import outbox
from application.eventstore.database import Database
from application.people.email_address import (
    InvalidEmailAddress,
    normalized_email_address,
    spellings,
)
from application.people.roles import ALL_SCOPES, ROLES, SCOPES_OF
from application.people.tokens import InvalidToken, Tokens
from domain.errors import Invalid, NotFound

SIGN_IN_LIFETIME = timedelta(hours=24)
NEW_KEY = "new-key"
"""The kind of mail about a new API key; its target is the prefix of the key."""

_KEY_START = "ao"
_LAST_USE_IS_RECORDED_EVERY = timedelta(minutes=1)


class AccountNotFound(NotFound):
    """There is no such account."""


class KeyNotFound(NotFound):
    """There is no such API key."""


@dataclass(frozen=True)
class Account:
    """A person who can sign in. Invitees see the `name`.

    `language` is the tag of the language in which they last signed in, such as `de-CH`.
    """

    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    time_zone: str | None
    language: str | None
    has_password: bool
    has_signed_in: bool

    @property
    def scopes(self) -> tuple[str, ...]:
        """All scopes that the roles allow."""
        if "admin" in self.roles:
            return ALL_SCOPES
        return tuple(scope for role in self.roles for scope in SCOPES_OF[role])


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret, which is shown only once."""

    prefix: str
    email: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class Caller:
    """The account that a request acts for, and the actor that its events will name."""

    account_id: UUID
    scopes: frozenset[str]
    actor: str


BY_EMAIL = "WHERE lower(email) IN (lower(%s), lower(%s)) ORDER BY created_at, id LIMIT 1"
"""Takes the two `spellings` of an address."""

_ACCOUNT = """SELECT id, email, name, roles, time_zone, language,
    password_hash IS NOT NULL AS has_password, signed_in_at IS NOT NULL AS has_signed_in
    FROM accounts"""
_KEYS = """SELECT prefix, email, k.name, scopes, k.created_at, last_used_at, revoked_at
    FROM api_keys k JOIN accounts a ON a.id = account_id"""


class Accounts:
    """The accounts of one installation."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens

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
        if unknown := sorted(set(roles) - set(ROLES)):
            errors["role"] = [f"Unknown: {', '.join(unknown)}. Known: {', '.join(ROLES)}."]
        if errors:
            raise Invalid(errors)
        try:
            with self._database.connection() as conn:
                conn.execute(
                    "INSERT INTO accounts (id, email, name, roles, sign_in_nonce)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    (uuid4(), email, name or email.partition("@")[0], list(roles), uuid4()),
                )
        except psycopg.errors.UniqueViolation:
            raise Invalid({"email": ["There is an account with this address already."]}) from None
        return self.by_email(email)

    def by_email(self, email: str) -> Account:
        """Returns the account with this address, in any case. Raises `AccountNotFound`."""
        return self._one(f"{_ACCOUNT} {BY_EMAIL}", *spellings(email))

    def by_id(self, account_id: UUID) -> Account:
        """Returns the account with this id. Raises `AccountNotFound`."""
        return self._one(f"{_ACCOUNT} WHERE id = %s", account_id)

    def change(self, account: Account, *, name: str, time_zone: str | None) -> Account:
        """Changes the name and the IANA time zone of the pages; None means none chosen yet."""
        with self._database.connection() as conn:
            conn.execute(
                "UPDATE accounts SET name = %s, time_zone = %s WHERE id = %s",
                (name, time_zone, account.id),
            )
        return self.by_id(account.id)

    def set_default_time_zone(self, account_id: UUID, time_zone: str) -> None:
        """Sets the time zone of the pages, unless the account has one already."""
        with self._database.connection() as conn:
            conn.execute(
                "UPDATE accounts SET time_zone = %s WHERE id = %s AND time_zone IS NULL",
                (time_zone, account_id),
            )

    def set_language(self, account: Account, language: str) -> None:
        """Sets the language in which the account reads mail."""
        if language != account.language:
            with self._database.connection() as conn:
                conn.execute(
                    "UPDATE accounts SET language = %s WHERE id = %s", (language, account.id)
                )

    def first(self) -> Account | None:
        """Returns the oldest account, if there is any."""
        return self._find(f"{_ACCOUNT} ORDER BY created_at, id LIMIT 1")

    def sign_in_token(self, account: Account) -> str:
        """Returns a token that signs in once, within 24 hours. Earlier ones no longer work."""
        nonce = uuid4()
        with self._database.connection() as conn:
            conn.execute(
                "UPDATE accounts SET sign_in_nonce = %s WHERE id = %s", (nonce, account.id)
            )
        return self._tokens.for_sign_in(account.id, nonce)

    def account_behind(self, token: str) -> Account:
        """Returns the account of a sign-in token, without using it up. Raises `InvalidToken`."""
        account = self._find(
            f"{_ACCOUNT} WHERE id = %s AND sign_in_nonce = %s",
            *self._tokens.sign_in(token, lifetime=SIGN_IN_LIFETIME),
        )
        if account is None:
            raise InvalidToken
        return account

    def sign_in(self, token: str, *, now: datetime) -> Account:
        """Uses the sign-in token up and returns its account. Raises `InvalidToken`."""
        account_id, nonce = self._tokens.sign_in(token, lifetime=SIGN_IN_LIFETIME)
        with self._database.connection() as conn:
            used = conn.execute(
                """UPDATE accounts SET sign_in_nonce = %s, signed_in_at = %s
                WHERE id = %s AND sign_in_nonce = %s""",
                (uuid4(), now, account_id, nonce),
            )
        if used.rowcount == 0:
            raise InvalidToken
        return self.by_id(account_id)

    def create_key(
        self, account: Account, *, name: str, now: datetime, scopes: Sequence[str] | None = None
    ) -> str:
        """Creates an API key and returns it, which can be done only once. Raises `Invalid`.

        Without `scopes`, it has all that the roles of the account allow. The account gets a mail
        about it.
        """
        wanted = tuple(dict.fromkeys(scopes or account.scopes))
        if forbidden := sorted(set(wanted) - set(account.scopes)):
            raise Invalid(
                {
                    "scope": [
                        f"This account may not have {', '.join(forbidden)}."
                        f" It may have: {', '.join(account.scopes) or 'none'}."
                    ]
                }
            )
        prefix, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        with self._database.connection() as conn, conn.transaction():
            outbox.add_notice(conn, account_id=account.id, kind=NEW_KEY, target=prefix, now=now)
            conn.execute(
                """INSERT INTO api_keys (prefix, account_id, name, secret_sha256, scopes)
                VALUES (%s, %s, %s, %s, %s)""",
                (prefix, account.id, name, hash_of_secret(secret), list(wanted)),
            )
        return f"{_KEY_START}_{prefix}_{secret}"

    def api_keys(self) -> list[ApiKey]:
        """Returns the keys of all accounts, newest first."""
        return self._keys(_KEYS)

    def keys_of(self, account: Account) -> list[ApiKey]:
        """Returns the keys of one account, newest first."""
        return self._keys(f"{_KEYS} WHERE account_id = %s", account.id)

    def revoke_key(self, prefix: str, *, now: datetime, of: Account | None = None) -> None:
        """Revokes a key at once. Does nothing the second time.

        With `of`, only a key of that account counts. Raises `KeyNotFound`.
        """
        with self._database.connection() as conn:
            revoked = conn.execute(
                """UPDATE api_keys SET revoked_at = coalesce(revoked_at, %s)
                WHERE prefix = %s AND account_id = coalesce(%s, account_id)""",
                (now, prefix, of and of.id),
            )
        if revoked.rowcount == 0:
            raise KeyNotFound

    def caller(self, key: str, *, now: datetime) -> Caller | None:
        """Returns the caller of an API key; None for a key that is wrong or revoked."""
        start, _, rest = key.partition("_")
        prefix, _, secret = rest.partition("_")
        if start != _KEY_START or not key.isascii() or "\0" in key:
            return None
        row = self._database.fetch_one(
            """SELECT account_id, secret_sha256, scopes, last_used_at FROM api_keys
            WHERE prefix = %s AND revoked_at IS NULL""",
            (prefix,),
        )
        if row is None or not compare_digest(row["secret_sha256"], hash_of_secret(secret)):
            return None
        if row["last_used_at"] is None or now - row["last_used_at"] > _LAST_USE_IS_RECORDED_EVERY:
            self._database.run_idempotent(
                lambda conn: conn.execute(
                    "UPDATE api_keys SET last_used_at = %s WHERE prefix = %s", (now, prefix)
                )
            )
        return Caller(row["account_id"], frozenset(row["scopes"]), f"key:{prefix}")

    def _keys(self, query: str, *values: object) -> list[ApiKey]:
        newest_first = f"{query} ORDER BY k.created_at DESC, prefix"
        return self._database.fetch_objects(_api_key, newest_first, values)

    def _one(self, query: str, *values: object) -> Account:
        account = self._find(query, *values)
        if account is None:
            raise AccountNotFound
        return account

    def _find(self, query: str, *values: object) -> Account | None:
        accounts = self._database.fetch_objects(_account, query, values)
        return accounts[0] if accounts else None


def hash_of_secret(secret: str) -> bytes:
    """Returns the SHA-256 of a random secret.

    A plain hash is enough: nobody can guess 256 random bits.
    """
    return hashlib.sha256(secret.encode()).digest()


def _account(*, roles: list[str], **columns: Any) -> Account:
    return Account(roles=tuple(roles), **columns)


def _api_key(*, scopes: list[str], **columns: Any) -> ApiKey:
    return ApiKey(scopes=tuple(scopes), **columns)
