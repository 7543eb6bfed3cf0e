"""Keeps the views up with the log, for ever.

The truth is a query from where each view has come, at least once a second; NOTIFY only
shortens the wait. Whatever goes wrong with the connection, the runner connects again and
goes on from the positions in the database. Only one runner works at a time: it holds an
advisory lock in the very session that it writes with, so losing one is losing both.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from itertools import groupby
from random import uniform
from threading import Event
from time import monotonic

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.eventstore.conninfo import with_defaults
from application.eventstore.database import Database, PatientConnection
from application.eventstore.deadline import deadline
from application.eventstore.event_log import RecordedEvent, read
from application.eventstore.mapper import JSONMapper
from application.eventstore.recorder import CHANNEL
from projections.engine import lag, parking, positions
from projections.engine.batch import apply, retry
from projections.engine.folding import fold
from projections.engine.projection import Projection
from projections.engine.tables import FAULTS, Rows

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SMALLEST_BATCH = 500
LARGEST_BATCH = 8_000
LOCK = 4_011_200_118
# What one round may take. A server that is silent for longer is given up for another.
ROUND_SECONDS = 3.0
_LONGEST_PAUSE_SECONDS = 2.0
# The server must not keep the lock for a runner that stands still or cannot be reached: one
# that works says something every second.
_SESSION = {
    "timezone": "UTC",
    # A crash of the server takes rows and position away together, and both come again.
    "synchronous_commit": "off",
    "idle_session_timeout": "3s",
    "idle_in_transaction_session_timeout": "3s",
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "2",
    "tcp_user_timeout": "3000",
}
# A view with one of these can't go on, and no event is to blame: its tables are not there, or
# not ours to write.
_STANDS_STILL = (psycopg.ProgrammingError, LookupError)


def is_running(database: Database) -> bool:
    """Whether a runner works on this database, wherever it runs."""
    row = database.fetch_one(
        """SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND classid::bigint << 32 | objid::bigint = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        (LOCK,),
    )
    return row is not None


class Runner:
    """Applies the log to all projections until it is told to stop."""

    def __init__(
        self, conninfo: str, projections: Sequence[Projection], mapper: JSONMapper
    ) -> None:
        self._conninfo = with_defaults(conninfo, application_name="admitone projector")
        self._projections = projections
        self._mapper = mapper
        self._batch_size = SMALLEST_BATCH
        self.is_at_work = Event()
        self.stuck: dict[str, str] = {}

    def run(self, stop: Event) -> None:
        """Work, or stand by while another runner works, until `stop` is set."""
        pause = 0.1
        while not stop.is_set():
            try:
                with closing(self._connect()) as conn:
                    if self._is_alone(conn):
                        log.info("keeping %d views up", len(self._projections))
                        pause = 0.1
                        self._keep_up(conn, stop)
                stop.wait(POLL_SECONDS)
            except psycopg.Error as error:
                log.warning(
                    "can't go on, connecting again: %s", error.diag.message_primary or error
                )
                self._batch_size = SMALLEST_BATCH
                stop.wait(uniform(pause / 2, pause))  # noqa: S311 - not a secret
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            finally:
                self.is_at_work.clear()

    def _connect(self) -> Connection[DictRow]:
        with deadline(ROUND_SECONDS):
            conn: Connection[DictRow] = PatientConnection.connect(
                self._conninfo, autocommit=True, row_factory=dict_row
            )
            for name, value in _SESSION.items():
                conn.execute("SELECT set_config(%s, %s, false)", (name, value))
            return conn

    def _is_alone(self, conn: Connection[DictRow]) -> bool:
        with deadline(ROUND_SECONDS):
            return conn.execute("SELECT pg_try_advisory_lock(%s) AS got", (LOCK,)).fetchone() == {
                "got": True
            }

    def _keep_up(self, conn: Connection[DictRow], stop: Event) -> None:
        self.is_at_work.set()
        with deadline(ROUND_SECONDS):
            conn.execute(f"LISTEN {CHANNEL}")
        self._retry_parked(conn)
        sampled_at = 0.0
        while not stop.is_set():
            with deadline(ROUND_SECONDS):
                applied = self.catch_up(conn)
                if monotonic() - sampled_at > lag.SAMPLE_SECONDS:
                    lag.sample(conn, [projection.name for projection in self._projections])
                    sampled_at = monotonic()
            if not applied:
                for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass

    def _retry_parked(self, conn: Connection[DictRow]) -> None:
        """A runner that has just begun may be the one with the mended projection."""
        for projection in self._projections:
            try:
                taken, left = retry(conn, projection, self._mapper)
            except _STANDS_STILL as error:
                self._note(projection, f"can't go on: {parking.reason(error)}")
                continue
            if taken or left:
                log.info("%s: %d parked events taken, %d left", projection.name, taken, left)

    def catch_up(self, conn: Connection[DictRow]) -> int:
        """Apply the next events to every view; how many there were in all.

        An event that a view can't take is parked. A view that can't go on at all stands
        still, for the reason in `stuck`, and the others go on without it.
        """
        seen = positions.positions_of(conn)

        def place(projection: Projection) -> int:
            return seen.get(projection.name, 0)

        count = 0
        for position, projections in groupby(sorted(self._projections, key=place), key=place):
            count += self._apply_next(conn, position, list(projections))
        return count

    def _apply_next(
        self, conn: Connection[DictRow], position: int, projections: Sequence[Projection]
    ) -> int:
        batch = read(conn, position, self._batch_size)
        if not batch:
            return 0
        # More at a time while there is more to do.
        full = len(batch) == self._batch_size
        self._batch_size = min(2 * self._batch_size, LARGEST_BATCH) if full else SMALLEST_BATCH
        count = 0
        folded = self._folded(projections, batch)
        with conn.transaction():  # one for all of them, so that they wait for one commit
            for projection, rows in zip(projections, folded, strict=True):
                reason = None
                try:
                    apply(conn, projection, batch, self._mapper, rows=rows)
                    count += len(batch)
                except _STANDS_STILL as error:
                    reason = f"can't go on after position {position}: {parking.reason(error)}"
                self._note(projection, reason)
        return count

    def _folded(
        self, projections: Sequence[Projection], batch: Sequence[RecordedEvent]
    ) -> Sequence[Rows | None]:
        """What the batch does to each view; nothing is known while some event can't be taken."""
        try:
            return fold(projections, batch, self._mapper)
        except FAULTS:
            return [None] * len(projections)

    def _note(self, projection: Projection, reason: str | None) -> None:
        if reason is None:
            self.stuck.pop(projection.name, None)
        elif self.stuck.get(projection.name) != reason:
            self.stuck[projection.name] = reason
            log.error("%s stands still: %s", projection.name, reason)
