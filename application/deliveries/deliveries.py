"""The deliveries in the database: for the senders that claim them, and for people who look."""

from collections.abc import Collection
from dataclasses import fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, Self
from uuid import UUID

from psycopg import Cursor
from psycopg.rows import DictRow

from application.deliveries.delivery import Audience, Delivery, DeliveryState, Outcome
from application.deliveries.outbox import CHANNEL
from application.eventstore import advisory_locks
from application.eventstore.connection import BY_INDEX, FOUND_GONE
from application.eventstore.database import LOST, Database, PatientConnection
from application.eventstore.hosts import FindPrimary, Hosts
from domain.errors import AdmitOneError, NotFound

CLAIM = timedelta(minutes=1)
"""The time for which a sender has a delivery for itself: twice what an attempt may take."""

_COLUMNS = ", ".join(field.name for field in fields(Delivery))
_OUTCOME = [field.name for field in fields(Outcome)]
_UNTIL = ("id", "attempts", "next_attempt_at")

# The deliveries that are due, the first of each subject. OFFSET lets PostgreSQL look for the
# earlier ones of each delivery by itself, and not for those of all that wait.
_DUE = """
    SELECT id FROM deliveries AS due
    WHERE channel = %(channel)s AND state = 'due' AND next_attempt_at <= %(now)s
        AND NOT EXISTS (SELECT FROM deliveries AS earlier
            WHERE earlier.subject = due.subject AND earlier.target = due.target
                AND earlier.channel = due.channel AND earlier.state = 'due'
                AND earlier.fact < due.fact OFFSET 0)"""
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
    RETURNING {_COLUMNS}"""  # noqa: S608 - names of columns

# Only a sender whose claim is the newest may say what became of it. What was ended meanwhile
# stays so, unless it was sent all the same.
_SETTLE = """
    UPDATE deliveries SET
        state = CASE WHEN deliveries.state = 'due' OR outcome.state = 'sent' THEN outcome.state
            ELSE deliveries.state END,
        answer = CASE WHEN deliveries.state = 'due' THEN outcome.answer END,
        next_attempt_at = coalesce(outcome.next_attempt_at, deliveries.next_attempt_at),
        sent_at = outcome.sent_at, claimed_by = NULL
    FROM unnest(%s::uuid[], %s::integer[], %s::text[], %s::text[], %s::timestamptz[],
            %s::timestamptz[])
        AS outcome (id, attempts, state, answer, next_attempt_at, sent_at)
    WHERE deliveries.id = outcome.id AND deliveries.attempts = outcome.attempts"""

# What waits for a postponed delivery is not looked at before that is due, by each claim again;
# but if another sender has claimed it since, that one says for how long.
_HOLD = """
    UPDATE deliveries AS later SET next_attempt_at = outcome.next_attempt_at
    FROM deliveries AS held
        JOIN unnest(%s::uuid[], %s::integer[], %s::timestamptz[])
            AS outcome (id, attempts, next_attempt_at) USING (id, attempts)
    WHERE held.state = 'due' AND later.state = 'due'
        AND later.subject = held.subject AND later.target = held.target
        AND later.channel = held.channel AND later.fact > held.fact
        AND later.next_attempt_at < outcome.next_attempt_at"""

_GIVE_BACK = """
    UPDATE deliveries SET attempts = attempts - 1, next_attempt_at = %s, claimed_by = NULL
    WHERE channel = %s AND state = 'due' AND attempts > 0 AND next_attempt_at = ANY(%s)"""

# The locks are looked up only if there is such a claim, and once for all of them.
_TAKE_OVER = f"""
    UPDATE deliveries SET next_attempt_at = %(now)s, claimed_by = NULL
    WHERE id = ANY(ARRAY(
        SELECT id FROM deliveries
        WHERE channel = %(channel)s AND state = 'due' AND claimed_by IS NOT NULL
            AND next_attempt_at > %(now)s AND next_attempt_at <= %(before)s
            AND claimed_by <> ALL (ARRAY(
                SELECT objid::bigint FROM pg_locks
                WHERE locktype = 'advisory' AND granted AND objsubid = 2
                    AND classid::bigint = {advisory_locks.SENDER}
                    AND database = (SELECT oid FROM pg_database
                        WHERE datname = current_database())))
        FOR UPDATE SKIP LOCKED))"""  # noqa: S608 - a constant

_RELEASE = """
    UPDATE deliveries
    SET attempts = deliveries.attempts - 1, next_attempt_at = %s, claimed_by = NULL
    FROM unnest(%s::uuid[], %s::integer[]) AS claimed (id, attempts)
    WHERE deliveries.id = claimed.id AND deliveries.attempts = claimed.attempts"""

_RETRY = f"""
    WITH retried AS (
        UPDATE deliveries SET state = 'due', attempts = 0, next_attempt_at = %(now)s
        WHERE id = %(id)s AND state IN ('due', 'parked')
            AND (%(target)s::text IS NULL OR target = %(target)s)
        RETURNING id, subject, target, channel, fact
    ), released AS (
        UPDATE deliveries AS later SET next_attempt_at = %(now)s FROM retried
        WHERE later.subject = retried.subject AND later.target = retried.target
            AND later.channel = retried.channel AND later.fact > retried.fact
            AND later.state = 'due' AND later.next_attempt_at > %(now)s
    )
    SELECT pg_notify('{CHANNEL}', '') FROM retried"""  # noqa: S608 - a constant

_EXISTS = """SELECT FROM deliveries
    WHERE id = %(id)s AND (%(target)s::text IS NULL OR target = %(target)s)"""

_LIST = f"""
    SELECT {_COLUMNS} FROM deliveries
    WHERE (%(owner_id)s::uuid IS NULL OR owner_id = %(owner_id)s)
        AND (%(booking_id)s::uuid IS NULL OR booking_id = %(booking_id)s)
        AND (%(channel)s::text IS NULL OR channel = %(channel)s)
        AND (%(target)s::text IS NULL OR target = %(target)s)
        AND (%(state)s::text IS NULL OR state = %(state)s)
        AND (%(due_at)s::timestamptz IS NULL OR (due_at, id) < (%(due_at)s, %(id)s::uuid))
    ORDER BY due_at DESC, id DESC LIMIT %(limit)s"""  # noqa: S608 - names of columns

_SWEEP = """
    DELETE FROM deliveries WHERE id IN (
        SELECT id FROM deliveries WHERE state IN ('sent', 'ended') AND due_at < %s
        ORDER BY due_at LIMIT 5000)"""

# In parts, each of which an index answers, and not all that were sent.
_BACKLOG = """
    SELECT channel, sum(due)::integer AS due, sum(parked)::integer AS parked,
        coalesce(greatest(0, extract(epoch FROM %(now)s - min(oldest))), 0)::float8 AS seconds
    FROM (
        SELECT channel, count(*) AS due, 0 AS parked,
            min(due_at) FILTER (WHERE due_at <= %(now)s) AS oldest
        FROM deliveries WHERE state = 'due' AND attempts = 0 GROUP BY channel
        UNION ALL
        SELECT channel, count(*), 0, min(due_at) FILTER (WHERE due_at <= %(now)s)
        FROM deliveries WHERE state = 'due' AND attempts > 0 GROUP BY channel
        UNION ALL
        SELECT channel, 0, count(*), NULL
        FROM deliveries WHERE state = 'parked' GROUP BY channel
    ) AS part GROUP BY channel ORDER BY channel"""


class DeliveryNotFound(NotFound):
    """There is no such delivery."""


class DeliveryOver(AdmitOneError):
    """This delivery was sent or has ended: there is nothing to try again."""


class Backlog(NamedTuple):
    """The deliveries of a channel that are due, now or later, and those that are parked.

    `seconds` is the age of the oldest one that should have been sent.
    """

    channel: str
    due: int
    parked: int
    seconds: float


class Deliveries:
    """Claims, settles, lists and retries deliveries. All times are UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def of_senders(
        cls, conninfo: str, *, count: int, find_primary: FindPrimary | None = None
    ) -> Self:
        """Returns the deliveries for so many senders of a process, on connections of their own.

        They claim and settle by index even in a new database, whose tables grow fast, and wait for
        their commits: a claim or an outcome that is lost is a message that is sent again.
        """
        settings = {**FOUND_GONE, **BY_INDEX}
        return cls(
            Database(conninfo, max_pool_size=count, find_primary=find_primary, settings=settings)
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
    ) -> list[Delivery]:
        """Returns the oldest deliveries of a channel that are due, and counts an attempt of each.

        At most `most`, behind one that was tried before. No other sender gets them before the
        claim has expired, by default after a minute; or once no session holds the lock of the
        `sender`, if it has one. Raises `Unavailable`.
        """
        values = {
            "channel": channel,
            "now": now,
            "until": until or now + CLAIM,
            "most": most,
            "sender": sender,
        }
        with self._database.connection() as conn:
            rows = self._execute(_CLAIM, values, conn).fetchall()
        return sorted((_delivery(**row) for row in rows), key=_turn)

    def give_back(self, channel: str, claims: Collection[datetime], *, now: datetime) -> None:
        """Makes due again what is claimed until one of these moments. Raises `Unavailable`.

        A sender that has got no answer can name no other part of its claims.
        """
        values = (now, channel, list(claims))
        self._database.run_idempotent(partial(self._execute, _GIVE_BACK, values))

    def take_over(self, channel: str, *, before: datetime, now: datetime) -> None:
        """Makes due again what senders had claimed that were killed. Raises `Unavailable`.

        Only claims that expire before a moment: younger ones may be those of a sender that has just
        lost its session, and works on.
        """
        values = {"channel": channel, "before": before, "now": now}
        self._database.run_idempotent(partial(self._execute, _TAKE_OVER, values))

    def settle(self, *outcomes: Outcome) -> None:
        """Records what became of claimed deliveries. Raises `Unavailable`."""
        columns = [[getattr(each, name) for each in outcomes] for name in _OUTCOME]
        self._database.run_idempotent(partial(self._execute, _SETTLE, columns))
        postponed = [each for each in outcomes if each.state is DeliveryState.DUE]
        if postponed:
            until = [[getattr(each, name) for each in postponed] for name in _UNTIL]
            self._database.run_idempotent(partial(self._execute, _HOLD, until))

    def release(self, claimed: Collection[Delivery], *, now: datetime) -> None:
        """Gives back deliveries that were claimed and not tried. Raises `Unavailable`."""
        if claimed:
            values = (now, [each.id for each in claimed], [each.attempts for each in claimed])
            with self._database.connection() as conn:
                self._execute(_RELEASE, values, conn)

    def _execute(self, statement: str, values: Any, conn: PatientConnection) -> Cursor[DictRow]:
        """Runs a statement, and leaves a host that does not commit it."""
        try:
            return conn.execute(statement.encode(), values)
        except LOST:
            self._database.leave(conn)
            raise

    def retry(self, delivery_id: UUID, *, now: datetime, target: str | None = None) -> None:
        """Makes a delivery due now, with all its attempts before it.

        With `target`, accepts only a delivery to that. Raises `DeliveryNotFound` or
        `DeliveryOver`.
        """
        values = {"id": delivery_id, "now": now, "target": target}
        with self._database.connection() as conn:
            if conn.execute(_RETRY.encode(), values).rowcount:
                return
        if self._database.fetch_one(_EXISTS, values) is None:
            raise DeliveryNotFound
        raise DeliveryOver

    def newest(
        self,
        *,
        limit: int,
        owner_id: UUID | None = None,
        booking_id: UUID | None = None,
        channel: str | None = None,
        target: str | None = None,
        state: DeliveryState | None = None,
        after: tuple[datetime, UUID] | None = None,
    ) -> list[Delivery]:
        """Returns at most `limit` deliveries, those that are due last come first.

        `after` is time and id of the delivery before the first one to return.
        """
        values = {
            "owner_id": owner_id,
            "booking_id": booking_id,
            "channel": channel,
            "target": target,
            "state": state,
            "due_at": after and after[0],
            "id": after and after[1],
            "limit": limit,
        }
        return self._database.fetch_objects(_delivery, _LIST, values)

    def sweep(self, *, before: datetime) -> int:
        """Deletes what was due before a moment and is over, and returns how many there were.

        That is what was sent or is no longer needed. What was given up stays until it is retried.
        """
        swept = 0
        while count := self._database.run_idempotent(
            lambda conn: conn.execute(_SWEEP, (before,)).rowcount
        ):
            swept += count
        return swept

    def backlog(self, *, now: datetime) -> list[Backlog]:
        """Returns what is not sent yet, by channel; nothing about a channel that is done."""
        return self._database.fetch_objects(Backlog, _BACKLOG, {"now": now})


def _delivery(*, audience: str, state: str, **columns: Any) -> Delivery:
    return Delivery(audience=Audience(audience), state=DeliveryState(state), **columns)


def _turn(delivery: Delivery) -> tuple[bool, datetime, int, Audience]:
    """Returns by what claimed deliveries are put in order, those that were tried before first."""
    return delivery.attempts == 1, delivery.due_at, delivery.fact or 0, delivery.audience
