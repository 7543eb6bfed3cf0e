"""The deliveries in the database, for people who look at them and retry them."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from application.deliveries.delivery import COLUMNS, Delivery, DeliveryState
from application.eventstore.database import Database
from domain.errors import AdmitOneError, NotFound

_RETRY = """
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
    SELECT FROM retried"""

_EXISTS = """SELECT FROM deliveries
    WHERE id = %(id)s AND (%(target)s::text IS NULL OR target = %(target)s)"""

_LIST = f"""
    SELECT {COLUMNS} FROM deliveries
    WHERE (%(owner_id)s::uuid IS NULL OR owner_id = %(owner_id)s)
        AND (%(booking_id)s::uuid IS NULL OR booking_id = %(booking_id)s)
        AND (%(channel)s::text IS NULL OR channel = %(channel)s)
        AND (%(target)s::text IS NULL OR target = %(target)s)
        AND (%(state)s::text IS NULL OR state = %(state)s)
        AND (%(due_at)s::timestamptz IS NULL OR (due_at, id) < (%(due_at)s, %(id)s::uuid))
    ORDER BY due_at DESC, id DESC LIMIT %(limit)s"""  # noqa: S608 - names of columns

# Owner by owner, as an index has them by time; no account is ever deleted. By an array of ids, so
# that these are found by an index as well.
_SWEEP = """
    DELETE FROM deliveries WHERE id = ANY(ARRAY(
        SELECT old.id FROM accounts CROSS JOIN LATERAL (
            SELECT id FROM deliveries
            WHERE owner_id = accounts.id AND due_at < %s AND state IN ('sent', 'ended')
            ORDER BY due_at LIMIT 5000
        ) AS old LIMIT 5000))"""

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
    """Lists, counts, retries and deletes deliveries. All times are UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        return self._database.fetch_objects(Delivery.from_row, _LIST, values)

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
