"""How events reach PostgreSQL: once, in order, and with a known outcome.

The library's recorder retries an append whose reply was lost and then takes its own
event for a rival's. This one owns the whole policy: one round trip an append, one
deadline a request, and an outcome that is looked up, never guessed.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    BaseInfrastructureFactory,
    IntegrityError,
    Notification,
    StoredEvent,
)
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresFactory
from eventsourcing.utils import Environment, strtobool
from psycopg.errors import Diagnostic
from psycopg.types.json import Jsonb
from psycopg_pool import PoolTimeout

from application.database import Database, pauses, take_pause
from application.deadline import seconds_left
from domain.errors import Busy, Unavailable

CHANNEL = "stored_events"

# Writers queue for this lock until they have committed: positions become visible in
# order, so a reader that follows the log never passes one that is still to come.
_LOCK = "LOCK TABLE stored_events IN EXCLUSIVE MODE"

_INSERT_EVENTS = """
    INSERT INTO stored_events (originator_id, originator_version, topic, state)
    SELECT originator_id, originator_version, topic, state
    FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[])
        WITH ORDINALITY AS event (originator_id, originator_version, topic, state, place)
    ORDER BY place
    RETURNING notification_id"""

_INSERT_PERSONAL_DATA = """
    INSERT INTO personal_data (originator_id, originator_version, salt, data)
    SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bytea[], %s::jsonb[])"""

_MAX_BIGINT = 2**63 - 1

_CONFLICTING_KEY = re.compile(r"=\(([0-9a-f-]{36}), (\d+)\)")


class PersonalDataRow(NamedTuple):
    """What people typed with one event; see `application.personal_data`."""

    originator_id: UUID
    originator_version: int
    salt: bytes
    data: dict[str, str]


class VersionConflict(IntegrityError):
    """Another writer recorded this version of this aggregate first."""

    def __init__(self, originator_id: UUID, originator_version: int) -> None:
        super().__init__(f"{originator_id} already has a version {originator_version}")
        self.originator_id = originator_id
        self.originator_version = originator_version


class EventRecorder(PostgresApplicationRecorder):
    """The library's recorder, with appends and reads of our own."""

    datastore: Database

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        personal_data: Sequence[PersonalDataRow] = (),
        **_: Any,
    ) -> Sequence[int]:
        """Record all events and the personal data behind them, or nothing.

        Returns their positions. Raises `VersionConflict` when another writer was first;
        `Busy` when the lock, and `Unavailable` when the server or the outcome could not
        be had before the deadline.
        """
        if not stored_events:
            return []
        outcome_is_open = False
        for pause in pauses():
            try:
                return self._append(stored_events, personal_data)
            except psycopg.errors.UniqueViolation as error:
                # An append whose reply was lost may still have been committing when this
                # one queued for the lock behind it. If the rows are ours, it was.
                if outcome_is_open and (own := self._positions_if_recorded(stored_events)):
                    return own
                raise _conflict(error.diag) from error
            except psycopg.errors.LockNotAvailable as error:
                raise Busy from error
            except (PoolTimeout, psycopg.errors.ReadOnlySqlTransaction) as error:
                cause: Exception = error  # nothing was sent, or nothing was accepted
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                cause = error
                outcome_is_open = True
            self.datastore.heal()
            if not take_pause(pause):
                raise Unavailable from cause
        raise AssertionError("pauses() never ends")

    def _append(
        self, stored_events: Sequence[StoredEvent], personal_data: Sequence[PersonalDataRow]
    ) -> list[int]:
        """One transaction in one round trip, so that the lock is held for no client's sake."""
        warnings: list[Diagnostic] = []
        with self.datastore.connection() as conn:
            conn.add_notice_handler(warnings.append)
            try:
                with conn.pipeline():
                    conn.execute("BEGIN")
                    conn.execute(f"SET LOCAL lock_timeout = {_milliseconds_left()}")
                    conn.execute(_LOCK, prepare=True)
                    inserted = conn.execute(
                        _INSERT_EVENTS,
                        (
                            [event.originator_id for event in stored_events],
                            [event.originator_version for event in stored_events],
                            [event.topic for event in stored_events],
                            [event.state for event in stored_events],
                        ),
                        prepare=True,
                    )
                    if personal_data:
                        conn.execute(
                            _INSERT_PERSONAL_DATA,
                            (
                                [row.originator_id for row in personal_data],
                                [row.originator_version for row in personal_data],
                                [row.salt for row in personal_data],
                                [Jsonb(row.data) for row in personal_data],
                            ),
                            prepare=True,
                        )
                    conn.execute(f"NOTIFY {CHANNEL}")
                    conn.execute("COMMIT")
            except psycopg.errors.ReadOnlySqlTransaction:
                conn.close()  # a demoted primary: the pool has to look for the new one
                raise
            except psycopg.Error:
                if not conn.broken:
                    conn.rollback()
                raise
            finally:
                conn.remove_notice_handler(warnings.append)
            if any(notice.severity_nonlocalized == "WARNING" for notice in warnings):
                # Somebody cancelled the wait for a synchronous standby: committed here,
                # and perhaps nowhere else. Asking again would only see the local copy.
                raise Unavailable
            return [row["notification_id"] for row in inserted.fetchall()]

    def _positions_if_recorded(self, stored_events: Sequence[StoredEvent]) -> list[int] | None:
        """The positions of exactly these events, or None when the log holds others."""
        rows = self.datastore.fetch_all(
            """
            SELECT notification_id, topic, state
            FROM unnest(%s::uuid[], %s::bigint[]) WITH ORDINALITY
                AS event (originator_id, originator_version, place)
            JOIN stored_events USING (originator_id, originator_version)
            ORDER BY place""",
            (
                [event.originator_id for event in stored_events],
                [event.originator_version for event in stored_events],
            ),
        )
        recorded = [(row["topic"], bytes(row["state"])) for row in rows]
        if recorded != [(event.topic, event.state) for event in stored_events]:
            return None
        return [row["notification_id"] for row in rows]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """One aggregate's events, by version."""
        rows = self.datastore.fetch_all(
            f"""
            SELECT originator_id, originator_version, topic, state FROM stored_events
            WHERE originator_id = %s AND originator_version > %s AND originator_version <= %s
            ORDER BY originator_version {"DESC" if desc else "ASC"} LIMIT %s""",  # noqa: S608
            (originator_id, gt or 0, lte or _MAX_BIGINT, limit),
        )
        return [
            StoredEvent(
                originator_id=row["originator_id"],
                originator_version=row["originator_version"],
                topic=row["topic"],
                state=bytes(row["state"]),
            )
            for row in rows
        ]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log in order, from position `start` to `stop`."""
        rows = self.datastore.fetch_all(
            f"""
            SELECT notification_id, originator_id, originator_version, topic, state
            FROM stored_events
            WHERE notification_id {">=" if inclusive_of_start else ">"} %s
                AND notification_id <= %s AND (%s::text[] = '{{}}' OR topic = ANY(%s::text[]))
            ORDER BY notification_id LIMIT %s""",  # noqa: S608
            (start or 0, stop or _MAX_BIGINT, list(topics), list(topics), limit),
        )
        return [
            Notification(
                id=row["notification_id"],
                originator_id=row["originator_id"],
                originator_version=row["originator_version"],
                topic=row["topic"],
                state=bytes(row["state"]),
            )
            for row in rows
        ]

    def max_notification_id(self) -> int | None:
        """The head of the log; None while it is empty."""
        row = self.datastore.fetch_one("SELECT max(notification_id) FROM stored_events")
        return row["max"] if row else None


class LogFactory(PostgresFactory):
    """Hands the library our database and recorder instead of ones made from its settings."""

    def __init__(self, env: Environment, database: Database) -> None:
        BaseInfrastructureFactory.__init__(self, env)
        if strtobool(self.env.get(self.POSTGRES_ENABLE_DB_FUNCTIONS) or "no"):
            raise RuntimeError(
                "POSTGRES_ENABLE_DB_FUNCTIONS is set: that way of writing takes no lock, so "
                "readers of the log would miss events for ever. Unset it."
            )
        self.datastore = database

    def application_recorder(self) -> EventRecorder:
        """Over tables that `schema apply` has made."""
        return EventRecorder(cast("Database", self.datastore))


def _milliseconds_left() -> int:
    return max(1, int(seconds_left() * 1000))


def _conflict(diagnostic: Diagnostic) -> IntegrityError:
    """Which row was in the way, read from the one part of the text that is not translated."""
    found = _CONFLICTING_KEY.search(diagnostic.message_detail or "")
    if found is None:
        return IntegrityError(f"{diagnostic.constraint_name}: {diagnostic.message_detail}")
    return VersionConflict(UUID(found[1]), int(found[2]))
