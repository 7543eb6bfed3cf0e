"""A batch of the log into one view: all at once, and only in need event by event."""

import logging
from collections.abc import Sequence
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.link_history import correlation_id_of
from application.eventstore.database import Database
from application.eventstore.deadline import deadline
from application.eventstore.event_log import RecordedEvent, read_at
from application.eventstore.mapper import JSONMapper
from projections.engine import parking, positions
from projections.engine.folding import fold
from projections.engine.projection import Projection
from projections.engine.tables import FAULTS, Rows

log = logging.getLogger(__name__)

RETRY_BATCH = 500
RETRY_SECONDS = 5.0


def apply(
    conn: Connection[DictRow],
    projection: Projection,
    batch: Sequence[RecordedEvent],
    mapper: JSONMapper,
    *,
    rows: Rows | None = None,
) -> None:
    """Rows and position of the live view, in one transaction. What it has seen is passed over.

    `rows` is what the whole batch does, if that is known already.
    """
    with conn.transaction():
        seen = positions.lock(conn, projection.name)
        new = [recorded for recorded in batch if recorded.position > seen]
        if new:
            known = rows if len(new) == len(batch) else None
            write(conn, projection, projection.name, new, mapper, rows=known)
            positions.advance(conn, projection.name, new[-1].position)


def write(
    conn: Connection[DictRow],
    projection: Projection,
    generation: str,
    batch: Sequence[RecordedEvent],
    mapper: JSONMapper,
    *,
    rows: Rows | None = None,
) -> None:
    """Write a batch within the caller's transaction; what can't be written is parked.

    `generation` names the tables that the search path leads to: the live view, or a rebuild.
    """
    standing = parking.stories(conn, generation)
    _Careful(conn, projection, generation, mapper, standing).write(batch, rows)


def retry_parked(database: Database, projection: Projection) -> tuple[int, int]:
    """Like `retry`, on a connection of its own."""
    with database.connection() as conn:
        return retry(conn, projection, JSONMapper())


def retry(conn: Connection[DictRow], projection: Projection, mapper: JSONMapper) -> tuple[int, int]:
    """Applies parked events again; returns how many the view took, and how many stay parked.

    A batch in a transaction, each with a deadline of its own.
    """
    taken = left = last = 0
    standing: set[UUID] = set()
    while True:
        with deadline(RETRY_SECONDS), conn.transaction():
            positions.lock(conn, projection.name)
            waiting = parking.parked(conn, projection.name, last, RETRY_BATCH)
            if not waiting:
                return taken, left
            careful = _Careful(conn, projection, projection.name, mapper, standing)
            careful.write(read_at(conn, waiting), None)
            able = [position for position in waiting if position not in careful.parked]
            parking.release(conn, projection.name, able)
        taken, left, last = taken + len(able), left + len(careful.parked), waiting[-1]


class _Careful:
    """Writes a batch by halves where it can't be written as a whole."""

    def __init__(
        self,
        conn: Connection[DictRow],
        projection: Projection,
        generation: str,
        mapper: JSONMapper,
        standing: set[UUID],
    ) -> None:
        self._conn = conn
        self._projection = projection
        self._generation = generation
        self._mapper = mapper
        self._standing = standing
        self.parked: set[int] = set()

    def write(self, batch: Sequence[RecordedEvent], rows: Rows | None) -> None:
        """All of it, but for what has to wait; `rows` are what the whole batch does, if known."""
        able = self._able(batch)
        if not able:
            return
        try:
            with self._conn.transaction():
                if rows is None or len(able) < len(batch):
                    (rows,) = fold([self._projection], able, self._mapper)
                self._projection.write(self._conn, rows, able)
        except FAULTS as error:
            if len(able) == 1:
                self._park(able[0], error)
            else:
                middle = len(able) // 2
                self.write(able[:middle], None)
                self.write(able[middle:], None)

    def _able(self, batch: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
        """The events whose stories don't stand still; the others wait from now on."""
        if not self._standing:
            return batch
        able = []
        for recorded in batch:
            if recorded.topic in self._projection.handlers and self._stands_still(recorded):
                self._park(recorded)
            else:
                able.append(recorded)
        return able

    def _stands_still(self, recorded: RecordedEvent) -> bool:
        """By its story, or by its day where an event before it did not say whose it was."""
        return (
            correlation_id_of(recorded) in self._standing
            or recorded.originator_id in self._standing
        )

    def _park(self, recorded: RecordedEvent, error: Exception | None = None) -> None:
        parking.park(self._conn, self._generation, recorded, error)
        self._standing.add(correlation_id_of(recorded))
        self.parked.add(recorded.position)
        if error is not None:
            reason = parking.reason(error)
            log.error("%s: parked position %d: %s", self._generation, recorded.position, reason)
