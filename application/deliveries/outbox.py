"""Adds deliveries in the transaction that causes them, and ends those that nobody needs."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries.delivery import Audience, NewDelivery
from application.eventstore.pipeline import Query

MAIL = "mail"
WEBHOOK = "webhook"
FORGOTTEN = "forgotten"
"""The kind that asks a channel to delete what it has stored itself about an invitee."""

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
_NEW = f"""json_to_recordset($1::json)
        AS new ({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})"""

# The id of what an event causes is a hash of its cause, so the same is never added twice. Another
# column here would change all ids. OFFSET 0 keeps PostgreSQL from computing it twice, and from
# reading all rows to compare it. ON CONFLICT would take longer: it writes each row in such a way
# that it can be undone.
_CAUSE = "concat_ws(chr(31), fact, channel, kind, audience, target, booking_id, link_id)"
_ID = f"encode(substring(sha256(convert_to({_CAUSE}, 'UTF8')) FOR 16), 'hex')::uuid"
_ADD_CAUSED = f"""
    INSERT INTO deliveries (id, {_NAMES}, next_attempt_at)
    SELECT id, {_NAMES}, due_at FROM (SELECT {_ID} AS id, * FROM {_NEW} OFFSET 0) AS caused
    WHERE NOT EXISTS (
        SELECT FROM deliveries WHERE deliveries.id = caused.id OFFSET 0)"""  # noqa: S608 - constants

_ADD = f"""
    INSERT INTO deliveries (id, {_NAMES}, next_attempt_at)
    SELECT gen_random_uuid(), {_NAMES}, due_at FROM {_NEW}
    ON CONFLICT DO NOTHING"""  # noqa: S608 - only constants

# LATERAL with OFFSET 0 finds those of each booking by the index, even by a plan that was made while
# PostgreSQL took the table for empty. The condition on the state stands outside, because a sender
# may change it meanwhile.
_END = """
    UPDATE deliveries SET state = 'ended'
    WHERE state IN ('due', 'parked') AND id = ANY(ARRAY(
        SELECT earlier.id
        FROM json_to_recordset($1::json) AS later (booking_id uuid, position bigint)
        CROSS JOIN LATERAL (
            SELECT id FROM deliveries
            WHERE booking_id = later.booking_id AND kind = $2 AND fact < later.position OFFSET 0
        ) AS earlier))"""

# What tells the owner of an appointment stays due; it no longer names the person.
_FORGET = f"""
    UPDATE deliveries SET answer = NULL, state = CASE
        WHEN state IN ('due', 'parked') AND audience = '{Audience.INVITEE}' THEN 'ended'
        ELSE state END
    WHERE booking_id = ANY(ARRAY(SELECT json_array_elements_text($1::json)::uuid))
        AND kind <> '{FORGOTTEN}'"""  # noqa: S608 - two constants


def adding(deliveries: Sequence[NewDelivery]) -> list[Query]:
    """Returns what adds deliveries that events cause, except those that are there already.

    Only for the transaction that moves the position of a reaction: no two of them run at once.
    """
    return [Query(_ADD_CAUSED, (_json(deliveries),))] if deliveries else []


def add(conn: Connection[DictRow], delivery: NewDelivery) -> None:
    """Adds a delivery that no event causes; of those about requests for a link, only the first."""
    Query(_ADD, (_json([delivery]),)).execute(conn)


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
    add(conn, notice)


def ending_earlier(kind: str, facts: Sequence[tuple[UUID, int]]) -> list[Query]:
    """Returns what ends deliveries of a kind that a later event made wrong, if not sent yet.

    Each of `facts` is a booking and the position of that event.
    """
    later = [{"booking_id": booking_id, "position": position} for booking_id, position in facts]
    return [Query(_END, (_json(later), kind))] if later else []


def forgetting(booking_ids: Collection[UUID]) -> list[Query]:
    """Returns what ends all that is to be sent to invitees of bookings, and blanks all answers."""
    return [Query(_FORGET, (_json(booking_ids),))] if booking_ids else []


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()
