"""How hard a rebuild may work: with all its might, or giving way to people."""

from time import monotonic, sleep

from psycopg import Connection
from psycopg.rows import DictRow

BATCH_SIZE = 20_000
# With people about: little at a time, and a rest after it.
GENTLE_BATCH_SIZE = 2_000
REST = 1.0  # of what the work took
LONGEST_REST_SECONDS = 0.2
LOOK_SECONDS = 0.5
# One connection alone is somebody's health check.
FEW = 1


class RebuildThrottle:
    """Looks now and then who else has asked the database for something in the last second."""

    def __init__(self, conn: Connection[DictRow]) -> None:
        """`conn` is used for nothing else meanwhile."""
        self._conn = conn
        self._looked_at = 0.0
        self._is_busy = True

    @property
    def batch_size(self) -> int:
        """How many events to take at a time."""
        return GENTLE_BATCH_SIZE if self.is_busy() else BATCH_SIZE

    def is_busy(self) -> bool:
        """Whether people are about."""
        if monotonic() - self._looked_at > LOOK_SECONDS:
            self._is_busy = self._others() > FEW
            self._looked_at = monotonic()
        return self._is_busy

    def rest(self, begun: float) -> None:
        """After work that began then, by the monotonic clock."""
        if self.is_busy():
            sleep(min(LONGEST_REST_SECONDS, REST * (monotonic() - begun)))

    def _others(self) -> int:
        """The service's connections at work; those that may not be looked at are taken to be."""
        (row,) = self._conn.execute(
            """SELECT count(*) AS count FROM pg_stat_activity
            WHERE datname = current_database() AND backend_type = 'client backend'
                AND coalesce(application_name NOT LIKE 'admitone _%', true)
                AND coalesce(state_change > clock_timestamp() - interval '1 second', true)
                AND pid <> pg_backend_pid()""",
            prepare=True,
        ).fetchall()
        count: int = row["count"]
        return count
