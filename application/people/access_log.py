"""The log of everybody who reads the audit, written before they see anything."""

from dataclasses import dataclass
from datetime import datetime

import psycopg

from application.eventstore.database import Database
from domain.errors import Unavailable

_TAKES_A_CHECKPOINT = (
    "GET /api/v1/audit/checkpoint",
    "GET /api/v1/audit/witness-request",
    "GET /api/v1/audit/security/witness-request",
    "GET /audit/checkpoint/file",
    "checkpoint to ",
    "request to a witness",
)


@dataclass(frozen=True)
class Access:
    """One access to the audit. `at` is UTC by the database's clock."""

    id: int
    at: datetime
    actor: str
    what: str


def record(database: Database, *, actor: str, what: str) -> None:
    """Records that `actor` is about to read `what`.

    Raises `Unavailable` if that fails; then the caller must show nothing.
    """
    try:
        with database.connection() as conn:
            conn.execute("INSERT INTO audit_accesses (actor, what) VALUES (%s, %s)", (actor, what))
    except psycopg.Error as error:
        raise Unavailable from error


def checkpoints_taken(database: Database) -> list[Access]:
    """Returns, for everybody who took a copy of a checkpoint, the last time, newest first."""
    return database.fetch_objects(
        Access,
        """SELECT * FROM (
            SELECT DISTINCT ON (actor) id, at, actor, what FROM audit_accesses
            WHERE what ^@ ANY(%(beginnings)s)
            ORDER BY actor, id DESC
        ) AS last_of_each ORDER BY id DESC""",
        {"beginnings": list(_TAKES_A_CHECKPOINT)},
    )


def newest(database: Database, *, limit: int, before: int | None = None) -> list[Access]:
    """Returns at most `limit` accesses, newest first, that are older than the id `before`."""
    return database.fetch_objects(
        Access,
        """SELECT id, at, actor, what FROM audit_accesses
        WHERE %(before)s::bigint IS NULL OR id < %(before)s
        ORDER BY id DESC LIMIT %(limit)s""",
        {"before": before, "limit": limit},
    )
