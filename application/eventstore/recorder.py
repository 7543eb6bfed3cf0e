"""Appends events to PostgreSQL: once, in order, and with a known outcome.

The library's recorder retries an append whose reply was lost, and then mistakes its own
event for a rival's. This one has its own policy: one round trip for each append, one
deadline for each request, and an outcome that is looked up, never guessed.
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
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from application.eventstore import advisory_locks, append_turn, event_log
from application.eventstore.database import LOST, PATIENCE, Database, pauses, sleep_within_deadline
from application.eventstore.deadline import deadline, seconds_left
from domain.errors import Unavailable

CHANNEL = "stored_events"

# Writers take turns until they have committed. So positions become visible in order, and a
# reader that follows the log never passes one that is still to come. This is an advisory lock
# and not LOCK TABLE, which (auto)vacuum and index builds would delay. Everything is a single
# statement, which the server begins when it has all of it and ends by itself: no client that
# stops or vanishes half-way keeps the others waiting.
_APPEND = f"""
    WITH patience AS MATERIALIZED (
        SELECT set_config('lock_timeout', %s, true)
    ), turn AS MATERIALIZED (
        SELECT pg_advisory_xact_lock({advisory_locks.APPEND}), pg_notify('{CHANNEL}', '')
        FROM patience
    ), person AS (
        INSERT INTO personal_data (originator_id, originator_version, salt, data, language)
        SELECT row.* FROM turn,
            unnest(%s::uuid[], %s::bigint[], %s::bytea[], %s::jsonb[], %s::text[]) AS row
    ), forgotten AS (
        DELETE FROM personal_data USING turn WHERE originator_id = ANY(%s::uuid[])
    ), forgotten_attempts AS (
        DELETE FROM refused_attempts USING turn WHERE link_id = ANY(%s::uuid[])
    ), event AS (
        INSERT INTO stored_events (originator_id, originator_version, topic, state)
        SELECT originator_id, originator_version, topic, state
        FROM turn, unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[])
            WITH ORDINALITY AS row (originator_id, originator_version, topic, state, place)
        ORDER BY place
        RETURNING notification_id
    )
    SELECT notification_id FROM event"""  # noqa: S608 - two constants

# After these errors, nothing was sent or nothing was recorded.
_NEVER_SENT = (
    *(PoolTimeout, PoolClosed, TooManyRequests),
    psycopg.errors.ReadOnlySqlTransaction,
)

_MAX_BIGINT = 2**63 - 1

_CONFLICTING_KEY = re.compile(r"=\(([0-9a-f-]{36}), (\d+)\)")


class PersonalDataRow(NamedTuple):
    """The personal data of one event; see `application.people.personal_data`.

    `language` is the tag of the language in which it was typed, such as `de-CH`, if known. The
    commitment does not cover it.
    """

    originator_id: UUID
    originator_version: int
    salt: bytes
    data: dict[str, str]
    language: str | None = None


class Unconfirmed(Unavailable):
    """The database didn't confirm this in time. It may be saved: check before you repeat it."""


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
        forgotten: Sequence[UUID] = (),
        **_: Any,
    ) -> Sequence[int]:
        """Records all events and the personal data behind them, or nothing; returns positions.

        In the same transaction, deletes all personal data of the aggregates in `forgotten` and
        the refused attempts with links among them. Each of these that can still change must
        also receive an event here: the caller looked up what to delete before this append has
        its turn, and only a version conflict reveals rows that were added since.

        Raises `VersionConflict` if another writer was first. At the deadline, raises `Busy` if
        others were ahead all the time, `TurnHeld` or `CommitsHang` if one of them blocked the
        rest, `Unconfirmed` if the events may be recorded, and `Unavailable` if the server could
        not be had.
        """
        if not stored_events:
            return []
        outcome_is_open = was_sent = False
        with deadline():
            for pause in pauses():
                try:
                    return self._append(stored_events, personal_data, forgotten)
                except psycopg.errors.UniqueViolation as error:
                    # An append whose reply was lost may still have been committing when this
                    # one queued for the lock behind it. If the rows are ours, it has succeeded.
                    if outcome_is_open and (own := self._positions_if_recorded(stored_events)):
                        return own
                    raise _conflict(error.diag) from error
                except psycopg.errors.LockNotAvailable as error:
                    if was_sent:
                        raise Unconfirmed from error
                    raise append_turn.refusal(self.datastore) from error
                except LOST as error:
                    outcome_is_open = True
                    was_sent = was_sent or not isinstance(error, _NEVER_SENT)
                    if not sleep_within_deadline(pause):
                        raise (Unconfirmed if was_sent else Unavailable) from error
        raise AssertionError("pauses() never ends")

    def _append(
        self,
        stored_events: Sequence[StoredEvent],
        personal_data: Sequence[PersonalDataRow],
        forgotten: Sequence[UUID],
    ) -> list[int]:
        """Appends in one transaction and one round trip; returns the positions."""
        severities: list[str | None] = []

        def keep_severity(notice: Diagnostic) -> None:  # a notice can be read only in here
            severities.append(notice.severity_nonlocalized)

        with self.datastore.checked_out() as conn:
            conn.add_notice_handler(keep_severity)
            try:
                inserted = conn.execute(
                    _APPEND,
                    (
                        _lock_milliseconds(),
                        [row.originator_id for row in personal_data],
                        [row.originator_version for row in personal_data],
                        [row.salt for row in personal_data],
                        [Jsonb(row.data) for row in personal_data],
                        [row.language for row in personal_data],
                        list(forgotten),
                        list(forgotten),
                        [event.originator_id for event in stored_events],
                        [event.originator_version for event in stored_events],
                        [event.topic for event in stored_events],
                        [event.state for event in stored_events],
                    ),
                    prepare=True,
                )
            finally:
                conn.remove_notice_handler(keep_severity)
            if "WARNING" in severities:
                # Somebody cancelled the wait for a synchronous standby: the events are
                # committed here, and perhaps nowhere else. A query would see the local copy.
                raise Unconfirmed
            return [row["notification_id"] for row in inserted.fetchall()]

    def _positions_if_recorded(self, stored_events: Sequence[StoredEvent]) -> list[int] | None:
        """Returns the positions of exactly these events, or None if the log holds others."""
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
        """Returns the events of one aggregate, by version."""
        rows = self.datastore.fetch_all(
            f"""
            SELECT originator_id, originator_version, topic, state FROM stored_events
            WHERE originator_id = %s AND originator_version > %s AND originator_version <= %s
            ORDER BY originator_version {"DESC" if desc else "ASC"} LIMIT %s""",  # noqa: S608
            (originator_id, gt or 0, _MAX_BIGINT if lte is None else lte, limit),
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
        """Returns the log in order, from position `start` to `stop`."""
        rows = self.datastore.fetch_all(
            f"""
            SELECT notification_id, originator_id, originator_version, topic, state
            FROM stored_events
            WHERE notification_id {">=" if inclusive_of_start else ">"} %s
                AND notification_id <= %s AND (%s::text[] = '{{}}' OR topic = ANY(%s::text[]))
            ORDER BY notification_id LIMIT %s""",  # noqa: S608
            (
                start or 0,
                _MAX_BIGINT if stop is None else stop,
                list(topics),
                list(topics),
                limit,
            ),
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
        """Returns the head of the log; None while it is empty."""
        return self.datastore.run_idempotent(event_log.head) or None


class EventStoreFactory(PostgresFactory):
    """Gives the library our database and recorder, instead of ones made from its settings."""

    def __init__(self, env: Environment, database: Database) -> None:
        BaseInfrastructureFactory.__init__(self, env)
        if strtobool(self.env.get(self.POSTGRES_ENABLE_DB_FUNCTIONS) or "no"):
            raise RuntimeError(
                "POSTGRES_ENABLE_DB_FUNCTIONS is set. Unset it: its database functions append "
                "without the lock, and readers of the log would miss events for ever."
            )
        self.datastore = database

    def application_recorder(self) -> EventRecorder:
        """Returns a recorder for the tables that `schema apply` made."""
        return EventRecorder(cast("Database", self.datastore))


def _lock_milliseconds() -> str:
    return str(max(1, int(seconds_left() * 1000 * PATIENCE)))


def _conflict(diagnostic: Diagnostic) -> IntegrityError:
    """Returns the error for the row that already exists.

    Its key is read from the only part of the message that PostgreSQL does not translate.
    """
    key = _CONFLICTING_KEY.search(diagnostic.message_detail or "")
    if key is None or diagnostic.table_name != "stored_events":
        return IntegrityError(f"{diagnostic.constraint_name}: {diagnostic.message_detail}")
    return VersionConflict(UUID(key[1]), int(key[2]))
