"""Refused attempts to book, kept outside the log: anybody who holds a link can make them.

They tell an owner that somebody tried, when and why not, and whether it was one or several;
never who, or from where.
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
"""Of each link the newest. While many come at once there may be some more, for a moment."""
RECORD_SECONDS = 1.0
SWEPT_AT_ONCE = 5000

_SALT = b"admitone.attempt"

# The attempt itself is not seen by the DELETE: one less of the others stays.
_RECORD = f"""
    WITH attempt AS (
        INSERT INTO refused_attempts (link_id, at, reason, address_hash)
        VALUES (%(link_id)s, %(at)s, %(reason)s, %(address_hash)s)
    )
    DELETE FROM refused_attempts WHERE link_id = %(link_id)s AND id <= (
        SELECT id FROM refused_attempts WHERE link_id = %(link_id)s
        ORDER BY id DESC LIMIT 1 OFFSET {MOST_KEPT - 1})"""  # noqa: S608 - a constant

_NEWEST = f"""
    SELECT at, reason, address_hash FROM refused_attempts WHERE link_id = %s
    ORDER BY id DESC LIMIT {MOST_KEPT}"""  # noqa: S608 - a constant

_COUNTS = f"""
    SELECT reason, count(*) AS times, max(at) AS last_at,
        count(DISTINCT address_hash) AS addresses
    FROM ({_NEWEST}) AS newest GROUP BY reason ORDER BY last_at, reason"""  # noqa: S608

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
    """Somebody could not book. `at` is UTC; `reason` is the name of the refusal."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class RefusedAttemptCount:
    """RefusedAttempts that were refused for the same reason. `last_at` is UTC."""

    reason: str
    times: int
    last_at: datetime
    addresses: int


class RefusedAttempts:
    """Keeps refused attempts, and forgets them."""

    def __init__(self, database: Database, secret_key: str) -> None:
        """`secret_key` makes hashes that tell nothing to whoever has only the database.

        With another one the same address counts as another.
        """
        self._database = database
        self._key = hmac.digest(secret_key.encode(), _SALT, hashlib.sha256)

    def record(self, link_id: UUID, *, reason: str, address: str, now: datetime) -> None:
        """Keep an attempt in place of the oldest, unless the database is long about it.

        Raises `Unavailable` or psycopg's errors; then it was kept or not.
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
        """The attempts with a link, newest first."""
        rows = self._database.fetch_all(_NEWEST, (link_id,))
        return [RefusedAttempt(row["at"], row["reason"]) for row in rows]

    def counts(self, link_id: UUID) -> list[RefusedAttemptCount]:
        """The same attempts by reason; the reason that was told last comes last."""
        return [RefusedAttemptCount(**row) for row in self._database.fetch_all(_COUNTS, (link_id,))]

    def sweep(self, *, before: datetime) -> int:
        """Delete all attempts from before that moment; how many there were."""
        swept = 0
        while count := self._database.run_idempotent(
            lambda conn: conn.execute(_SWEEP, (before,)).rowcount
        ):
            swept += count
        return swept


def by_reason(
    conn: Connection[DictRow], *, since: datetime | None, until: datetime | None
) -> dict[str, int]:
    """How many attempts of that time are kept, by reason. None: without that end."""
    rows = conn.execute(_BY_REASON, {"since": since, "until": until})
    return {row["reason"]: row["times"] for row in rows}
