"""Refused attempts to book, stored outside the log because anybody with a link can make them.

They tell an owner that somebody tried, when, why it was refused, and from how many addresses;
never who it was, or from where.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.eventstore.deadline import deadline

MOST_KEPT = 100
"""Attempts stored for each link, the newest ones; briefly more under concurrency."""
RECORD_SECONDS = 1.0
SWEPT_AT_ONCE = 5000

_SALT = b"admitone.attempt"

# The DELETE does not see the new attempt, so it leaves one less than MOST_KEPT.
_RECORD = f"""
    WITH attempt AS (
        INSERT INTO refused_attempts (link_id, at, reason, address_hash)
        VALUES (%(link_id)s, %(at)s, %(reason)s, %(address_hash)s)
    )
    DELETE FROM refused_attempts WHERE link_id = %(link_id)s AND id <= (
        SELECT id FROM refused_attempts WHERE link_id = %(link_id)s
        ORDER BY id DESC LIMIT 1 OFFSET {MOST_KEPT - 1})"""  # noqa: S608 - a constant

_NEWEST = f"FROM refused_attempts WHERE link_id = %s ORDER BY id DESC LIMIT {MOST_KEPT}"

_COUNTS = f"""
    SELECT reason, count(*) AS times, max(at) AS last_at,
        count(DISTINCT address_hash) AS addresses
    FROM (SELECT * {_NEWEST}) AS newest GROUP BY reason ORDER BY last_at, reason"""  # noqa: S608

_SWEEP = f"""
    DELETE FROM refused_attempts WHERE id IN (
        SELECT id FROM refused_attempts WHERE at < %s ORDER BY at LIMIT {SWEPT_AT_ONCE})"""  # noqa: S608

_BY_REASON = """
    SELECT reason, count(*) AS times FROM refused_attempts
    WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s)
        AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
    GROUP BY reason ORDER BY reason"""


@dataclass(frozen=True)
class RefusedAttempt:
    """A refused attempt to book. `at` is UTC; `reason` is the name of the refusal."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class RefusedAttemptCount:
    """The attempts that were refused for the same reason. `last_at` is UTC."""

    reason: str
    times: int
    last_at: datetime
    addresses: int


class RefusedAttempts:
    """Stores, counts and deletes refused attempts."""

    def __init__(self, database: Database, secret_key: str) -> None:
        """Takes the key of the address hashes: without it, these reveal no address.

        Under another key, the same address counts as a different one.
        """
        self._database = database
        self._key = hmac.digest(secret_key.encode(), _SALT, hashlib.sha256)

    def record(self, link_id: UUID, *, reason: str, address: str, now: datetime) -> None:
        """Records an attempt, and deletes the oldest one beyond the limit.

        Gives up after one second. Raises `Unavailable` or psycopg's errors; then the attempt
        may be stored or not.
        """
        attempt = {
            "link_id": link_id,
            "at": now,
            "reason": reason,
            "address_hash": hmac.digest(self._key, address.encode(), hashlib.sha256),
        }
        with deadline(RECORD_SECONDS), self._database.connection() as conn:
            conn.execute(_RECORD.encode(), attempt)

    def newest(self, link_id: UUID) -> list[RefusedAttempt]:
        """Returns the attempts with a link, newest first."""
        query = f"SELECT at, reason {_NEWEST}"
        return self._database.fetch_objects(RefusedAttempt, query, (link_id,))

    def counts(self, link_id: UUID) -> list[RefusedAttemptCount]:
        """Returns the same attempts counted by reason; the most recent reason comes last."""
        return self._database.fetch_objects(RefusedAttemptCount, _COUNTS, (link_id,))

    def sweep(self, *, before: datetime) -> int:
        """Deletes all attempts before a moment, and returns how many there were."""
        swept = 0
        while count := self._database.run_idempotent(
            lambda conn: conn.execute(_SWEEP, (before,)).rowcount
        ):
            swept += count
        return swept


def by_reason(
    conn: Connection[DictRow], *, since: datetime | None, until: datetime | None
) -> dict[str, int]:
    """Counts the stored attempts in [since, until) by reason; None leaves that end open."""
    rows = conn.execute(_BY_REASON, {"since": since, "until": until})
    return {row["reason"]: row["times"] for row in rows}
