"""API keys: created once, looked up with every request, and revoked."""

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries import outbox
from application.eventstore.database import Database
from application.people import security_log
from application.people.accounts import Account
from application.people.recent_callers import Caller, RecentCallers
from application.people.roles import KEY_DAYS, scopes_of
from application.people.tokens import hash_of_secret
from domain.errors import Invalid, NotFound, Sentence

KEY_LIFETIME = timedelta(days=KEY_DAYS)
NEW_KEY = "new-key"
"""The kind of mail about a new API key; its target is the prefix of the key."""

SHORTEST_SEED = 32
"""Characters of the secret from which an API key can be derived."""

_KEY_START = "ao"
_LAST_USE_IS_RECORDED_EVERY = timedelta(minutes=1)
_KEYS = """SELECT prefix, email, k.name, scopes, k.created_at, expires_at, last_used_at, revoked_at,
        is_agent, links_a_day, links_at_once
    FROM api_keys k JOIN accounts a ON a.id = account_id"""


class KeyNotFound(NotFound):
    """There is no such API key."""


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


class ApiKeys:
    """The API keys of one installation."""

    def __init__(self, database: Database, recent_callers: RecentCallers) -> None:
        self._database = database
        self._recent_callers = recent_callers

    def create(
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
                    "scopes": security_log.listed(wanted),
                    "expires_at": (now + lifetime).isoformat(timespec="seconds"),
                    "for": "agent" if is_agent else None,
                    "links_a_day": str(links_a_day) if links_a_day is not None else None,
                    "links_at_once": str(links_at_once) if links_at_once is not None else None,
                },
            )
        return key

    def all(self) -> list[ApiKey]:
        """Returns the keys of all accounts, newest first."""
        return self._find(_KEYS)

    def of(self, account: Account) -> list[ApiKey]:
        """Returns the keys of one account, newest first."""
        return self._find(f"{_KEYS} WHERE account_id = %s", account.id)

    def revoke(self, prefix: str, *, now: datetime, of: Account | None = None) -> None:
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

    def _find(self, query: str, *values: object) -> list[ApiKey]:
        newest_first = f"{query} ORDER BY k.created_at DESC, prefix"
        return self._database.fetch_objects(_api_key, newest_first, values)


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


def _api_key(*, scopes: list[str], **columns: Any) -> ApiKey:
    return ApiKey(scopes=tuple(scopes), **columns)
