"""Keeps all views up to date with the log until it is stopped.

It asks for the events after the position of each view, at least once a second; NOTIFY only
shortens the wait. After any error of the connection the runner connects again and continues
from the positions in the database. Only one runner works at a time: it holds an advisory lock
in the same session that it writes with, so it can't lose one without the other.

A round of few events is one transaction for all views, in a few round trips: the runner remembers
where the views stand, and what it writes is refused by the database if that is no longer true.
Then, and when an event can't be applied or a backlog has to be, it looks at each view by itself.
"""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import groupby
from random import uniform
from threading import Event
from time import monotonic
from typing import NamedTuple

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import advisory_locks
from application.eventstore.connection import BY_INDEX, UNATTENDED, connect
from application.eventstore.database import Database, PatientConnection
from application.eventstore.deadline import deadline
from application.eventstore.event_log import RecordedEvent, read, read_next
from application.eventstore.hosts import Hosts
from application.eventstore.mapper import JSONMapper
from application.eventstore.outage_log import OutageLog
from application.eventstore.pipeline import Pipeline
from application.eventstore.recorder import CHANNEL
from projections.engine import lag, parking, positions
from projections.engine.batch import Batch, TooMany, apply, apply_at_once, retry
from projections.engine.projection import Memory, Projection
from projections.engine.tables import FAULTS

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SMALLEST_BATCH = 500  # events
LARGEST_BATCH = 8_000
MOST_AT_ONCE = 400  # events: a backlog is applied in larger batches, by COPY
# Pauses between rounds. After a few events, whoever wrote them may wait for the next round. A busy
# runner, or one that has just applied many events, pauses longer, so that a round applies many
# commits.
FEW = 10  # events
SHORT_PAUSE_SECONDS = 0.02
# A runner is busy after so many rounds that found events within such a time. The next ones are
# found without NOTIFY, which would wake the server's side of the connection at each commit.
BUSY_ROUNDS = 5
BUSY_SECONDS = 0.25
# An event waits for a round that is under way, a pause, and the next round.
LONGEST_WAIT_SECONDS = 0.045
# The deadline of one round: after it, the runner gives up a silent server and connects again.
ROUND_SECONDS = 3.0
_LONGEST_RETRY_SECONDS = 2.0
_SETTINGS = {
    **UNATTENDED,
    **BY_INDEX,
    # The server ends the session, and frees the lock, of a runner that hangs: one that works
    # sends something every second.
    "idle_session_timeout": "3s",
    "idle_in_transaction_session_timeout": "3s",
}
# Errors of the view itself, not of an event: its tables are missing, or may not be written.
_VIEW_ERRORS = (psycopg.ProgrammingError, LookupError)


class _Known(NamedTuple):
    """The state of views that all stand at one position, with nothing parked."""

    position: int
    memories: Mapping[Projection, Memory]


class _Pace:
    """The moments at which the last rounds began that found events."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque(maxlen=BUSY_ROUNDS)

    def add(self, moment: float) -> None:
        """Adds a round that found events."""
        self._moments.append(moment)

    @property
    def is_busy(self) -> bool:
        """Returns True if they were many within a short time."""
        moments = self._moments
        return len(moments) == BUSY_ROUNDS and moments[-1] - moments[0] < BUSY_SECONDS


def is_running(database: Database) -> bool:
    """Returns whether a runner is at work on this database, on any machine."""
    return database.run_idempotent(
        lambda conn: advisory_locks.is_held(conn, advisory_locks.PROJECTOR)
    )


class Runner:
    """Applies the log to all projections until it is stopped.

    `is_at_work` is set while it holds the lock. `stuck` maps the names of views that can't
    be updated to the reasons.
    """

    def __init__(
        self, where: str | Hosts, projections: Sequence[Projection], mapper: JSONMapper
    ) -> None:
        self._hosts = Hosts.of(where)
        self._projections = projections
        self._mapper = mapper
        self._batch_size = SMALLEST_BATCH
        self._known: _Known | None = None
        self._pipeline: Pipeline | None = None
        self._listens = False
        self.is_at_work = Event()
        self._outage = OutageLog(log, "database error, connecting again", "connected again")
        self.stuck: dict[str, str] = {}

    def run(self, stop: Event) -> None:
        """Works, or stands by while another runner works, until `stop` is set."""
        pause = 0.1
        while not stop.is_set():
            try:
                opened_at = monotonic()
                with closing(self._connect()) as conn:
                    if self._lock(conn):
                        log.info("keeping %d views up to date", len(self._projections))
                        pause = 0.1
                        self._follow(conn, stop, opened_at)
                    else:
                        self._outage.succeeded()
                stop.wait(POLL_SECONDS)
            except psycopg.Error as error:
                self._outage.failed(error)
                self._batch_size = SMALLEST_BATCH
                stop.wait(uniform(pause / 2, pause))  # noqa: S311 - not a secret
                pause = min(pause * 2, _LONGEST_RETRY_SECONDS)
            finally:
                self.is_at_work.clear()

    def _connect(self) -> Connection[DictRow]:
        conninfo = self._hosts.conninfo()  # may ask for the primary
        with deadline(ROUND_SECONDS):
            return connect(
                conninfo,
                application_name="admitone projector",
                settings=_SETTINGS,
                kind=PatientConnection,
            )

    def _lock(self, conn: Connection[DictRow]) -> bool:
        """Makes this runner the one at work; returns False if another one is."""
        with deadline(ROUND_SECONDS):
            row = conn.execute(
                "SELECT pg_try_advisory_lock(%s) AS is_ours", (advisory_locks.PROJECTOR,)
            ).fetchone()
            return bool(row and row["is_ours"])

    def _follow(self, conn: Connection[DictRow], stop: Event, opened_at: float) -> None:
        """Applies events until `stop` is set or the host of the connection is left."""
        self.is_at_work.set()
        self._listens = False
        with deadline(ROUND_SECONDS):
            self._listen(conn, wanted=True)
        self._retry_parked(conn)
        self._known = None
        sampled_at = 0.0
        pace = _Pace()
        while not (stop.is_set() or self._hosts.has_left(conn, opened_at)):
            begun = monotonic()
            with deadline(ROUND_SECONDS):
                applied = self.catch_up(conn)
                self._outage.succeeded()
                if monotonic() - sampled_at > lag.SAMPLE_SECONDS:
                    lag.sample(conn, [projection.name for projection in self._projections])
                    sampled_at = monotonic()
                if applied:
                    pace.add(begun)
                    if pace.is_busy:
                        self._listen(conn, wanted=False)
                elif self._listen(conn, wanted=True):
                    continue  # look again: events may have come before LISTEN
            if not applied:
                self._wait_for_events(conn)
            elif self._batch_size == SMALLEST_BATCH:
                has_many = applied // len(self._projections) > FEW
                is_busy = pace.is_busy or has_many
                stop.wait(_pause_after(monotonic() - begun, is_busy=is_busy))

    def _listen(self, conn: Connection[DictRow], *, wanted: bool) -> bool:
        """Begins or ends to listen for events; returns False if that was done already."""
        if wanted == self._listens:
            return False
        conn.execute(f"LISTEN {CHANNEL}" if wanted else f"UNLISTEN {CHANNEL}")
        self._listens = wanted
        return True

    def _wait_for_events(self, conn: Connection[DictRow]) -> None:
        """Waits for NOTIFY. After a second without, the next round trusts only the database."""
        if not list(conn.notifies(timeout=POLL_SECONDS, stop_after=1)):
            self._known = None

    def _retry_parked(self, conn: Connection[DictRow]) -> None:
        """Retries parked events at the start: this may be the release that repairs them."""
        for projection in self._projections:
            try:
                applied, left = retry(conn, projection, self._mapper)
            except _VIEW_ERRORS as error:
                self._set_stuck(projection, parking.reason(error))
                continue
            if applied or left:
                log.info("%s: applied %d parked events, %d left", projection.name, applied, left)

    def catch_up(self, conn: Connection[DictRow]) -> int:
        """Applies the next events to every view; returns how many events, over all views.

        An event that a view can't apply is parked. A view that can't be updated at all is
        listed in `stuck` with the reason; the others are updated without it.
        """
        if self._batch_size == SMALLEST_BATCH:
            known, self._known = self._known or self._look(conn), None
            if known is not None:
                pipeline = self._pipeline_of(conn)
                events = read_next(pipeline, known.position, SMALLEST_BATCH)
                if len(events) <= MOST_AT_ONCE and self._apply_at_once(pipeline, known, events):
                    return len(events) * len(self._projections)
        seen = positions.positions_of(conn)

        def position_of(projection: Projection) -> int:
            return seen.get(projection.name, 0)

        count = 0
        ordered = sorted(self._projections, key=position_of)
        for position, projections in groupby(ordered, key=position_of):
            count += self._apply_next(conn, position, list(projections))
        return count

    def _look(self, conn: Connection[DictRow]) -> _Known | None:
        """Returns where all views stand, if they do so together and nothing is parked for them."""
        seen = positions.positions_of(conn)
        names = [projection.name for projection in self._projections]
        if not seen.keys() >= set(names) or len({seen[name] for name in names}) > 1:
            return None
        if parking.finding_any(names).execute(conn):
            return None
        return _Known(seen[names[0]], {projection: {} for projection in self._projections})

    def _pipeline_of(self, conn: Connection[DictRow]) -> Pipeline:
        if self._pipeline is None or self._pipeline.conn is not conn:
            self._pipeline = Pipeline(conn)
        return self._pipeline

    def _apply_at_once(
        self, pipeline: Pipeline, known: _Known, events: Sequence[RecordedEvent]
    ) -> bool:
        """Applies events to all views; returns False, and has changed nothing, if it can't."""
        if events:
            batch = Batch(events, self._mapper, self._projections)
            try:
                apply_at_once(pipeline, batch, known.position, known.memories)
            except (TooMany, *FAULTS, psycopg.Error):
                if pipeline.conn.closed:
                    raise
                return False
            known = known._replace(position=events[-1].position)
            self.stuck.clear()
        self._known = known
        return True

    def _apply_next(
        self, conn: Connection[DictRow], position: int, projections: Sequence[Projection]
    ) -> int:
        events = read(conn, position, self._batch_size)
        if not events:
            return 0
        # Larger batches while a full one shows that more events wait.
        is_full = len(events) == self._batch_size
        self._batch_size = min(2 * self._batch_size, LARGEST_BATCH) if is_full else SMALLEST_BATCH
        batch = Batch(events, self._mapper, projections)
        count = 0
        with conn.transaction():  # one for all views, so that they wait for one commit
            for projection in projections:
                try:
                    apply(conn, projection, batch)
                except _VIEW_ERRORS as error:
                    reason = f"after position {position}: {parking.reason(error)}"
                    self._set_stuck(projection, reason)
                else:
                    self.stuck.pop(projection.name, None)
                    count += len(events)
        return count

    def _set_stuck(self, projection: Projection, reason: str) -> None:
        """Records why a view can't be updated, and logs a reason that is new."""
        if self.stuck.get(projection.name) != reason:
            self.stuck[projection.name] = reason
            log.error("%s is stuck: %s", projection.name, reason)


def _pause_after(seconds: float, *, is_busy: bool) -> float:
    """Returns the seconds between a round, which took so long, and the next."""
    longest = max(0.0, LONGEST_WAIT_SECONDS - 2 * seconds)
    return longest if is_busy else min(SHORT_PAUSE_SECONDS, longest)
