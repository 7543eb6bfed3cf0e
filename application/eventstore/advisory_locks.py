"""The advisory locks that the service takes on PostgreSQL, all in one place.

Any numbers will do, as long as every version of the service uses the same ones.
"""

from psycopg import Connection
from psycopg.rows import DictRow

SCHEMA = 4_011_200_117
"""Held by whoever creates or upgrades tables, until the transaction ends."""

PROJECTOR = 4_011_200_118
"""Held by the one projector at work, until its session ends."""

APPEND = 4_011_200_119
"""Held by each append to the log, until it has committed. `append_events()` has the number too."""

SECURITY_LOG = 4_011_200_120
"""Held by whoever adds to the security log, until the transaction ends."""

REBUILD = 4_011_200
"""The first of two numbers: the second is the hash of the name of the view that is rebuilt."""

SENDER = 4_011_201
"""The first of two numbers: the second is that of a sender, which holds it while it works."""


def is_held(conn: Connection[DictRow], number: int, view: str | None = None) -> bool:
    """Returns True if anybody holds the lock in the database of `conn`: `REBUILD` for a `view`."""
    row = conn.execute(
        """SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND CASE WHEN %(view)s::text IS NULL
            THEN objsubid = 1 AND classid::bigint << 32 | objid::bigint = %(number)s
            ELSE objsubid = 2 AND classid::bigint = %(number)s
                AND objid = hashtext(%(view)s)::oid END""",
        {"number": number, "view": view},
    ).fetchone()
    return row is not None
