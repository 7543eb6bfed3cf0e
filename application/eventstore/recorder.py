"""Appends events to PostgreSQL: once, in order, and with a known outcome.

The library's recorder retries an append whose reply was lost, and then mistakes its own
event for a rival's. This one has its own policy: one round trip for each append, one
deadline for each request, and an outcome that is looked up, never guessed.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from os import sched_yield
from time import monotonic
from types import MappingProxyType
from typing import Any, cast
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
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from application.eventstore import append_statement, event_log
from application.eventstore.append_statement import CHANNEL, Forgotten, PersonalDataRow
from application.eventstore.append_turn import Refusals
from application.eventstore.database import (
    LOST,
    PATIENCE,
    Database,
    DiskFull,
    PatientConnection,
    ServerAway,
    is_disk_full,
    may_try_again,
    pauses,
)
from application.eventstore.deadline import deadline, seconds_left
from application.eventstore.group_commit import (
    Append,
    AppendQueue,
    Lost,
    NoTurn,
    StaleRead,
    VersionConflict,
)
from domain.errors import Unavailable

__all__ = [
    "CHANNEL",
    "EventRecorder",
    "EventStoreFactory",
    "Forgotten",
    "PersonalDataRow",
    "StaleRead",
    "Unconfirmed",
    "VersionConflict",
]

# After these errors, nothing was sent or nothing was recorded.
_NEVER_SENT = (
    *(PoolTimeout, PoolClosed, TooManyRequests, ServerAway),
    psycopg.errors.ReadOnlySqlTransaction,
)

LEFT_FOR_READING = 2
"""Connections that no append takes while commits hang."""
FEWEST_LEADERS = 2

_MAX_BIGINT = 2**63 - 1
_NONE: Mapping[UUID, int] = MappingProxyType({})


class Unconfirmed(Unavailable):
    """The database didn't confirm this in time. It may be saved: check before you repeat it."""


class EventRecorder(PostgresApplicationRecorder):
    """The library's recorder, with appends and reads of our own."""

    datastore: Database

    def __init__(self, datastore: Database) -> None:
        super().__init__(datastore)
        most = max(FEWEST_LEADERS, datastore.pool.max_size - LEFT_FOR_READING)
        self.queue = AppendQueue(most_leaders=most)
        self._refusals = Refusals(datastore)

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[Forgotten] = (),
        unchanged: Mapping[UUID, int] = _NONE,
        **_: Any,
    ) -> Sequence[int]:
        """Records all events and the personal data behind them, or nothing; returns positions.

        In the same transaction, deletes all personal data of the aggregates in `forgotten`, and
        with links among them the refused attempts, the requests and the answers to mails, and
        stores which ones these were, by their ids. Each of these that can still change must
        also receive an event here: the caller looked up what to delete before this append has
        its turn, and only a version conflict reveals rows that were added since.

        `unchanged` has the versions of aggregates that the caller decided from and does not
        change: at its turn, these must still be the newest.

        Raises `VersionConflict` if another writer was first, as a `StaleRead` if that concerns
        an aggregate in `unchanged`, and `DiskFull` at once. At the deadline, raises `Busy` if
        others were ahead all the time, `TurnHeld` or `CommitsHang` if one of them blocked the
        rest, and `Unconfirmed` if the events may be recorded. Raises `Unavailable` if the server
        can't be reached, at the deadline or before.
        """
        if not stored_events:
            return []
        rows = append_statement.rows(stored_events, personal_data, forgotten, unchanged)
        outcome_is_open = was_sent = False
        with deadline():
            for pause in pauses():
                append = Append(rows, unchanged, patience=seconds_left() * PATIENCE)
                try:
                    return self._appended(append)
                except VersionConflict:
                    # An append whose reply was lost may still have been committing when this
                    # one queued for the lock behind it. If the rows are ours, it has succeeded.
                    if outcome_is_open and (own := self._positions_if_recorded(stored_events)):
                        return own
                    raise
                except DiskFull as error:
                    # The server has undone this append, but an earlier one of ours is unknown.
                    if not was_sent:
                        raise
                    if own := self._positions_if_recorded(stored_events):
                        return own
                    raise Unconfirmed from error
                except NoTurn as error:
                    if was_sent:
                        raise Unconfirmed from error
                    raise self._refusals.refusal() from error
                except Lost as lost:
                    outcome_is_open = True
                    was_sent = was_sent or not isinstance(lost.error, _NEVER_SENT)
                    if not may_try_again(lost.error, pause):
                        if was_sent:
                            raise Unconfirmed from lost.error
                        raise self._refusals.without_connection() from lost.error
        raise AssertionError("pauses() never ends")

    def _appended(self, append: Append) -> list[int]:
        """Returns the positions of what is appended, by this caller or by one who leads it."""
        self.queue.join(append)
        while append.outcome is None:
            self.queue.wait(append)
            if append.outcome is None:
                self.lead(append)
        if isinstance(append.outcome, list):
            return append.outcome
        raise append.outcome

    def lead(self, own: Append) -> None:
        """Appends what is in the queue in one transaction, for the caller who leads it."""
        taken: Sequence[Append] = ()
        lost: BaseException | None = None
        try:
            sched_yield()  # so that others who are ready to run can join
            with self.datastore.checked_out() as conn:
                taken = self.queue.take()  # only now: meanwhile others have joined
                if taken:
                    self._append(conn, taken)
        except LOST as error:
            lost = error
        except BaseException as error:
            lost = error  # for the others, who must not wait for somebody who is interrupted
            self.queue.leave(own)
            raise
        finally:
            self.queue.settle(own, taken, lost)

    def _append(self, conn: PatientConnection, taken: Sequence[Append]) -> None:
        """Appends, and leaves a host that does not commit."""
        try:
            is_confirmed = _append_together(conn, taken)
        except LOST:
            self.datastore.leave(conn)
            raise
        if not is_confirmed:
            self.datastore.leave(conn)

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


def _append_together(conn: PatientConnection, taken: Sequence[Append]) -> bool:
    """Appends what these callers have in one transaction, and gives them their outcomes.

    Those who are left without one go again. Returns False if the events are committed here, and
    perhaps nowhere else. Raises the errors of a lost connection.
    """
    patience = min([append.patient_until for append in taken]) - monotonic()
    conn.warnings.clear()
    try:
        result = append_statement.append(
            conn, [append.rows for append in taken], int(patience * 1000)
        )
    except psycopg.errors.LockNotAvailable:
        now = monotonic()
        for append in taken:
            if append.patient_until <= now:
                append.outcome = NoTurn()
    except LOST as error:
        if not is_disk_full(error):
            raise
        for append in taken:
            append.outcome = DiskFull()
    except psycopg.Error as error:
        if not _refuse_rivals(conn, taken, error):
            _blame(taken, error)
    else:
        if conn.warnings:
            # Somebody cancelled the wait for a synchronous standby. A query would see the local
            # copy.
            for append in taken:
                append.outcome = Unconfirmed()
            return False
        _share_out(result, taken)
    return True


def _share_out(result: append_statement.Result, taken: Sequence[Append]) -> None:
    """Gives everybody their positions, or a `StaleRead` to those who read what has changed."""
    if result.stale:
        read = [(append, version) for append in taken for version in append.read.items()]
        for place in result.stale:
            append, version = read[place - 1]
            append.outcome = StaleRead(*version)
        return
    positions = iter(result.positions)
    for append in taken:
        append.outcome = list(islice(positions, len(append.rows.versions)))


def _refuse_rivals(conn: PatientConnection, taken: Sequence[Append], error: psycopg.Error) -> bool:
    """Tells those whose versions the log already has; returns False if there are none."""
    if error.diag.constraint_name != "stored_events_pkey":
        return False
    recorded = append_statement.recorded(conn, [append.rows for append in taken])
    for append in taken:
        if taken_before := append.versions & recorded:
            append.outcome = VersionConflict(*min(taken_before))
    return bool(recorded)


def _blame(taken: Sequence[Append], error: psycopg.Error) -> None:
    """Gives the only caller the error. If there are several, each goes again alone."""
    if len(taken) > 1:
        for append in taken:
            append.must_be_alone = True
    elif isinstance(error, psycopg.errors.UniqueViolation):
        diag = error.diag
        taken[0].outcome = IntegrityError(f"{diag.constraint_name}: {diag.message_detail}")
    else:
        taken[0].outcome = error
