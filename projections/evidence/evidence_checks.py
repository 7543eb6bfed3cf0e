"""The results of the checks that the service makes of its own evidence."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.database import Database

SIGNATURE, LOG, SECURITY_LOG = "signature", "log", "security_log"
PERSONAL_DATA, VIEWS = "personal_data", "views"
NAMES = (SIGNATURE, LOG, SECURITY_LOG, PERSONAL_DATA, VIEWS)


@dataclass(frozen=True)
class Finding:
    """The finding of one check: how many events or rows it covered, and the first fault, if any.

    `position` is that of the event at fault, if it is known.
    """

    checked: int
    fault: str | None = None
    position: int | None = None


@dataclass(frozen=True)
class EvidenceCheck:
    """The last result of a check. Times are UTC, by the database's clock.

    `failures` counts how often it could not be completed, `age` is the seconds since it was.
    """

    name: str
    checked_at: datetime
    checked: int
    failures: int
    fault: str | None
    position: int | None
    fault_since: datetime | None
    age: float


def record(conn: Connection[DictRow], name: str, finding: Finding) -> None:
    """Stores what a check found, in place of what it found before."""
    conn.execute(
        """INSERT INTO evidence_checks AS stored (name, checked, fault, position, fault_since)
        VALUES (%(name)s, %(checked)s, %(fault)s, %(position)s,
            CASE WHEN %(fault)s::text IS NOT NULL THEN clock_timestamp() END)
        ON CONFLICT (name) DO UPDATE SET checked_at = clock_timestamp(),
            checked = excluded.checked, fault = excluded.fault, position = excluded.position,
            fault_since = CASE WHEN excluded.fault IS NOT NULL
                THEN coalesce(stored.fault_since, excluded.fault_since) END""",
        {
            "name": name,
            "checked": finding.checked,
            "fault": finding.fault,
            "position": finding.position,
        },
    )


def record_failure(conn: Connection[DictRow], name: str) -> None:
    """Counts that a check could not be completed. What it found before stays."""
    conn.execute(
        """INSERT INTO evidence_checks AS stored (name, failures) VALUES (%s, 1)
        ON CONFLICT (name) DO UPDATE SET failures = stored.failures + 1""",
        (name,),
    )


def all_checks(database: Database) -> list[EvidenceCheck]:
    """Returns the last result of each check that has been made, in the order of `NAMES`."""
    found = database.fetch_objects(
        EvidenceCheck,
        """SELECT *, greatest(0, extract(epoch FROM clock_timestamp() - checked_at))::float AS age
        FROM evidence_checks WHERE name = ANY(%s)""",
        (list(NAMES),),
    )
    return sorted(found, key=lambda check: NAMES.index(check.name))


def faults(database: Database) -> list[EvidenceCheck]:
    """Returns the checks that have found something wrong."""
    return [check for check in all_checks(database) if check.fault is not None]
