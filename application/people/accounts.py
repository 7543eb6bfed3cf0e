"""Accounts, their roles and their API keys."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries import outbox
from application.eventstore.database import Database
from application.people import security_log
from application.people.email_address import (
    InvalidEmailAddress,
    normalized_email_address,
    spellings,
)
from application.people.recent_callers import Caller, RecentCallers
from application.people.roles import KEY_DAYS, ROLES, scopes_of
from application.people.tokens import InvalidToken, Tokens
from domain.errors import AdmitOneError, Invalid, NotFound, Sentence
from domain.visible_text import is_visible, without_misleading

SIGN_IN_LIFETIME = timedelta(hours=24)
KEY_LIFETIME = timedelta(days=KEY_DAYS)
NEW_KEY = "new-key"
"""The kind of mail about a new API key; its target is the prefix of the key."""

SHORTEST_SEED = 32
"""Characters of the secret from which an API key can be derived."""

_KEY_START = "ao"
_ADDRESS_TAKEN = Sentence("An account with this address already exists.")
_LAST_USE_IS_RECORDED_EVERY = timedelta(minutes=1)


class AccountNotFound(NotFound):
    """There is no such account."""


class KeyNotFound(NotFound):
    """There is no such API key."""


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


@dataclass(frozen=True)
class ApiKey:
    """An API key without its secret, which is shown only once.

    What it may do is what both its `scopes` and the roles of its account allow. An assistant acts
    with one that `is_agent`, and issues at most `links_a_day` with it, of which at most
    `links_at_once` are open at a time; None: no limit.
    """

    prefix: str
    email: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    is_agent: bool
    links_a_day: int | None
    links_at_once: int | None


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
_KEYS = """SELECT prefix, email, k.name, scopes, k.created_at, expires_at, last_used_at, revoked_at,
        is_agent, links_a_day, links_at_once
    FROM api_keys k JOIN accounts a ON a.id = account_id"""


class Accounts:
    """The accounts of one installation."""

    def __init__(
        self, database: Database, tokens: Tokens, *, only_by_provider: bool = False
    ) -> None:
        """With `only_by_provider`, nobody signs in by password, passkey or sign-in link.

        The one exception is a link that was created to break the glass.
        """
        self.only_by_provider = only_by_provider
        self._database = database
        self._tokens = tokens
        self._recent_callers = RecentCallers()

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
                    details={"roles": _listed(roles)},
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
                details={"roles_before": _listed(account.roles), "roles": _listed(roles)},
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

    def create_key(
        self,
        account: Account,
        *,
        name: str,
        now: datetime,
        scopes: Sequence[str] | None = None,
        lifetime: timedelta = KEY_LIFETIME,
        seed: str | None = None,
        is_agent: bool = False,
        links_a_day: int | None = None,
        links_at_once: int | None = None,
    ) -> str:
        """Creates an API key and returns it, which can be done only once. Raises `Invalid`.

        Without `scopes`, it has all that the roles of the account allow. The account gets a mail
        about it. With a `seed`, a secret of at least 32 characters that is stored nowhere, the same
        request of the same account gets the same key again instead of a second one. An assistant
        acts with a key that `is_agent`; `links_a_day` and `links_at_once` limit what it issues.
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
        request = (account.id, name, lifetime, is_agent, links_a_day, links_at_once, *wanted)
        prefix, secret = _new_secret(seed, request)
        key = f"{_KEY_START}_{prefix}_{secret}"
        with self._database.connection() as conn, conn.transaction():
            if seed is not None and _was_created(conn, account, prefix, secret):
                return key
            outbox.add_notice(conn, account_id=account.id, kind=NEW_KEY, target=prefix, now=now)
            conn.execute(
                """INSERT INTO api_keys
                    (prefix, account_id, name, secret_sha256, scopes, created_at, expires_at,
                    is_agent, links_a_day, links_at_once)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                (
                    *(prefix, account.id, name, hash_of_secret(secret), list(wanted)),
                    *(now, now + lifetime, is_agent, links_a_day, links_at_once),
                ),
            )
            security_log.record(
                conn,
                security_log.KEY_CREATED,
                account_id=account.id,
                details={
                    "key": prefix,
                    "scopes": _listed(wanted),
                    "expires_at": (now + lifetime).isoformat(timespec="seconds"),
                    "for": "agent" if is_agent else None,
                    "links_a_day": str(links_a_day) if links_a_day is not None else None,
                    "links_at_once": str(links_at_once) if links_at_once is not None else None,
                },
            )
        return key

    def api_keys(self) -> list[ApiKey]:
        """Returns the keys of all accounts, newest first."""
        return self._keys(_KEYS)

    def keys_of(self, account: Account) -> list[ApiKey]:
        """Returns the keys of one account, newest first."""
        return self._keys(f"{_KEYS} WHERE account_id = %s", account.id)

    def revoke_key(self, prefix: str, *, now: datetime, of: Account | None = None) -> None:
        """Revokes a key. Does nothing the second time.

        This process refuses it at once, other processes within 5 seconds.

        With `of`, only a key of that account counts. Raises `KeyNotFound`.
        """
        with self._database.connection() as conn, conn.transaction():
            key = conn.execute(
                """SELECT account_id, revoked_at FROM api_keys
                WHERE prefix = %s AND account_id = coalesce(%s, account_id) FOR UPDATE""",
                (prefix, of and of.id),
            ).fetchone()
            if key is None:
                raise KeyNotFound
            if key["revoked_at"] is None:
                conn.execute("UPDATE api_keys SET revoked_at = %s WHERE prefix = %s", (now, prefix))
                security_log.record(
                    conn,
                    security_log.KEY_REVOKED,
                    account_id=key["account_id"],
                    details={"key": prefix},
                )
        self._recent_callers.forget(prefix)

    def caller(self, key: str, *, now: datetime) -> Caller | None:
        """Returns the caller of an API key; None if the key is wrong, revoked or expired.

        The caller has only those scopes of the key that the roles of the account allow. What
        another process has changed about the key or its account counts after 5 seconds at most.
        """
        start, _, rest = key.partition("_")
        prefix, _, secret = rest.partition("_")
        if start != _KEY_START or not key.isascii() or "\0" in key:
            return None
        key_hash = hash_of_secret(key)
        recent = self._recent_callers.find(key_hash, now=now)
        if recent is not None:
            return recent
        row = self._database.fetch_one(
            """SELECT account_id, secret_sha256, scopes, last_used_at, roles, is_agent, links_a_day,
                links_at_once
            FROM api_keys JOIN accounts ON id = account_id
            WHERE prefix = %s AND revoked_at IS NULL AND expires_at > %s
                AND disabled_at IS NULL""",
            (prefix, now),
        )
        if row is None or not hmac.compare_digest(row["secret_sha256"], hash_of_secret(secret)):
            return None
        if row["last_used_at"] is None or now - row["last_used_at"] > _LAST_USE_IS_RECORDED_EVERY:
            self._database.run_idempotent(
                lambda conn: conn.execute(
                    "UPDATE api_keys SET last_used_at = %s WHERE prefix = %s", (now, prefix)
                )
            )
        scopes = frozenset(row["scopes"]).intersection(scopes_of(row["roles"]))
        actor = _actor(prefix, is_agent=row["is_agent"])
        caller = Caller(
            *(row["account_id"], scopes, actor, row["is_agent"]),
            links_a_day=row["links_a_day"],
            links_at_once=row["links_at_once"],
        )
        self._recent_callers.remember(key_hash, caller, looked_up_at=now)
        return caller

    def _keys(self, query: str, *values: object) -> list[ApiKey]:
        newest_first = f"{query} ORDER BY k.created_at DESC, prefix"
        return self._database.fetch_objects(_api_key, newest_first, values)

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


def hash_of_secret(secret: str) -> bytes:
    """Returns the SHA-256 of a random secret.

    A plain hash is enough: nobody can guess 256 random bits.
    """
    return hashlib.sha256(secret.encode()).digest()


def _new_secret(seed: str | None, request: Sequence[object]) -> tuple[str, str]:
    """Returns the prefix and the secret of a new key, random or derived from a `seed`."""
    if seed is None:
        return secrets.token_hex(4), secrets.token_urlsafe(32)
    if len(seed) < SHORTEST_SEED:
        raise ValueError(f"a seed has at least {SHORTEST_SEED} characters")
    derived = hmac.digest(seed.encode(), "\0".join(map(str, request)).encode(), "sha512")
    return derived[:4].hex(), urlsafe_b64encode(derived[4:36]).decode().rstrip("=")


def _was_created(conn: Connection[DictRow], account: Account, prefix: str, secret: str) -> bool:
    """Returns True if the account has this key. Only one request at a time gets an answer."""
    conn.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (account.id,))
    found = conn.execute(
        """SELECT secret_sha256, revoked_at FROM api_keys
        WHERE prefix = %s AND account_id = %s""",
        (prefix, account.id),
    ).fetchone()
    if found is None or not hmac.compare_digest(found["secret_sha256"], hash_of_secret(secret)):
        return False
    if found["revoked_at"] is not None:
        raise Invalid(
            {"name": [Sentence("This key was created before and has since been revoked.")]}
        )
    return True


def _actor(prefix: str, *, is_agent: bool) -> str:
    """Returns how events name who acts with the key that has this prefix.

    It tells what an assistant has done from what programs and people do.
    """
    return f"{'agent' if is_agent else 'key'}:{prefix}"


def _listed(names: Collection[str]) -> str:
    """Returns how the security log names several roles or scopes."""
    return ",".join(sorted(set(names)))


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


def _api_key(*, scopes: list[str], **columns: Any) -> ApiKey:
    return ApiKey(scopes=tuple(scopes), **columns)
