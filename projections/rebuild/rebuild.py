"""Rebuilds views beside the live ones, compares the two, and switches.

Several views share one pass over the log. Each transaction stores rows together with the position
that they have reached, so that a rebuild that was killed can be resumed by the same code. Readers
see the old view until the transaction that switches commits, and the new one afterwards.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from time import monotonic, sleep
from typing import Any

import psycopg
from psycopg import Connection, IsolationLevel
from psycopg.rows import DictRow

from application.eventstore.advisory_locks import PROJECTOR, is_held
from application.eventstore.connection import UNATTENDED, connect
from application.eventstore.event_log import RecordedEvent, read
from application.eventstore.mapper import JSONMapper
from domain.errors import AdmitOneError, Unavailable
from projections.engine import parking, positions
from projections.engine.batch import Batch, write
from projections.engine.projection import Projection
from projections.rebuild import jobs
from projections.rebuild.jobs import REBUILD, VERIFY, RebuildJob
from projections.rebuild.throttle import BATCH_SIZE, RebuildThrottle
from projections.rebuild.view_diff import compare

# So few events that the live view can wait while they are applied.
_NEARLY_THERE = 200
COMPARE_SECONDS = 10.0  # for the live view to reach the position of the new one
SWITCH_SECONDS = 60.0
# Readers queue behind a lock request on their tables: it has to be short, and rare.
TABLES_WAIT = "100ms"
PAUSE_SECONDS = 0.5
_SETTINGS = {
    **UNATTENDED,
    # The projector and readers must not wait for a rebuild that hangs.
    "idle_in_transaction_session_timeout": "10s",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
}

Report = Callable[[Sequence[RebuildJob]], None]
"""Called with the jobs that have made progress."""


SwitchCheck = Callable[[Connection[DictRow], Projection, RebuildJob], None]
"""Called before a new view replaces the live one. Raises `SwitchRefused` to prevent that."""


class SwitchRefused(AdmitOneError):
    """The new view must not replace the live one."""


class NotSwitched(Unavailable):
    """The new view is complete, but readers would not let go of the old one. Try again."""


@dataclass
class _Build:
    """A view that is being built, and how far its job has come."""

    projection: Projection
    job: RebuildJob


class Rebuild:
    """One pass over the log for some views, to replace the live ones or to compare with them."""

    def __init__(
        self,
        conninfo: str,
        projections: Sequence[Projection],
        mapper: JSONMapper,
        *,
        kind: str = REBUILD,
        report: Report = lambda _: None,
        may_switch: SwitchCheck = lambda *_: None,
        fresh: bool = False,
    ) -> None:
        self._conninfo = conninfo
        self._projections = projections
        self._mapper = mapper
        self._kind = kind
        self._report = report
        self._may_switch = may_switch
        self._fresh = fresh

    def run(self) -> list[RebuildJob]:
        """Does all of it.

        Raises `RebuildRunning`, `NotSwitched`, `SwitchRefused` or psycopg's errors.
        """
        with ExitStack() as stack:
            self._conn, self._other, live = (
                stack.enter_context(closing(self._connect())) for _ in range(3)
            )
            for projection in self._projections:
                jobs.lock(self._conn, projection.name)
            self._builds = [
                _Build(
                    projection,
                    jobs.begin(self._conn, projection, self._kind, fresh=self._fresh),
                )
                for projection in self._projections
            ]
            try:
                self._work(live)
            except (psycopg.Error, AdmitOneError) as error:
                self._store_failure(error)
                raise
            return [build.job for build in self._builds]

    def _work(self, live: Connection[DictRow]) -> None:
        self._read_log(live)
        for build in self._builds:
            self._complete(build)
            self._compare(build, live)
        for build in self._builds:
            if self._kind == VERIFY:
                self._end_verification(build)
            else:
                self._switch(build)

    def _store_failure(self, error: Exception) -> None:
        """Stores the error, on a new connection: losing the old one may be the error."""
        with suppress(psycopg.Error), closing(self._connect()) as conn:
            for build in self._builds:
                if not build.job.is_finished:
                    jobs.update(conn, build.job, state="failed", error=parking.reason(error))

    def _connect(self) -> Connection[DictRow]:
        return connect(
            self._conninfo, application_name=f"admitone {self._kind}", settings=_SETTINGS
        )

    def _read_log(self, live: Connection[DictRow]) -> None:
        """Applies the log to its end: reads one batch and writes one while it folds a third."""
        throttle = RebuildThrottle(live)
        begun = monotonic()
        projections = [build.projection for build in self._builds]
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            position = min(build.job.position for build in self._builds)
            size = throttle.batch_size
            events = read(self._other, position, size)
            written: Future[None] | None = None
            while events:
                # A short batch is the end of the log, although more events may follow soon.
                following: Future[list[RecordedEvent]] | None = None
                if len(events) == size:
                    size = throttle.batch_size
                    following = reader.submit(read, self._other, events[-1].position, size)
                batch = Batch(events, self._mapper, projections)
                if written is not None:
                    written.result()
                written = writer.submit(self._write, batch, monotonic() - begun)
                worked_since, begun = begun, monotonic()
                events = following.result() if following else []
                if throttle.is_busy():
                    written.result()
                    throttle.rest(worked_since)
            if written is not None:
                written.result()

    def _write(self, batch: Batch, seconds: float) -> None:
        with self._conn.transaction():
            advanced = [self._advanced(build, batch, seconds) for build in self._builds]
        for build, job in zip(self._builds, advanced, strict=True):
            build.job = job
        self._report(advanced)

    def _advanced(self, build: _Build, batch: Batch, seconds: float = 0.0) -> RebuildJob:
        """Applies a batch in the caller's transaction, and returns the job as it is then."""
        job, new = build.job, batch.after(build.job.position)
        if not new.events:
            return job
        jobs.enter(self._conn, job)
        write(self._conn, build.projection, job.schema, new)
        changes: dict[str, Any] = {
            "position": new.events[-1].position,
            "events": job.events + len(new.events),
            "seconds": job.seconds + seconds,
        }
        jobs.update(self._conn, job, **changes)
        return replace(job, **changes)

    def _complete(self, build: _Build) -> None:
        """Adds the indexes that readers need, and catches up with the log as far as possible."""
        begun = monotonic()
        with self._conn.transaction():
            jobs.enter(self._conn, build.job)
            for table in build.projection.tables:
                table.create_indexes(self._conn)
                self._conn.execute(f"ANALYZE {table.name}".encode())
        seconds = build.job.seconds + monotonic() - begun
        build.job = replace(build.job, seconds=seconds, state="comparing")
        jobs.update(self._conn, build.job, seconds=seconds, state="comparing")
        self._report([build.job])
        while self._catch_up(build) > _NEARLY_THERE:
            pass

    def _catch_up(self, build: _Build, until: int | None = None) -> int:
        """Applies the next batch, and returns the number of its events."""
        events = read(self._conn, build.job.position, BATCH_SIZE, until=until)
        with self._conn.transaction():
            advanced = self._advanced(build, Batch(events, self._mapper))
        build.job = advanced
        return len(events)

    def _compare(self, build: _Build, live: Connection[DictRow]) -> None:
        """Compares with the live view at the same position, unless that is too far behind."""
        with self._snapshot(build, live) as is_at_same_position:
            if not is_at_same_position:
                return
            comparison = compare(self._other, build.projection, build.job.schema)
        changes: dict[str, Any] = comparison._asdict()
        jobs.update(self._conn, build.job, **changes)
        build.job = replace(build.job, **changes)

    @contextmanager
    def _snapshot(self, build: _Build, live: Connection[DictRow]) -> Iterator[bool]:
        """Shows both views at one position to the other connection, for as long as needed.

        Yields False if the live view did not get there: without a projector it can't. It is
        locked only until the snapshot is taken.
        """
        ends_at = monotonic() + COMPARE_SECONDS
        self._other.isolation_level = IsolationLevel.REPEATABLE_READ
        try:
            with ExitStack() as stack:
                while True:
                    with live.transaction():
                        seen = positions.lock(live, build.projection.name)
                        if build.job.position <= seen:
                            while self._catch_up(build, until=seen):
                                pass
                            stack.enter_context(self._other.transaction())
                            self._other.execute("SELECT FROM rebuilds LIMIT 1")
                            break
                    if monotonic() > ends_at or not is_held(self._conn, PROJECTOR):
                        break
                    sleep(0.02)
                yield build.job.position <= seen
        finally:
            self._other.isolation_level = None

    def _end_verification(self, build: _Build) -> None:
        with self._conn.transaction():
            jobs.drop(self._conn, build.job)
            jobs.finish(self._conn, build.job)
        self._report_end(build)

    def _switch(self, build: _Build) -> None:
        """Replaces the live view by the new one, as soon as readers let go of its tables."""
        try:
            self._may_switch(self._conn, build.projection, build.job)
        except SwitchRefused:
            jobs.begin_anew(self._conn, build.job)
            raise
        jobs.update(self._conn, build.job, state="switching")
        ends_at = monotonic() + SWITCH_SECONDS
        while True:
            while self._catch_up(build) > _NEARLY_THERE:
                pass
            try:
                with self._conn.transaction():
                    self._switch_now(build)
                break
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if monotonic() > ends_at:
                    raise NotSwitched from error
                sleep(PAUSE_SECONDS)
        self._report_end(build)

    def _switch_now(self, build: _Build) -> None:
        name, job = build.projection.name, build.job
        seen = positions.lock(self._conn, name)
        while events := read(self._conn, job.position, BATCH_SIZE, until=seen):
            batch = Batch(events, self._mapper)
            job = self._advanced(_Build(build.projection, job), batch)
        jobs.leave(self._conn)
        self._conn.execute("SELECT set_config('lock_timeout', %s, true)", (TABLES_WAIT,))
        parking.hand_over(self._conn, job.schema, name)
        jobs.switch(self._conn, build.projection, job)
        positions.advance(self._conn, name, max(seen, job.position))
        jobs.finish(self._conn, job)

    def _report_end(self, build: _Build) -> None:
        build.job = jobs.find(self._conn, build.job.id)
        self._report([build.job])
