"""Keeps the views up with the log, for ever.

The truth is a query from where each view has come, at least once a second; NOTIFY only
shortens the wait. Whatever goes wrong with the connection, the runner connects again and
goes on from the positions in the database. Only one runner works at a time: it holds an
advisory lock in the very session that it writes with, so losing one is losing both.
"""

import logging
from collections.abc import Sequence
from itertools import groupby
from random import uniform
from threading import Event
from uuid import UUID

import msgspec
import psycopg
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from application.database import Database, with_defaults
from application.mapper import UnknownTopic
from application.recorder import CHANNEL
from projections.projection import Projection, Recorded

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
BATCH_SIZE = 500
_LOCK = 4_011_200_118
_LONGEST_PAUSE_SECONDS = 5.0


def is_running(database: Database) -> bool:
    """Whether a runner works on this database, wherever it runs."""
    row = database.fetch_one(
        """SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND classid::bigint << 32 | objid::bigint = %s
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""",
        (_LOCK,),
    )
    return row is not None


class Runner:
    """Applies the log to all projections until it is told to stop."""

    def __init__(
        self, conninfo: str, projections: Sequence[Projection], mapper: Mapper[UUID]
    ) -> None:
        self._conninfo = with_defaults(conninfo, application_name="admitone projector")
        self._projections = projections
        self._mapper = mapper
        self.stuck: dict[str, str] = {}

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
            except psycopg.Error as error:
                log.warning("can't go on, connecting again: %s", error)
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
        """Apply the next events to every view; how many there were in all.

        A view that can't go on stands still, for the reason in `stuck`, and the others
        go on without it.
        """
        seen: dict[str, int] = {
            row["name"]: row["position"]
            for row in conn.execute("SELECT name, position FROM projection_positions")
        }

        def place(projection: Projection) -> int:
            return seen.get(projection.name, 0)

        count = 0
        for position, projections in groupby(sorted(self._projections, key=place), key=place):
            count += self._apply_next(conn, position, list(projections))
        return count

    def _apply_next(
        self, conn: Connection[DictRow], position: int, projections: Sequence[Projection]
    ) -> int:
        rows = conn.execute(
            """SELECT notification_id, originator_id, originator_version, topic, state
            FROM stored_events WHERE notification_id > %s
            ORDER BY notification_id LIMIT %s""",
            (position, BATCH_SIZE),
            prepare=True,
        ).fetchall()
        batch = []
        unreadable = None
        for row in rows:
            try:
                batch.append(Recorded(row["notification_id"], self._event(row)))
            except (UnknownTopic, msgspec.DecodeError) as error:
                unreadable = f"can't read position {row['notification_id']}: {error!r}"
                break
        count = 0
        for projection in projections:
            reason = unreadable
            try:
                if batch:
                    projection.apply(conn, batch)
                    count += len(batch)
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
                reason = f"can't apply what follows position {position}: {error}"
            self._note(projection, reason)
        return count

    def _note(self, projection: Projection, reason: str | None) -> None:
        if reason is None:
            self.stuck.pop(projection.name, None)
        elif self.stuck.get(projection.name) != reason:
            self.stuck[projection.name] = reason
            log.error("%s stands still: %s", projection.name, reason)

    def _event(self, row: DictRow) -> DomainEventProtocol[UUID]:
        return self._mapper.to_domain_event(
            StoredEvent(
                originator_id=row["originator_id"],
                originator_version=row["originator_version"],
                topic=row["topic"],
                state=bytes(row["state"]),
            )
        )
