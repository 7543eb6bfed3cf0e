"""Slows a rebuild down while other connections are active."""

from time import monotonic, sleep

from psycopg import Connection
from psycopg.rows import DictRow

BATCH_SIZE = 20_000  # events
# While others are active: small batches, and a rest after each.
GENTLE_BATCH_SIZE = 2_000
REST = 1.0  # times the time that the work took
LONGEST_REST_SECONDS = 0.2
LOOK_SECONDS = 0.5
# A single active connection is a health check.
FEW = 1


class RebuildThrottle:
    """Checks every half second whether other connections were active in the last second."""

    def __init__(self, conn: Connection[DictRow]) -> None:
        """`conn` is used for nothing else meanwhile."""
        self._conn = conn
        self._looked_at = 0.0
        self._is_busy = True

    @property
    def batch_size(self) -> int:
        """The number of events for the next batch."""
        return GENTLE_BATCH_SIZE if self.is_busy() else BATCH_SIZE

    def is_busy(self) -> bool:
        """Returns whether other connections were active in the last second."""
        if monotonic() - self._looked_at > LOOK_SECONDS:
            self._is_busy = self._active_connections() > FEW
            self._looked_at = monotonic()
        return self._is_busy

    def rest(self, begun: float) -> None:
        """Sleeps, if others are active, after work that began at `begun` on the monotonic clock."""
        if self.is_busy():
            sleep(min(LONGEST_REST_SECONDS, REST * (monotonic() - begun)))

    def _active_connections(self) -> int:
        """Counts the service's active connections. Those of unknown state count as active."""
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
