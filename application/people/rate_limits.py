"""Rate limits: how many attempts may fail, counted in PostgreSQL for all workers together.

Attempts that have just failed are counted, each for the address of its client, so an ordinary
request neither reads nor writes anything here. Requests for a new link are counted whether they
succeed or not. Tokens and API keys are too long to be
guessed and cheap to check: the right one is accepted whatever else its address failed at.
A password is expensive to check, so the counts are read before it.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from application.eventstore.database import Database
from application.eventstore.deadline import deadline
from application.people.email_address import spellings
from domain.errors import AdmitOneError

DATABASE_SECONDS = 0.5
SWEPT_AT_ONCE = 5000

_SALT = b"admitone.rate-limit"


@dataclass(frozen=True)
class RateLimit:
    """A limit on failed attempts of one kind within a window, which the first failure opens."""

    kind: str
    failures: int
    window: timedelta


FORGED_TOKENS = RateLimit("forged-token", 60, timedelta(minutes=10))
"""Tokens that are forged, and those of sign-in links and feeds that have ended, by address."""

WRONG_KEYS = RateLimit("wrong-key", 60, timedelta(minutes=10))
"""API keys that are wrong or revoked, by address. A request without a key is no guess."""

INVALID_REDEMPTIONS = RateLimit("invalid-redemption", 60, timedelta(minutes=10))
"""Requests to redeem a link that fail by validation, by address."""

LINK_REQUESTS = RateLimit("link-request", 10, timedelta(hours=1))
"""Requests for a new link, by address, whether they are stored or not."""

PASSWORDS_BY_CLIENT = RateLimit("password-by-address", 20, timedelta(minutes=15))
"""Wrong passwords, at sign-in and at a change of password, by client.

A client is an address, or a browser at which the account has signed in before.
"""

PASSWORDS_BY_ACCOUNT = RateLimit("password-by-account", 50, timedelta(hours=1))
"""The same by account, from all addresses together and whether the account exists or not.

Strangers must not lock an owner out, so this limit only slows guessing down: beyond it, each
client still has `FREE_PASSWORDS`.
"""

WRONG_PASSKEYS = RateLimit("wrong-passkey", 20, timedelta(minutes=15))
"""Passkeys that are refused, by address. Nobody can guess one, so the right one is accepted."""

WRONG_ANSWERS = RateLimit("wrong-answer", 60, timedelta(minutes=10))
"""Answers of the identity provider that prove nothing, by address, read before it is asked.

Only those with the cookie of this browser: any other site can make browsers send the rest.
"""

FREE_PASSWORDS = 3
"""Wrong passwords that a client may enter in a window for an account beyond its limit."""

_COUNT = """
    INSERT INTO rate_limits AS counted (kind, subject, failures, ends_at)
    VALUES (%(kind)s, %(subject)s, 1, %(ends_at)s)
    ON CONFLICT (kind, subject) DO UPDATE SET
        failures = CASE WHEN counted.ends_at > %(now)s THEN counted.failures + 1 ELSE 1 END,
        ends_at = CASE WHEN counted.ends_at > %(now)s
            THEN counted.ends_at ELSE excluded.ends_at END
    RETURNING failures, ends_at"""

_READ = """
    SELECT kind, failures, ends_at FROM rate_limits
    WHERE (kind, subject) IN ((%s, %s), (%s, %s)) AND ends_at > %s"""

_READ_ONE = """
    SELECT failures, ends_at FROM rate_limits WHERE kind = %s AND subject = %s AND ends_at > %s"""

_SWEEP = f"""
    DELETE FROM rate_limits WHERE (kind, subject) IN (
        SELECT kind, subject FROM rate_limits WHERE ends_at <= %(now)s
        ORDER BY ends_at LIMIT {SWEPT_AT_ONCE}) AND ends_at <= %(now)s"""  # noqa: S608


class TooManyAttempts(AdmitOneError):
    """Too many attempts have failed. Try again later."""

    def __init__(self, retry_after: int) -> None:
        """Takes the seconds until the next attempt may be made, at least 1."""
        super().__init__()
        self.retry_after = retry_after


@dataclass(frozen=True)
class _Window:
    """The failures that were counted in a window. `ends_at` is UTC."""

    failures: int
    ends_at: datetime

    def refusal(self, now: datetime) -> TooManyAttempts:
        return TooManyAttempts(max(1, ceil((self.ends_at - now).total_seconds())))


class RateLimits:
    """Counts failed attempts, and refuses more than the limits allow.

    Methods that requests call give up after half a second: they raise `Unavailable` or
    psycopg's errors.
    """

    def __init__(self, database: Database, secret_key: str) -> None:
        """Takes the key of the hashes; without it, the counts reveal nobody's address.

        Under another key, counting starts again.
        """
        self._database = database
        self._key = hmac.digest(secret_key.encode(), _SALT, hashlib.sha256)

    def count(self, limit: RateLimit, address: str, *, now: datetime) -> None:
        """Counts a failed attempt of this client. Raises `TooManyAttempts` beyond the limit."""
        window = self._count(limit, address, now)
        if window.failures > limit.failures:
            raise window.refusal(now)

    def check(self, limit: RateLimit, address: str, *, now: datetime) -> None:
        """Raises `TooManyAttempts` if this client has failed as often as the limit allows."""
        with deadline(DATABASE_SECONDS):
            rows = self._database.fetch_all(_READ_ONE, (limit.kind, self._hash(address), now))
        for row in rows:
            if row["failures"] >= limit.failures:
                raise _Window(**row).refusal(now)

    def count_wrong_password(self, *, client: str, email: str, now: datetime) -> None:
        """Counts a wrong password, both for the client and for the account."""
        self._count(PASSWORDS_BY_CLIENT, client, now)
        self._count(PASSWORDS_BY_ACCOUNT, _account(email), now)

    def check_password_attempt(self, *, client: str, email: str, now: datetime) -> None:
        """Raises `TooManyAttempts` if this client may not try a password, right or wrong, now.

        Attempts that run at the same moment do not see each other, so a limit can be exceeded
        by as many as there are web threads.
        """
        by_client, by_account = self._read(client, _account(email), now)
        if by_client is None:
            return
        if by_client.failures >= PASSWORDS_BY_CLIENT.failures:
            raise by_client.refusal(now)
        is_slowed = by_account and by_account.failures >= PASSWORDS_BY_ACCOUNT.failures
        if by_account and is_slowed and by_client.failures >= FREE_PASSWORDS:
            raise min(by_client, by_account, key=lambda window: window.ends_at).refusal(now)

    def sweep(self, *, now: datetime) -> int:
        """Deletes the counts whose windows have ended, and returns how many there were."""
        swept = 0
        while count := self._database.run_idempotent(
            lambda conn: conn.execute(_SWEEP.encode(), {"now": now}).rowcount
        ):
            swept += count
        return swept

    def _count(self, limit: RateLimit, subject: str, now: datetime) -> _Window:
        failure = {
            "kind": limit.kind,
            "subject": self._hash(subject),
            "now": now,
            "ends_at": now + limit.window,
        }
        with deadline(DATABASE_SECONDS), self._database.connection() as conn:
            row = conn.execute(_COUNT, failure).fetchone()
        assert row is not None  # noqa: S101 - an upsert always returns its row
        return _Window(row["failures"], row["ends_at"])

    def _read(
        self, client: str, account: str, now: datetime
    ) -> tuple[_Window | None, _Window | None]:
        """Returns the open windows of wrong passwords of the client and of the account."""
        by_client, by_account = PASSWORDS_BY_CLIENT.kind, PASSWORDS_BY_ACCOUNT.kind
        values = (by_client, self._hash(client), by_account, self._hash(account), now)
        with deadline(DATABASE_SECONDS):
            rows = self._database.fetch_all(_READ, values)
        windows = {row["kind"]: _Window(row["failures"], row["ends_at"]) for row in rows}
        return windows.get(by_client), windows.get(by_account)

    def _hash(self, subject: str) -> bytes:
        return hmac.digest(self._key, subject.encode(errors="replace"), hashlib.sha256)


def _account(email: str) -> str:
    """Returns an account's address in the one spelling under which it is counted."""
    return spellings(email)[1].lower()
