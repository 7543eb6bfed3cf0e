"""Finds out whether writes get through, and if they don't, why.

A probe takes the turn as an append to the log does, writes a row of its own, and commits. So it
meets whatever an append would meet, and leaves no trace in the log. There may be room for that row
where there is none for the log, so the probe first lets the server fill a temporary file.
"""

from math import inf
from threading import Lock
from time import monotonic

import psycopg

from application.eventstore import advisory_locks
from application.eventstore.append_turn import holder
from application.eventstore.database import LOST, Database, safe_description
from application.eventstore.deadline import deadline
from domain.errors import Unavailable

FRESH_SECONDS = 5.0  # a write that got through in this time, by whichever process, is proof enough
KEEP_SECONDS = 1.0  # how long a process repeats what it found out
TURN_SECONDS = 1.0
PROBE_SECONDS = 1.5  # for the turn, the write and the commit
CAUSE_SECONDS = 0.5

_IS_FRESH = """
    SELECT FROM write_probes
    WHERE at BETWEEN clock_timestamp() - make_interval(secs => %s) AND clock_timestamp()"""

_PROBE = f"""
    WITH patience AS MATERIALIZED (
        SELECT set_config('lock_timeout', %s, true)
    ), turn AS MATERIALIZED (
        SELECT pg_advisory_xact_lock({advisory_locks.APPEND}) FROM patience
    )
    INSERT INTO write_probes (at) SELECT clock_timestamp() FROM turn
    ON CONFLICT (id) DO UPDATE SET at = excluded.at"""  # noqa: S608 - a constant

_SET_TO_USE_THE_DISK = "SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''"
_FILL_TEMPORARY_FILE = """
    WITH megabyte AS MATERIALIZED (
        SELECT repeat('x', 1000) FROM generate_series(1, 1000)
    )
    SELECT count(*) FROM megabyte"""


class WriteProbe:
    """Probes at most once a second for each process, and at most one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._probing = Lock()
        self._probed_at = -inf
        self._obstacle: str | None = None

    def obstacle(self) -> str | None:
        """Returns why writes don't get through, as a sentence for operators; None if they do.

        While somebody else is finding out, returns what was found before.
        """
        if self._probing.acquire(blocking=False):
            try:
                if monotonic() >= self._probed_at + KEEP_SECONDS:
                    self._obstacle = self._find_obstacle()
                    self._probed_at = monotonic()
            finally:
                self._probing.release()
        return self._obstacle

    def _find_obstacle(self) -> str | None:
        try:
            with deadline(PROBE_SECONDS), self._database.checked_out() as conn:
                if conn.execute(_IS_FRESH, (FRESH_SECONDS,)).fetchone() is None:
                    with conn.transaction():
                        conn.execute(_SET_TO_USE_THE_DISK)
                        conn.execute(_FILL_TEMPORARY_FILE)
                    conn.execute(_PROBE, (f"{TURN_SECONDS * 1000:.0f}ms",))
        except psycopg.errors.ReadOnlySqlTransaction:
            return "The database is read-only: nothing can be saved."
        except psycopg.errors.DiskFull:
            return "The disk of the database is full: nothing can be saved."
        except psycopg.Error as error:
            is_late = isinstance(error, psycopg.errors.LockNotAvailable) or not error.sqlstate
            if is_late:
                return self._cause()
            return f"The database refuses writes: {safe_description(error)}."
        return None

    def _cause(self) -> str:
        """Returns why a write took too long."""
        try:
            with deadline(CAUSE_SECONDS), self._database.connection() as conn:
                found = holder(conn)
                if found is not None and found.waits_for_standby:
                    self._database.leave(conn)
        except (Unavailable, *LOST):
            found = None
        if found is None:
            return f"A write takes longer than {PROBE_SECONDS} s."
        if found.waits_for_standby:
            return "Commits hang: no synchronous standby confirms them."
        name = f" ({found.application_name})" if found.application_name else ""
        return f"Process {found.pid} of the database{name} holds up the log: nothing can be saved."
