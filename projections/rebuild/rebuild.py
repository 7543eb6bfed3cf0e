"""Builds views anew beside the live ones, compares, and puts them in their place.

Several views take one pass over the log. How far each has come is noted with its rows, in the
same transaction: a rebuild that was killed is gone on with. Readers see the old view until
the transaction that switches, and from then on the new one.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.rows import DictRow, dict_row

from application.eventstore.conninfo import with_defaults
from application.eventstore.event_log import RecordedEvent, read
from application.eventstore.mapper import JSONMapper
from domain.errors import Unavailable
from projections.engine import parking, positions
from projections.engine.batch import write
from projections.engine.folding import fold
from projections.engine.projection import Projection
from projections.engine.tables import FAULTS, Rows
from projections.rebuild import jobs
from projections.rebuild.jobs import REBUILD, VERIFY, RebuildJob
from projections.rebuild.throttle import BATCH_SIZE, RebuildThrottle
from projections.rebuild.view_diff import compare

# Behind the live view by so few events that it can wait while they are applied.
_NEARLY_THERE = 200
COMPARE_SECONDS = 10.0  # for the live view to come as far as the new one
STANDING_SECONDS = 1.5  # in which a live view that somebody keeps up would have moved
SWITCH_SECONDS = 60.0
# Readers queue behind a wait for their tables: it has to be short, and rare.
TABLES_WAIT = "100ms"
PAUSE_SECONDS = 0.5
# The projector and readers must not wait for a rebuild that stands still or can't be reached.
_SESSION = """SET timezone = 'UTC'; SET synchronous_commit = off;
    SET idle_in_transaction_session_timeout = '10s';
    SET max_parallel_workers_per_gather = 0; SET max_parallel_maintenance_workers = 0;
    SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 2;
    SET tcp_user_timeout = 3000"""

Report = Callable[[Sequence[RebuildJob]], None]


class NotSwitched(Unavailable):
    """The new view is complete, but readers would not let go of the old one. Try again."""


@dataclass
class _Job:
    projection: Projection
    generation: RebuildJob


class Rebuild:
    """One pass over the log for some views, to replace the live ones or to be compared."""

    def __init__(
        self,
        conninfo: str,
        projections: Sequence[Projection],
        mapper: JSONMapper,
        *,
        kind: str = REBUILD,
        report: Report = lambda _: None,
    ) -> None:
        self._conninfo = with_defaults(conninfo, application_name=f"admitone {kind}")
        self._projections = projections
        self._mapper = mapper
        self._kind = kind
        self._report = report

    def run(self) -> list[RebuildJob]:
        """Do all of it. Raises `RebuildRunning`, `NotSwitched` or psycopg's errors."""
        with ExitStack() as stack:
            self._conn, self._other, live = (
                stack.enter_context(closing(self._connect())) for _ in range(3)
            )
            for projection in self._projections:
                jobs.lock(self._conn, projection.name)
            self._jobs = [
                _Job(projection, jobs.begin(self._conn, projection, self._kind))
                for projection in self._projections
            ]
            try:
                self._work(live)
            except (psycopg.Error, NotSwitched) as error:
                self._note_failure(error)
                raise
            return [job.generation for job in self._jobs]

    def _work(self, live: Connection[DictRow]) -> None:
        self._build(live)
        for job in self._jobs:
            self._complete(job)
            self._compare(job, live)
        for job in self._jobs:
            if self._kind == VERIFY:
                self._end_verification(job)
            else:
                self._switch(job)

    def _note_failure(self, error: Exception) -> None:
        """For whoever looks; on another connection, as this one may be what was lost."""
        with suppress(psycopg.Error), closing(self._connect()) as conn:
            for job in self._jobs:
                if not job.generation.is_finished:
                    jobs.note(conn, job.generation, state="failed", error=parking.reason(error))

    def _connect(self) -> Connection[DictRow]:
        conn = psycopg.connect(self._conninfo, autocommit=True, row_factory=dict_row)
        # What a crash of the server takes away is built again: rows and position go together.
        conn.execute(_SESSION)
        return conn

    def _build(self, live: Connection[DictRow]) -> None:
        """To the end of the log: one batch is read and one written while one is folded."""
        pace = RebuildThrottle(live)
        begun = monotonic()
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            position = min(job.generation.position for job in self._jobs)
            size = pace.batch_size
            batch = read(self._other, position, size)
            written: Future[None] | None = None
            while batch:
                # A short batch is the end: more will have come, and always would.
                following: Future[list[RecordedEvent]] | None = None
                if len(batch) == size:
                    size = pace.batch_size
                    following = reader.submit(read, self._other, batch[-1].position, size)
                folded = self._fold(batch)
                if written is not None:
                    written.result()
                written = writer.submit(self._write, batch, folded, monotonic() - begun)
                worked_since, begun = begun, monotonic()
                batch = following.result() if following else []
                if pace.is_busy():
                    written.result()
                    pace.rest(worked_since)
            if written is not None:
                written.result()

    def _fold(self, batch: Sequence[RecordedEvent]) -> Sequence[Rows | None]:
        try:
            return fold([job.projection for job in self._jobs], batch, self._mapper)
        except FAULTS:
            return [None] * len(self._jobs)

    def _write(
        self, batch: Sequence[RecordedEvent], folded: Sequence[Rows | None], seconds: float
    ) -> None:
        with self._conn.transaction():
            advanced = [
                self._advanced(job, batch, rows, seconds)
                for job, rows in zip(self._jobs, folded, strict=True)
            ]
        for job, generation in zip(self._jobs, advanced, strict=True):
            job.generation = generation
        self._report(advanced)

    def _advanced(
        self,
        job: _Job,
        batch: Sequence[RecordedEvent],
        rows: Rows | None = None,
        seconds: float = 0.0,
    ) -> RebuildJob:
        """The generation after the batch, in the caller's transaction."""
        old = job.generation
        new = [recorded for recorded in batch if recorded.position > old.position]
        if not new:
            return old
        jobs.enter(self._conn, old)
        known = rows if len(new) == len(batch) else None
        write(self._conn, job.projection, old.schema, new, self._mapper, rows=known)
        changes: dict[str, Any] = {
            "position": new[-1].position,
            "events": old.events + len(new),
            "seconds": old.seconds + seconds,
        }
        jobs.note(self._conn, old, **changes)
        return replace(old, **changes)

    def _complete(self, job: _Job) -> None:
        """Give the tables what readers need, and come as near to the live view as can be."""
        begun = monotonic()
        with self._conn.transaction():
            jobs.enter(self._conn, job.generation)
            for table in job.projection.tables:
                table.create_indexes(self._conn)
                self._conn.execute(f"ANALYZE {table.name}".encode())
        job.generation = replace(
            job.generation, seconds=job.generation.seconds + monotonic() - begun, state="comparing"
        )
        jobs.note(self._conn, job.generation, seconds=job.generation.seconds, state="comparing")
        self._report([job.generation])
        while self._catch_up(job) > _NEARLY_THERE:
            pass

    def _catch_up(self, job: _Job, until: int | None = None) -> int:
        """The next batch; how many events it had."""
        batch = read(self._conn, job.generation.position, BATCH_SIZE, until=until)
        with self._conn.transaction():
            advanced = self._advanced(job, batch)
        job.generation = advanced
        return len(batch)

    def _compare(self, job: _Job, live: Connection[DictRow]) -> None:
        """Compare with the live view at the same position; not at all if it is too far behind."""
        with self._snapshot(job, live) as is_at_same_position:
            if not is_at_same_position:
                return
            found = compare(self._other, job.projection, job.generation.schema)
        changes: dict[str, Any] = found._asdict()
        jobs.note(self._conn, job.generation, **changes)
        job.generation = replace(job.generation, **changes)

    @contextmanager
    def _snapshot(self, job: _Job, live: Connection[DictRow]) -> Iterator[bool]:
        """Let the other connection see both at one position, for as long as it likes.

        The live view stands still only until the snapshot is taken.
        """
        ends_at = monotonic() + COMPARE_SECONDS
        moved_at, moved_to = monotonic(), -1
        self._other.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            with ExitStack() as stack:
                while True:
                    with live.transaction():
                        seen = positions.lock(live, job.projection.name)
                        if job.generation.position <= seen:
                            while self._catch_up(job, until=seen):
                                pass
                            stack.enter_context(self._other.transaction())
                            self._other.execute("SELECT FROM rebuilds LIMIT 1")
                            break
                    if seen != moved_to:
                        moved_at, moved_to = monotonic(), seen
                    if monotonic() > min(ends_at, moved_at + STANDING_SECONDS):
                        break
                    sleep(0.02)
                yield job.generation.position <= seen
        finally:
            self._other.isolation_level = None

    def _end_verification(self, job: _Job) -> None:
        with self._conn.transaction():
            jobs.drop(self._conn, job.generation)
            jobs.finish(self._conn, job.generation)
        self._finished(job)

    def _switch(self, job: _Job) -> None:
        """Put the new view in the place of the live one, in one transaction."""
        jobs.note(self._conn, job.generation, state="switching")
        ends_at = monotonic() + SWITCH_SECONDS
        while True:
            while self._catch_up(job) > _NEARLY_THERE:
                pass
            try:
                with self._conn.transaction():
                    self._switch_now(job)
                break
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if monotonic() > ends_at:
                    raise NotSwitched from error
                sleep(PAUSE_SECONDS)
        self._finished(job)

    def _switch_now(self, job: _Job) -> None:
        name, generation = job.projection.name, job.generation
        seen = positions.lock(self._conn, name)
        while batch := read(self._conn, generation.position, BATCH_SIZE, until=seen):
            generation = self._advanced(_Job(job.projection, generation), batch)
        jobs.leave(self._conn)
        self._conn.execute("SELECT set_config('lock_timeout', %s, true)", (TABLES_WAIT,))
        parking.rename(self._conn, generation.schema, name)
        jobs.switch(self._conn, job.projection, generation)
        positions.advance(self._conn, name, max(seen, generation.position))
        jobs.finish(self._conn, generation)

    def _finished(self, job: _Job) -> None:
        job.generation = jobs.find(self._conn, job.generation.id)
        self._report([job.generation])
