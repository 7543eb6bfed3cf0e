"""The webhooks of owners, and the messages that are sent to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import DictRow
from standardwebhooks import Webhook as Signer

from application.deliveries.outbox import WEBHOOK
from application.eventstore import event_log
from application.eventstore.database import Database
from application.eventstore.pipeline import Query
from application.outgoing import Connections, Outgoing
from application.webhooks.secrets import MOST_REMEMBERED, WebhookSecrets, new_secret
from domain.errors import Invalid, NotFound, Sentence

MOST_WEBHOOKS = 10
OVERLAP = timedelta(hours=24)
"""The time for which messages are also signed with the previous secret."""
REQUEST_SECONDS = 15.0
MOST_BYTES = 65_536
GONE = "gone"
"""The problem of a webhook whose receiver has answered 410: it wants no more messages."""


class WebhookEvent(StrEnum):
    """The events that a webhook can be told of, by their names in the log."""

    LINK_ISSUED = "link.issued"
    LINK_CHANGED = "link.changed"
    LINK_REDEEMED = "link.redeemed"
    LINK_REVOKED = "link.revoked"
    BOOKING_MADE = "booking.made"
    BOOKING_RESCHEDULED = "booking.rescheduled"
    BOOKING_CHANGED = "booking.changed"
    BOOKING_CANCELLED = "booking.cancelled"

    @property
    def is_about_links(self) -> bool:
        """Returns True if it tells of a link, else of a booking."""
        return self.value.startswith("link.")


class WebhookNotFound(NotFound):
    """There is no such webhook."""


@dataclass(frozen=True)
class Webhook:
    """A webhook as its owner sees it. Times are UTC.

    `personal_data` says whether its messages name people. While it is not active, it is told of
    nothing; `problem` says why, if the service itself has paused it. `secret` is known only when
    it is new. The one before it signs as well until `previous_secret_until`.
    """

    id: UUID
    owner_id: UUID
    url: str
    events: tuple[WebhookEvent, ...]
    personal_data: bool
    is_active: bool
    problem: str | None
    created_at: datetime
    previous_secret_until: datetime | None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Recipient:
    """A webhook and the secrets that sign messages to it, as they are stored, newest first."""

    webhook: Webhook
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Answered:
    """The answer of a receiver. The message is taken by any 2xx."""

    status: int

    @property
    def is_accepted(self) -> bool:
        """Returns True if the receiver has taken the message."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Returns True if the receiver wants no more messages, ever."""
        return self.status == HTTPStatus.GONE

    def __str__(self) -> str:
        return f"HTTP {self.status}"


_TOO_MANY = Sentence(
    "You have {most} webhooks. Delete one before you add another.", most=MOST_WEBHOOKS
)

_COLUMNS = """id, owner_id, url, events, personal_data, is_active, problem, created_at,
    previous_secret_until"""
_SELECT = f"SELECT {_COLUMNS} FROM webhooks"  # noqa: S608 - a constant
_OWN = "WHERE owner_id = %(owner_id)s AND id = %(id)s"

_INSERT = """
    INSERT INTO webhooks (id, owner_id, url, events, personal_data, created_at, since_position,
        secret)
    VALUES (%(id)s, %(owner_id)s, %(url)s, %(events)s, %(personal_data)s, %(now)s, %(since)s,
        %(secret)s)"""

# What the service found wrong is over once somebody changes the address or the state.
_CHANGE = f"""
    UPDATE webhooks SET
        url = coalesce(%(url)s, url), events = coalesce(%(events)s::text[], events),
        personal_data = coalesce(%(personal_data)s, personal_data),
        is_active = coalesce(%(is_active)s, is_active),
        problem = CASE WHEN %(is_active)s IS NULL AND url = coalesce(%(url)s, url) THEN problem END
    {_OWN}"""  # noqa: S608 - a constant

_ROTATE = f"""
    UPDATE webhooks SET previous_secret = secret, previous_secret_until = %(until)s,
        secret = %(secret)s
    {_OWN}"""  # noqa: S608 - a constant

_END = f"""
    UPDATE deliveries SET state = 'ended'
    WHERE channel = '{WEBHOOK}' AND target = %s AND state IN ('due', 'parked')"""  # noqa: S608

_REPLAY = f"""
    WITH again AS (
        UPDATE deliveries SET state = 'due', attempts = 0, next_attempt_at = %(now)s
        WHERE channel = '{WEBHOOK}' AND target = %(target)s AND state <> 'due'
            AND (%(ids)s::uuid[] IS NULL OR id = ANY(%(ids)s))
            AND (%(after)s::timestamptz IS NULL OR due_at >= %(after)s)
            AND (%(before)s::timestamptz IS NULL OR due_at < %(before)s)
        RETURNING id
    )
    SELECT count(*) AS count FROM again"""  # noqa: S608


@dataclass(frozen=True)
class Webhooks:
    """Adds, changes and removes webhooks, and sends messages to them."""

    database: Database
    outgoing: Outgoing
    secrets: WebhookSecrets

    def add(
        self,
        *,
        owner_id: UUID,
        url: str,
        events: Collection[WebhookEvent],
        personal_data: bool,
        now: datetime,
    ) -> Webhook:
        """Adds a webhook and returns it with its secret, which can be done only once.

        It is told of what is recorded from now on. Raises `AddressNotAllowed`, or `Invalid` about
        `url`.
        """
        url = self.outgoing.check(url)
        webhook_id, secret = uuid4(), new_secret()
        with self.database.connection() as conn, conn.transaction():
            # One after the other, so that two requests do not exceed the limit together.
            conn.execute("SELECT FROM accounts WHERE id = %s FOR NO KEY UPDATE", (owner_id,))
            others = conn.execute(
                "SELECT count(*) AS count FROM webhooks WHERE owner_id = %s", (owner_id,)
            ).fetchone()
            if others is None or others["count"] >= MOST_WEBHOOKS:
                raise Invalid({"url": [_TOO_MANY]})
            conn.execute(
                _INSERT,
                {
                    "id": webhook_id,
                    "owner_id": owner_id,
                    "url": url,
                    "events": _in_order(events),
                    "personal_data": personal_data,
                    "now": now,
                    "since": event_log.head(conn),
                    "secret": self.secrets.encrypted(secret),
                },
            )
        return replace(self.one(owner_id, webhook_id), secret=secret)

    def all(self, owner_id: UUID) -> list[Webhook]:
        """Returns the webhooks of an owner in the order in which they were added."""
        return webhooks_of(self.database, owner_id)

    def one(self, owner_id: UUID, webhook_id: UUID) -> Webhook:
        """Returns a webhook of this owner. Raises `WebhookNotFound`."""
        webhook = self.find(webhook_id)
        if webhook is None or webhook.owner_id != owner_id:
            raise WebhookNotFound
        return webhook

    def find(self, webhook_id: UUID) -> Webhook | None:
        """Returns a webhook of any owner, if it still exists."""
        query = f"{_SELECT} WHERE id = %s"
        found = self.database.fetch_objects(_webhook, query, (webhook_id,))
        return found[0] if found else None

    def recipients(self, webhook_ids: Collection[UUID], *, now: datetime) -> dict[UUID, Recipient]:
        """Returns those of these webhooks that still exist, by id, with what signs for them."""
        found = self.database.fetch_objects(
            _recipient,
            f"""SELECT {_COLUMNS}, secret AS newest,
                CASE WHEN previous_secret_until > %s THEN previous_secret END AS previous
            FROM webhooks WHERE id = ANY(%s)""",  # noqa: S608 - a constant
            (now, list(webhook_ids)),
        )
        return {each.webhook.id: each for each in found}

    def change(
        self,
        owner_id: UUID,
        webhook_id: UUID,
        *,
        url: str | None = None,
        events: Collection[WebhookEvent] | None = None,
        personal_data: bool | None = None,
        is_active: bool | None = None,
    ) -> Webhook:
        """Changes what is not None. What a webhook missed while it was paused is not sent.

        Raises `WebhookNotFound`, `AddressNotAllowed`, or `Invalid` about `url`.
        """
        self.one(owner_id, webhook_id)
        changes = {
            "url": None if url is None else self.outgoing.check(url),
            "events": None if events is None else _in_order(events),
            "personal_data": personal_data,
            "is_active": is_active,
        }
        self._update(_CHANGE, owner_id, webhook_id, **changes)
        return self.one(owner_id, webhook_id)

    def rotate_secret(self, owner_id: UUID, webhook_id: UUID, *, now: datetime) -> Webhook:
        """Gives a webhook a new secret and returns it with that. Raises `WebhookNotFound`.

        For 24 hours, messages are also signed with the previous secret.
        """
        secret = new_secret()
        self._update(
            _ROTATE,
            owner_id,
            webhook_id,
            until=now + OVERLAP,
            secret=self.secrets.encrypted(secret),
        )
        return replace(self.one(owner_id, webhook_id), secret=secret)

    def pause_gone(self, webhook: Webhook) -> None:
        """Pauses a webhook whose receiver wants no more messages at this address."""
        self.database.run_idempotent(
            lambda conn: conn.execute(
                """UPDATE webhooks SET is_active = false, problem = %s
                WHERE id = %s AND url = %s AND is_active""",
                (GONE, webhook.id, webhook.url),
            )
        )

    def remove(self, owner_id: UUID, webhook_id: UUID) -> None:
        """Removes a webhook and ends what is still to be sent to it. Raises `WebhookNotFound`."""
        with self.database.connection() as conn, conn.transaction():
            removed = conn.execute(
                "DELETE FROM webhooks WHERE owner_id = %s AND id = %s", (owner_id, webhook_id)
            )
            if removed.rowcount == 0:
                raise WebhookNotFound
            conn.execute(_END, (str(webhook_id),))

    def replay(
        self,
        owner_id: UUID,
        webhook_id: UUID,
        *,
        ids: Sequence[UUID] | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        now: datetime,
    ) -> int:
        """Sends deliveries again, whatever became of them; returns how many there are.

        Those with one of the `ids`, or whose events happened in [after, before). They have the
        same message ids as before. Raises `WebhookNotFound`.
        """
        self.one(owner_id, webhook_id)
        values = {
            "target": str(webhook_id),
            "ids": None if ids is None else list(ids),
            "after": after,
            "before": before,
            "now": now,
        }
        with self.database.connection() as conn:
            row = conn.execute(_REPLAY, values).fetchone()
        return row["count"] if row else 0

    def send(
        self,
        recipient: Recipient,
        *,
        message_id: str,
        body: str,
        now: datetime,
        seconds: float = REQUEST_SECONDS,
        connections: Connections | None = None,
    ) -> Answered:
        """Signs a message, sends it and returns what the receiver answered.

        Raises `SecretUnreadable`, `AddressNotAllowed` or `RequestFailed`.
        """
        signatures = [
            _signer(self.secrets.decrypted(stored)).sign(message_id, now, body)
            for stored in recipient.secrets
        ]
        answer = self.outgoing.send(
            "POST",
            recipient.webhook.url,
            headers={
                "Content-Type": "application/json",
                "Webhook-Id": message_id,
                "Webhook-Timestamp": str(int(now.timestamp())),
                "Webhook-Signature": " ".join(signatures),
            },
            body=body.encode(),
            seconds=seconds,
            most_bytes=MOST_BYTES,
            connections=connections,
        )
        return Answered(answer.status)

    def renew_encryption(self) -> None:
        """Encrypts all secrets with the newest secret key, so that older ones can be dropped."""
        for row in self.database.fetch_all("SELECT id, secret, previous_secret FROM webhooks"):
            for column in ("secret", "previous_secret"):
                stored = row[column]
                if stored is not None and (renewed := self.secrets.renewed(stored)) != stored:
                    self._replace_secret(column, row["id"], stored, renewed)

    def _replace_secret(self, column: str, webhook_id: UUID, stored: str, renewed: str) -> None:
        statement = f"UPDATE webhooks SET {column} = %s WHERE id = %s AND {column} = %s"  # noqa: S608 - one of two constants
        values = (renewed, webhook_id, stored)
        self.database.run_idempotent(lambda conn: conn.execute(statement.encode(), values))

    def _update(self, statement: str, owner_id: UUID, webhook_id: UUID, **values: Any) -> None:
        with self.database.connection() as conn:
            values |= {"owner_id": owner_id, "id": webhook_id}
            if conn.execute(statement.encode(), values).rowcount == 0:
                raise WebhookNotFound


def webhooks_of(database: Database, owner_id: UUID) -> list[Webhook]:
    """Returns the webhooks of an owner in the order in which they were added."""
    query = f"{_SELECT} WHERE owner_id = %s ORDER BY created_at, id"
    return database.fetch_objects(_webhook, query, (owner_id,))


@dataclass(frozen=True)
class Listener:
    """A webhook as those who tell it of events see it: only of those after `since_position`."""

    id: UUID
    owner_id: UUID
    events: tuple[str, ...]
    since_position: int


def listeners(conn: Connection[DictRow], owner_ids: Collection[UUID]) -> list[Listener]:
    """Returns all webhooks of these owners, paused ones too."""
    rows = conn.execute(
        "SELECT id, owner_id, events, since_position FROM webhooks WHERE owner_id = ANY(%s)",
        (list(owner_ids),),
    )
    return [
        Listener(row["id"], row["owner_id"], tuple(row["events"]), row["since_position"])
        for row in rows
    ]


def finding_any_listener() -> Query:
    """Returns what finds a row, with no columns, if there is a webhook of anybody's.

    `Pipeline.transact` commits only if there is none.
    """
    return Query("SELECT FROM webhooks LIMIT 1", (), rows=0)


@lru_cache(MOST_REMEMBERED)
def _signer(secret: str) -> Signer:
    return Signer(secret)


def _in_order(events: Collection[WebhookEvent]) -> list[str]:
    return [event.value for event in WebhookEvent if event in events]


def _recipient(*, newest: str, previous: str | None, **columns: Any) -> Recipient:
    return Recipient(_webhook(**columns), (newest, previous) if previous else (newest,))


def _webhook(events: list[str], **columns: Any) -> Webhook:
    return Webhook(events=tuple(map(WebhookEvent, events)), **columns)
