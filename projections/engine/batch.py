"""Batches of events, applied to a view as a whole, and event by event only where that fails."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Self
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.link_history import correlation_id_of
from application.eventstore.database import Database
from application.eventstore.deadline import deadline
from application.eventstore.event_log import RecordedEvent, read_at
from application.eventstore.mapper import JSONMapper
from application.eventstore.pipeline import Pipeline, Query
from projections.engine import parking, positions
from projections.engine.projection import Handler, Memory, Projection
from projections.engine.tables import FAULTS, Copy, Rows

log = logging.getLogger(__name__)

RETRY_BATCH = 500  # events
RETRY_SECONDS = 5.0


class Batch:
    """Events in the order of the log, and what they do to the rows of views."""

    def __init__(
        self,
        events: Sequence[RecordedEvent],
        mapper: JSONMapper,
        projections: Sequence[Projection] = (),
    ) -> None:
        """Folds the events for all `projections` at once: each event is decoded once."""
        self.events = events
        self._mapper = mapper
        self._folded: dict[Projection, Rows] = {}
        if projections:
            # An event at fault is found, and parked, when the batch is written.
            with suppress(*FAULTS):
                folded = fold(projections, events, mapper)
                self._folded = dict(zip(projections, folded, strict=True))

    def rows(self, projection: Projection) -> Rows:
        """Returns what the events do to the rows of one view. Raises one of `FAULTS`."""
        if projection not in self._folded:
            (self._folded[projection],) = fold([projection], self.events, self._mapper)
        return self._folded[projection]

    def part(self, events: Sequence[RecordedEvent]) -> Self:
        """Returns the batch of only these of its events."""
        return self if len(events) == len(self.events) else type(self)(events, self._mapper)

    def after(self, position: int) -> Self:
        """Returns the batch of only its events after a position."""
        return self.part([recorded for recorded in self.events if recorded.position > position])


def fold(
    projections: Sequence[Projection], events: Iterable[RecordedEvent], mapper: JSONMapper
) -> list[Rows]:
    """Returns what the events do to the rows of each projection.

    Each event is decoded once, or not at all if no projection applies it.
    """
    folded = [Rows() for _ in projections]
    routes: dict[str, list[tuple[Handler, Projection, Rows]]] = {}
    for projection, rows in zip(projections, folded, strict=True):
        for topic, handler in projection.handlers.items():
            routes.setdefault(topic, []).append((handler, projection, rows))
    event_of = mapper.event
    for position, originator_id, version, topic, state, _ in events:
        if route := routes.get(topic):
            event = event_of(originator_id, version, topic, state)
            for handler, projection, rows in route:
                rows.position = position
                handler(projection, event, rows)
    return folded


def apply(conn: Connection[DictRow], projection: Projection, batch: Batch) -> None:
    """Applies a batch to the live view: rows and position, in one transaction.

    Events that the view has seen already are skipped.
    """
    with conn.transaction():
        new = batch.after(positions.lock(conn, projection.name))
        if new.events:
            write(conn, projection, projection.name, new)
            positions.advance(conn, projection.name, new.events[-1].position)


class TooMany(Exception):
    """A view has more new rows than a query takes."""


def apply_at_once(
    pipeline: Pipeline, batch: Batch, since: int, memories: Mapping[Projection, Memory]
) -> None:
    """Applies a batch to all views in one transaction and, as a rule, one round trip.

    All of them have to stand at the position `since`, with no parked event. The transaction
    commits only if each query did what it should. On `TooMany`, one of `FAULTS` or psycopg's
    errors, the caller uses `apply`, which goes event by event and view by view.
    """
    names = [projection.name for projection in memories]
    writes: list[Query] = []
    for projection, memory in memories.items():
        for write in projection.writes(pipeline.conn, batch.rows(projection), batch.events, memory):
            if isinstance(write, Copy):
                raise TooMany
            writes.append(write.query)
    queries = [
        # First, because whoever replaces a view's tables or parks events for it locks its position.
        positions.moving(names, since, batch.events[-1].position),
        parking.finding_any(names),
        *writes,
    ]
    pipeline.transact(queries)


def write(conn: Connection[DictRow], projection: Projection, target: str, batch: Batch) -> None:
    """Writes a batch within the caller's transaction, and parks events that can't be written.

    They are parked for `target`: the name of the live view, or the schema on the search path
    in which it is being rebuilt.
    """
    _Writer(conn, projection, target, parking.blocked(conn, target)).write(batch)


def retry_parked(database: Database, projection: Projection) -> tuple[int, int]:
    """Like `retry`, on a connection of its own."""
    with database.connection() as conn:
        return retry(conn, projection, JSONMapper())


def retry(conn: Connection[DictRow], projection: Projection, mapper: JSONMapper) -> tuple[int, int]:
    """Applies parked events again; returns how many were applied, and how many stay parked.

    Each batch of them has a transaction and a deadline of its own.
    """
    applied = still_parked = last = 0
    blocked: set[UUID] = set()
    while True:
        with deadline(RETRY_SECONDS), conn.transaction():
            positions.lock(conn, projection.name)
            waiting = parking.parked(conn, projection.name, last, RETRY_BATCH)
            if not waiting:
                return applied, still_parked
            writer = _Writer(conn, projection, projection.name, blocked)
            writer.write(Batch(read_at(conn, waiting), mapper))
            written = [position for position in waiting if position not in writer.parked]
            parking.release(conn, projection.name, written)
        applied, still_parked = applied + len(written), still_parked + len(writer.parked)
        last = waiting[-1]


class _Writer:
    """Writes a batch, by halves if it can't be written as a whole, and parks single events.

    `blocked` holds the correlation ids of parked events: later events with one of them are
    parked too.
    """

    def __init__(
        self,
        conn: Connection[DictRow],
        projection: Projection,
        target: str,
        blocked: set[UUID],
    ) -> None:
        self._conn = conn
        self._projection = projection
        self._target = target
        self._blocked = blocked
        self.parked: set[int] = set()

    def write(self, batch: Batch) -> None:
        """Writes the batch, except for the events that it parks."""
        ready = batch.part(self._park_blocked(batch.events))
        if not ready.events:
            return
        try:
            with self._conn.transaction():
                rows = ready.rows(self._projection)
                for each in self._projection.writes(self._conn, rows, ready.events, {}):
                    each.run(self._conn)
        except FAULTS as error:
            if len(ready.events) == 1:
                self._park(ready.events[0], error)
            else:
                middle = len(ready.events) // 2
                self.write(ready.part(ready.events[:middle]))
                self.write(ready.part(ready.events[middle:]))

    def _park_blocked(self, events: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
        """Parks the events that wait for a parked one, and returns the others."""
        if not self._blocked:
            return events
        ready = []
        for recorded in events:
            if recorded.topic in self._projection.handlers and self._is_blocked(recorded):
                self._park(recorded)
            else:
                ready.append(recorded)
        return ready

    def _is_blocked(self, recorded: RecordedEvent) -> bool:
        """Returns whether an event has to wait for a parked one.

        One of an agenda has the correlation id of its day if it does not name its booking: then
        everything on that day waits.
        """
        return (
            correlation_id_of(recorded) in self._blocked or recorded.originator_id in self._blocked
        )

    def _park(self, recorded: RecordedEvent, error: Exception | None = None) -> None:
        parking.park(self._conn, self._target, recorded, error)
        self._blocked.add(correlation_id_of(recorded))
        self.parked.add(recorded.position)
        if error is not None:
            reason = parking.reason(error)
            log.error("%s: parked position %d: %s", self._target, recorded.position, reason)
