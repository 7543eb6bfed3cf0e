"""Keeps the views up with the log, for ever.

The truth is a query from where each view has come, at least once a second; NOTIFY only
shortens the wait. Whatever goes wrong with the connection, the runner connects again and
goes on from the positions in the database. Only one runner works at a time: it holds an
advisory lock in the very session that it writes with, so losing one is losing both.
"""

import logging
from collections.abc import Sequence
from random import uniform
from threading import Event
from uuid import UUID

import psycopg
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.database import with_defaults
from application.recorder import CHANNEL
from projections.projection import Projection, Recorded

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
BATCH_SIZE = 500
_LOCK = 4_011_200_118
_LONGEST_PAUSE_SECONDS = 5.0


class Runner:
    """Applies the log to all projections until it is told to stop."""

    def __init__(
        self, conninfo: str, projections: Sequence[Projection], mapper: Mapper[UUID]
    ) -> None:
        self._conninfo = with_defaults(conninfo, application_name="admitone projector")
        self._projections = projections
        self._mapper = mapper

    def run(self, stop: Event) -> None:
        """Work, or stand by while another runner works, until `stop` is set."""
        pause = 0.1
        while not stop.is_set():
            try:
                with self._connect() as conn:
                    if self._is_alone(conn):
                        log.info("keeping %d views up", len(self._projections))
                        pause = 0.1
                        self._keep_up(conn, stop)
                    else:
                        stop.wait(POLL_SECONDS)
            except psycopg.OperationalError as error:
                log.warning("lost the database, connecting again: %s", error)
                stop.wait(uniform(pause / 2, pause))  # noqa: S311 - not a secret
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _connect(self) -> Connection[DictRow]:
        return psycopg.connect(self._conninfo, autocommit=True, row_factory=dict_row)

    def _is_alone(self, conn: Connection[DictRow]) -> bool:
        return conn.execute("SELECT pg_try_advisory_lock(%s) AS got", (_LOCK,)).fetchone() == {
            "got": True
        }

    def _keep_up(self, conn: Connection[DictRow], stop: Event) -> None:
        conn.execute(f"LISTEN {CHANNEL}")
        while not stop.is_set():
            if not self.catch_up(conn):
                for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
                    pass

    def catch_up(self, conn: Connection[DictRow]) -> int:
        """Apply the next batch of events to every view; how many there were."""
        rows = conn.execute(
            """SELECT * FROM stored_events
            WHERE notification_id > (
                SELECT min(position) FROM projection_positions WHERE name = ANY(%s))
            ORDER BY notification_id LIMIT %s""",
            ([projection.name for projection in self._projections], BATCH_SIZE),
            prepare=True,
        ).fetchall()
        batch = [Recorded(row["notification_id"], self._event(row)) for row in rows]
        if batch:
            for projection in self._projections:
                projection.apply(conn, batch)
        return len(batch)

    def _event(self, row: DictRow) -> DomainEventProtocol[UUID]:
        return self._mapper.to_domain_event(
            StoredEvent(
                originator_id=row["originator_id"],
                originator_version=row["originator_version"],
                topic=row["topic"],
                state=bytes(row["state"]),
            )
        )
