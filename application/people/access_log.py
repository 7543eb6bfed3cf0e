"""Who read the audit, and what: written down before they get it."""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from application.eventstore.database import Database
from domain.errors import Unavailable


@dataclass(frozen=True)
class Access:
    """One reading of the audit. `at` is UTC by the database's clock."""

    id: int
    at: datetime
    actor: str
    what: str


def record(database: Database, *, actor: str, what: str) -> None:
    """Note that `actor` is about to read `what`. Raises `Unavailable`: then nothing is read."""
    try:
        with database.connection() as conn:
            conn.execute("INSERT INTO audit_accesses (actor, what) VALUES (%s, %s)", (actor, what))
    except psycopg.Error as error:
        raise Unavailable from error


def newest(database: Database, *, limit: int, before: int | None = None) -> list[Access]:
    """At most `limit` accesses, newest first; `before` is the id of the one before them."""
    rows = database.fetch_all(
        """SELECT id, at, actor, what FROM audit_accesses
        WHERE %(before)s::bigint IS NULL OR id < %(before)s
        ORDER BY id DESC LIMIT %(limit)s""",
        {"before": before, "limit": limit},
    )
    return [Access(**row) for row in rows]
