"""The claims of senders: what each may try now, and what became of it."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Self

import msgspec
from psycopg import Connection, Cursor
from psycopg.errors import LockNotAvailable, ReadOnlySqlTransaction
from psycopg.rows import DictRow

from application.deliveries.delivery import COLUMNS, Audience, Delivery, DeliveryState, Outcome
from application.eventstore import advisory_locks
from application.eventstore.connection import BY_INDEX, FOUND_GONE
from application.eventstore.database import LOST, Database, PatientConnection
from application.eventstore.deadline import seconds_left
from application.eventstore.hosts import FindPrimary, Hosts
from domain.errors import Unavailable

CLAIM = timedelta(minutes=2)
"""For this time nobody else gets what a sender has claimed. Its slowest round is shorter."""

LOCK_SECONDS = 2.0
"""A sender waits this long for what another session has locked: less than for a server, so that
it never takes the one for the other."""

# The deliveries that are due, the first of each subject. OFFSET lets PostgreSQL look for the
# earlier ones of each delivery by itself, and not for those of all that wait.
_DUE = """
    SELECT id FROM deliveries AS due
    WHERE channel = %(channel)s AND state = 'due' AND next_attempt_at <= %(now)s
        AND NOT EXISTS (SELECT FROM deliveries AS earlier
            WHERE earlier.subject = due.subject AND earlier.target = due.target
                AND earlier.channel = due.channel AND earlier.state = 'due'
                AND earlier.fact < due.fact OFFSET 0)
        AND target <> ALL(%(besides)s::text[])"""
_IN_TURN = "ORDER BY next_attempt_at, fact, audience"

# A claim is an attempt that is due again when the claim expires. The number of attempts tells the
# claims of one delivery apart. What was tried before is claimed one at a time: if it ends its
# sender again, it uses up no attempts of others.
_CLAIM = f"""
    UPDATE deliveries
    SET attempts = attempts + 1, next_attempt_at = %(until)s, claimed_by = %(sender)s
    WHERE id = ANY(
        ARRAY({_DUE} AND attempts > 0 {_IN_TURN} LIMIT 1 FOR UPDATE SKIP LOCKED)
        || ARRAY({_DUE} AND attempts = 0 {_IN_TURN} LIMIT %(most)s FOR UPDATE SKIP LOCKED))
    RETURNING {COLUMNS}"""  # noqa: S608 - names of columns

# Only a sender whose claim is the newest may say what became of it. What was ended meanwhile
# stays so, unless it was sent all the same.
_SETTLE = """
    UPDATE deliveries SET
        state = CASE WHEN deliveries.state = 'due' OR outcome.state = 'sent' THEN outcome.state
            ELSE deliveries.state END,
        answer = CASE WHEN deliveries.state = 'due' THEN outcome.answer END,
        next_attempt_at = coalesce(outcome.next_attempt_at, deliveries.next_attempt_at),
        sent_at = outcome.sent_at, claimed_by = NULL
    FROM json_to_recordset(%s::json)
        AS outcome (id uuid, attempts integer, state text, answer text,
            next_attempt_at timestamptz, sent_at timestamptz)
    WHERE deliveries.id = outcome.id AND deliveries.attempts = outcome.attempts"""

# The deliveries behind a postponed one are postponed with it, so that no claim looks at them in
# vain. If another sender has claimed that one since, its outcome says for how long. With OFFSET 0
# and the array of ids, PostgreSQL finds each by an index instead of reading all that wait.
_HOLD = """
    WITH behind AS (
        SELECT later.id, outcome.next_attempt_at
        FROM json_to_recordset(%s::json)
            AS outcome (id uuid, attempts integer, next_attempt_at timestamptz)
        CROSS JOIN LATERAL (
            SELECT subject, target, channel, fact FROM deliveries
            WHERE id = outcome.id AND attempts = outcome.attempts AND state = 'due' OFFSET 0
        ) AS held
        CROSS JOIN LATERAL (
            SELECT id FROM deliveries
            WHERE subject = held.subject AND target = held.target AND channel = held.channel
                AND fact > held.fact AND state = 'due' OFFSET 0
        ) AS later
    )
    UPDATE deliveries SET next_attempt_at = behind.next_attempt_at FROM behind
    WHERE deliveries.id = ANY(ARRAY(SELECT id FROM behind)) AND deliveries.id = behind.id
        AND state = 'due' AND deliveries.next_attempt_at < behind.next_attempt_at"""

_RELEASE = """
    UPDATE deliveries
    SET attempts = deliveries.attempts - 1, next_attempt_at = %s, claimed_by = NULL
    FROM unnest(%s::uuid[], %s::integer[]) AS claimed (id, attempts)
    WHERE deliveries.id = claimed.id AND deliveries.attempts = claimed.attempts"""

_RELEASE_UNTIL = """
    UPDATE deliveries SET attempts = attempts - 1, next_attempt_at = %s, claimed_by = NULL
    WHERE channel = %s AND state = 'due' AND attempts > 0 AND next_attempt_at = ANY(%s)
        AND claimed_by IS NOT DISTINCT FROM %s"""

# A claim is an attempt, so `attempts > 0` finds claims by the index of tried deliveries. The locks
# are looked up only if there is such a claim, and once for all of them.
_TAKE_OVER = f"""
    UPDATE deliveries SET next_attempt_at = %(now)s, claimed_by = NULL
    WHERE id = ANY(ARRAY(
        SELECT id FROM deliveries
        WHERE channel = ANY(%(channels)s) AND state = 'due' AND attempts > 0
            AND claimed_by IS NOT NULL
            AND next_attempt_at > %(now)s AND next_attempt_at <= %(before)s
            AND claimed_by <> ALL (ARRAY(
                SELECT objid::bigint FROM pg_locks
                WHERE locktype = 'advisory' AND granted AND objsubid = 2
                    AND classid::bigint = {advisory_locks.SENDER}
                    AND database = (SELECT oid FROM pg_database
                        WHERE datname = current_database())))
        FOR UPDATE SKIP LOCKED))"""  # noqa: S608 - a constant


class Claims:
    """Claims deliveries for senders, and records what became of them. All times are UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def of_senders(cls, conninfo: str, *, find_primary: FindPrimary | None = None) -> Self:
        """Returns the claims of the senders of a process, which share a connection for them.

        They claim and settle by index even in a new database, whose tables grow fast, and wait for
        their commits: a claim or an outcome that is lost is a message that is sent again.
        """
        settings = {**FOUND_GONE, **BY_INDEX, "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}ms"}
        return cls(
            Database(conninfo, max_pool_size=1, find_primary=find_primary, settings=settings)
        )

    @property
    def hosts(self) -> Hosts:
        """The hosts that its connections lead to."""
        return self._database.hosts

    def close(self) -> None:
        """Closes all connections."""
        self._database.close()

    def claim(
        self,
        channel: str,
        *,
        most: int,
        now: datetime,
        until: datetime | None = None,
        sender: int | None = None,
        besides: Collection[str] = (),
    ) -> list[Delivery]:
        """Returns the oldest deliveries of a channel that are due, and counts an attempt of each.

        At most `most`, behind one that was tried before, and none to the targets `besides`. No
        other sender gets them before the claim has expired, by default after two minutes; or once
        no session holds the lock of the `sender`, if it has one. Raises `Unavailable`.
        """
        values = {
            "channel": channel,
            "now": now,
            "until": until or now + CLAIM,
            "most": most,
            "sender": sender,
            "besides": list(besides),
        }
        with self._database.connection() as conn:
            rows = self._execute(_CLAIM, values, conn).fetchall()
        return sorted((Delivery.from_row(**row) for row in rows), key=_turn)

    def settle(self, *outcomes: Outcome) -> None:
        """Records what became of claimed deliveries. Raises `Unavailable`."""
        self._database.run_idempotent(partial(self._execute, _SETTLE, [_json(outcomes)]))
        postponed = [each for each in outcomes if each.state is DeliveryState.DUE]
        if postponed:
            self._database.run_idempotent(partial(self._execute, _HOLD, [_json(postponed)]))

    def release(self, claimed: Collection[Delivery], *, now: datetime) -> None:
        """Makes due again what was claimed and not tried. Raises `Unavailable`."""
        if claimed:
            values = (now, [each.id for each in claimed], [each.attempts for each in claimed])
            with self._database.connection() as conn:
                self._execute(_RELEASE, values, conn)

    def release_until(
        self, channel: str, moments: Collection[datetime], *, sender: int | None, now: datetime
    ) -> None:
        """Makes due again what this sender has claimed until one of these moments.

        A sender without an answer knows only when its claims expire, not their ids. Raises
        `Unavailable`.
        """
        values = (now, channel, list(moments), sender)
        self._database.run_idempotent(partial(self._execute, _RELEASE_UNTIL, values))

    @staticmethod
    def take_over(
        conn: Connection[DictRow], channels: Sequence[str], *, before: datetime, now: datetime
    ) -> None:
        """Makes due again what killed senders have claimed. Raises psycopg's errors.

        `conn` is a session in which senders have their locks. Leaves younger claims, which expire
        after `before`: their sender may only have lost its session.
        """
        values = {"channels": list(channels), "before": before, "now": now}
        conn.execute(_TAKE_OVER.encode(), values)

    def _execute(self, statement: str, values: Any, conn: PatientConnection) -> Cursor[DictRow]:
        """Runs a statement, and leaves a host that gives no answer or takes no writes.

        Runs nothing near the deadline, after a wait for a lock or for the connection: there is no
        time left in which the server could tell a wait from silence.
        """
        if seconds_left() < LOCK_SECONDS:
            raise Unavailable
        try:
            return conn.execute(statement.encode(), values)
        except LockNotAvailable as error:
            raise Unavailable from error
        except LOST as error:
            if error.sqlstate is None or isinstance(error, ReadOnlySqlTransaction):
                self._database.leave(conn)
            raise


def _turn(delivery: Delivery) -> tuple[bool, datetime, int, Audience]:
    """Returns by what claimed deliveries are put in order, those that were tried before first."""
    return delivery.attempts == 1, delivery.due_at, delivery.fact or 0, delivery.audience


def _json(outcomes: Sequence[Outcome]) -> str:
    """Returns outcomes as JSON; of an array, psycopg would look at every value."""
    return msgspec.json.encode(outcomes).decode()
