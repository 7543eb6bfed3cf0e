"""The log of everybody who reads the audit, written before they see anything."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from application.eventstore.database import Database
from domain.errors import Unavailable

RECENTLY = timedelta(days=31)

CHECKPOINT_GIVEN = ", answered with the checkpoint of "
"""The text in the record of a request that got a checkpoint, before its number of events."""

_REQUEST = "GET "
_WRITTEN = ("checkpoint to ", "request to a witness,")


@dataclass(frozen=True)
class Access:
    """One access to the audit. `at` is UTC by the database's clock."""

    id: int
    at: datetime
    actor: str
    what: str


@dataclass(frozen=True)
class TakenCheckpoint:
    """The last copy of a checkpoint that somebody took. `at` is UTC by the database's clock.

    An auditor has fetched it, by browser or API, or a command has written it, perhaps to the disk
    that has the others. `is_recent` means that it is not older than 31 days.
    """

    at: datetime
    actor: str
    was_fetched: bool
    is_recent: bool

    @property
    def is_out_of_reach(self) -> bool:
        """True if somebody else probably has a recent copy, which would show a changed log."""
        return self.was_fetched and self.is_recent


def record(database: Database, *, actor: str, what: str) -> None:
    """Records that `actor` is about to read `what`.

    Raises `Unavailable` if that fails; then the caller must show nothing.
    """
    try:
        with database.connection() as conn:
            conn.execute("INSERT INTO audit_accesses (actor, what) VALUES (%s, %s)", (actor, what))
    except psycopg.Error as error:
        raise Unavailable from error


def checkpoints_taken(database: Database) -> list[TakenCheckpoint]:
    """Returns the last checkpoint that each person or program took, newest first."""
    return database.fetch_objects(
        TakenCheckpoint,
        """SELECT at, actor, what ^@ %(request)s AS was_fetched,
            at > now() - %(recently)s AS is_recent
        FROM (
            SELECT DISTINCT ON (actor) * FROM audit_accesses
            WHERE what ^@ %(request)s AND strpos(what, %(given)s) > 0 OR what ^@ ANY(%(written)s)
            ORDER BY actor, id DESC
        ) AS last_of_each ORDER BY id DESC""",
        {
            "request": _REQUEST,
            "given": CHECKPOINT_GIVEN,
            "written": list(_WRITTEN),
            "recently": RECENTLY,
        },
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
