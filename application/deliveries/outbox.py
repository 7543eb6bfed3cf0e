"""Adds deliveries in the transaction that causes them, and ends those that nobody needs.

Whoever adds a row wakes the senders by NOTIFY; they also look by themselves every second.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries.delivery import Audience, NewDelivery

MAIL = "mail"
WEBHOOK = "webhook"
FORGOTTEN = "forgotten"
"""The kind that asks a channel to delete what it has stored itself about an invitee."""
CHANNEL = "deliveries"
"""The channel of NOTIFY."""

_COLUMNS = {
    "channel": "text",
    "kind": "text",
    "audience": "text",
    "target": "text",
    "owner_id": "uuid",
    "booking_id": "uuid",
    "link_id": "uuid",
    "subject": "uuid",
    "fact": "bigint",
    "fact_version": "bigint",
    "due_at": "timestamptz",
}
_NAMES = ", ".join(_COLUMNS)
_ADD = f"""
    INSERT INTO deliveries (id, {_NAMES}, next_attempt_at)
    SELECT gen_random_uuid(), {_NAMES}, due_at FROM json_to_recordset(%s)
        AS new ({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
    ON CONFLICT DO NOTHING"""  # noqa: S608 - only constants

_END = """
    UPDATE deliveries SET state = 'ended'
    FROM unnest(%s::uuid[], %s::bigint[]) AS later (id, position)
    WHERE booking_id = later.id AND kind = %s AND fact < later.position
        AND state IN ('due', 'parked')"""

# What tells the owner of an appointment stays due; it no longer names the person.
_FORGET = f"""
    UPDATE deliveries SET answer = NULL, state = CASE
        WHEN state IN ('due', 'parked') AND audience = '{Audience.INVITEE}' THEN 'ended'
        ELSE state END
    WHERE booking_id = ANY(%s::uuid[]) AND kind <> '{FORGOTTEN}'"""  # noqa: S608 - two constants


def add(conn: Connection[DictRow], deliveries: Sequence[NewDelivery]) -> None:
    """Adds deliveries, except those that the same event has caused already."""
    if deliveries:
        conn.execute(_ADD.encode(), (msgspec.json.encode(deliveries).decode(),))
        conn.execute("SELECT pg_notify(%s, '')", (CHANNEL,))


def add_notice(
    conn: Connection[DictRow], *, account_id: UUID, kind: str, target: str = "", now: datetime
) -> None:
    """Adds a mail to the account itself about something that was done to it."""
    notice = NewDelivery(
        channel=MAIL,
        kind=kind,
        audience=Audience.OWNER,
        owner_id=account_id,
        due_at=now,
        target=target,
    )
    add(conn, [notice])


def end_earlier(conn: Connection[DictRow], kind: str, facts: Sequence[tuple[UUID, int]]) -> None:
    """Ends deliveries of a kind that are not sent yet, where a later event made them wrong.

    Each of `facts` is a booking and the position of that event.
    """
    if facts:
        bookings, positions = zip(*facts, strict=True)
        conn.execute(_END, (list(bookings), list(positions), kind))


def forget(conn: Connection[Any], booking_ids: Collection[UUID]) -> None:
    """Ends what is still to be sent to the invitees of bookings, and blanks all answers."""
    conn.execute(_FORGET.encode(), (list(booking_ids),))
