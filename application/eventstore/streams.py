"""Reads all that a decision needs in one statement, and so in one snapshot of the log."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from application.eventstore.database import PatientConnection
from application.eventstore.statement import Statement
from application.eventstore.wire_format import (
    BIGINTS,
    SINGLE_UUID,
    TIMESTAMPTZ,
    UUIDS,
    arrays,
    as_int,
    bigints,
    timestamptz,
    uuids,
)
from domain.slot import Slot

NEWEST = 2**63 - 1
"""As a version: the newest one. As a number of events: all of them."""


class Part(NamedTuple):
    """The newest events of one aggregate, `most` of them, from version `since` to `until`."""

    originator_id: UUID
    since: int
    until: int
    most: int


class StoredRow(NamedTuple):
    """An event as the log stores it."""

    version: int
    topic: str
    state: bytes


class OwnersTime(NamedTuple):
    """A span of an owner's time, about which calendars elsewhere are asked."""

    owner_id: UUID
    span: Slot


# LATERAL with a limit leaves PostgreSQL only one way to run this, by the primary key, whatever
# it believes about the size of the table.
_PARTS = """
    SELECT place, version, topic, state
    FROM unnest((SELECT $1::uuid[]), (SELECT $2::bigint[]), (SELECT $3::bigint[]),
        (SELECT $4::bigint[])) WITH ORDINALITY AS part (id, since, until, most, place)
    CROSS JOIN LATERAL (
        SELECT originator_version AS version, topic, state FROM stored_events
        WHERE originator_id = id AND originator_version BETWEEN since AND until
        ORDER BY originator_version DESC LIMIT most
    ) AS event"""
_PART_TYPES = (UUIDS, BIGINTS, BIGINTS, BIGINTS)

_READ = Statement("read", f"{_PARTS} ORDER BY place, version", _PART_TYPES)

_READ_AND_ASK = Statement(
    "read and ask",
    f"""{_PARTS}
    UNION ALL
    SELECT 0, 0, '', '' WHERE EXISTS (
        SELECT FROM busy_calendars WHERE owner_id = $5 AND busy && tstzrange($6, $7) LIMIT 1)
    ORDER BY place, version""",  # noqa: S608 - constants
    (*_PART_TYPES, SINGLE_UUID, TIMESTAMPTZ, TIMESTAMPTZ),
)


def read(
    conn: PatientConnection, parts: Sequence[Part], busy_at: OwnersTime | None
) -> tuple[list[list[StoredRow]], bool]:
    """Returns the events of each part by version, and whether the owner is busy elsewhere.

    Without `busy_at` nobody is.
    """
    ids, since, until, most = zip(*parts, strict=True)
    columns = [uuids(ids)], [bigints(since)], [bigints(until)], [bigints(most)]
    values = [*arrays(_PART_TYPES, len(parts), columns)]
    if busy_at is None:
        rows = _READ.run(conn, values)
    else:
        span = busy_at.span
        values += [busy_at.owner_id.bytes, timestamptz(span.start), timestamptz(span.end)]
        rows = _READ_AND_ASK.run(conn, values)
    found: list[list[StoredRow]] = [[] for _ in range(len(parts) + 1)]
    for place, version, topic, state in rows:
        row = StoredRow(as_int(version or b""), (topic or b"").decode(), state or b"")
        found[as_int(place or b"")].append(row)
    return found[1:], bool(found[0])
