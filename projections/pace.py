"""How hard a rebuild may work: with all its might, or giving way to people."""

from time import monotonic, sleep

from psycopg import Connection
from psycopg.rows import DictRow

BATCH_SIZE = 20_000
# With people about: little at a time, and a rest after it.
GENTLE_BATCH_SIZE = 2_000
REST = 1.0  # of what the work took
LONGEST_REST_SECONDS = 0.2
# A service that nobody uses does some ten transactions a second.
BUSY_RATE = 40.0
LOOK_SECONDS = 1.5  # the server counts a second late


class Pace:
    """Looks now and then how much else the database is asked to do."""

    def __init__(self, conn: Connection[DictRow]) -> None:
        """`conn` is used for nothing else meanwhile."""
        self._conn = conn
        self._count, self._at = self._transactions(), monotonic()
        self._is_busy = True

    @property
    def batch_size(self) -> int:
        """How many events to take at a time."""
        return GENTLE_BATCH_SIZE if self.is_busy() else BATCH_SIZE

    def is_busy(self) -> bool:
        """Whether people are about; so it is taken to be until it was looked."""
        seconds = monotonic() - self._at
        if seconds > LOOK_SECONDS:
            count = self._transactions()
            self._is_busy = (count - self._count) / seconds > BUSY_RATE
            self._count, self._at = count, monotonic()
        return self._is_busy

    def rest(self, begun: float) -> None:
        """After work that began then, by the monotonic clock."""
        if self.is_busy():
            sleep(min(LONGEST_REST_SECONDS, REST * (monotonic() - begun)))

    def _transactions(self) -> int:
        """All that were ever done in this database."""
        (row,) = self._conn.execute(
            """SELECT xact_commit + xact_rollback AS count FROM pg_stat_database
            WHERE datname = current_database()"""
        ).fetchall()
        count: int = row["count"]
        return count
