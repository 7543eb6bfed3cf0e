"""The statement that appends to the log, for one caller or many.

Writers take turns until they have committed. So positions become visible in order, and a reader
that follows the log never passes one that is still to come. The turn is an advisory lock and not
LOCK TABLE, which (auto)vacuum and index builds would delay. Everything is a single statement,
which the server begins when it has all of it and ends by itself: no client that stops or vanishes
half-way keeps the others waiting. It notifies listeners once.

What callers have read is compared once the turn has come, by a function that sees whatever was
committed until then. A caller who read an older version gets nothing recorded; the others do.
"""

# ruff: noqa: S608 - only constants are put into statements
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent

from application.eventstore import advisory_locks
from application.eventstore.database import PatientConnection
from application.eventstore.erasing import ERASING
from application.eventstore.statement import Statement
from application.eventstore.wire_format import (
    BIGINTS,
    BYTEAS,
    JSONBS,
    TEXT,
    TEXTS,
    UUIDS,
    arrays,
    as_int,
    as_uuid,
    bigints,
    byteas,
    jsonbs,
    texts,
    uuids,
)

CHANNEL = "stored_events"

_EVENTS, _PEOPLE, _FORGOTTEN = (
    (UUIDS, BIGINTS, TEXTS, BYTEAS),
    (UUIDS, BIGINTS, BYTEAS, JSONBS, TEXTS),
    (UUIDS, UUIDS),
)
_READ = (UUIDS, BIGINTS)
_PARTS = (_EVENTS, _PEOPLE, _FORGOTTEN, _READ)

_SQL_TYPES = {
    UUIDS: "uuid[]",
    BIGINTS: "bigint[]",
    TEXTS: "text[]",
    BYTEAS: "bytea[]",
    JSONBS: "jsonb[]",
}
_EVENT_COLUMNS = "originator_id, originator_version, topic, state"
_PERSON_COLUMNS = "originator_id, originator_version, salt, data, language"

_TURN = f"""patience AS MATERIALIZED (
            SELECT set_config('lock_timeout', $1, true)
        ), turn AS MATERIALIZED (
            SELECT pg_advisory_xact_lock({advisory_locks.APPEND}), pg_notify('{CHANNEL}', '')
            FROM patience
        )"""

_RECORDED = Statement(
    "recorded",
    """SELECT id, version
    FROM unnest((SELECT $1::uuid[]), (SELECT $2::bigint[])) AS tried (id, version)
    WHERE (
        SELECT true FROM stored_events
        WHERE originator_id = id AND originator_version = version LIMIT 1
    )""",
    (UUIDS, BIGINTS),
)

_columns_of = attrgetter("originator_id", "originator_version", "topic", "state")

Columns = tuple[bytes, ...]


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


class Forgotten(NamedTuple):
    """A booking or link with texts about the invitee of a booking, who is forgotten."""

    booking_id: UUID
    id: UUID


class Rows(NamedTuple):
    """The rows that one caller appends, as the encoded elements of each column.

    A part without rows has no columns.
    """

    events: Columns
    people: Columns
    forgotten: Columns
    read: Columns
    counts: tuple[int, int, int, int]
    """The number of rows of each of them."""
    versions: frozenset[tuple[UUID, int]]
    """Those of the aggregates that the events give."""


class Result(NamedTuple):
    """The positions of the events in order, and the places of stale reads, from 0 on."""

    positions: list[int]
    stale: list[int]


def rows(
    events: Sequence[StoredEvent],
    people: Sequence[PersonalDataRow],
    forgotten: Sequence[Forgotten],
    read: Mapping[UUID, int],
) -> Rows:
    """Returns the rows of one caller; see `EventRecorder.insert_events` for what they are."""
    given, versions, topics, states = zip(*map(_columns_of, events), strict=True)
    # The library may give the id of an aggregate as text.
    ids = [each if isinstance(each, UUID) else UUID(each) for each in given]
    return Rows(
        (uuids(ids), bigints(versions), texts(topics), byteas(states)),
        _people(people) if people else (),
        tuple(map(uuids, zip(*forgotten, strict=True))),
        (uuids(read), bigints(read.values())) if read else (),
        (len(events), len(people), len(forgotten), len(read)),
        frozenset(zip(ids, versions, strict=True)),
    )


def _people(people: Sequence[PersonalDataRow]) -> Columns:
    ids, versions, salts, data, languages = zip(*people, strict=True)
    documents = map(msgspec.json.encode, data)
    return uuids(ids), bigints(versions), byteas(salts), jsonbs(documents), texts(languages)


def append(conn: PatientConnection, callers: Sequence[Rows], milliseconds: int) -> Result:
    """Appends the rows of all callers whose reads are not stale; waits so long for the turn."""
    values = [str(max(1, milliseconds)).encode()]
    counts = [*zip(*[each.counts for each in callers], strict=True)]
    people, forgotten, read = map(any, counts[1:])
    for part, types in enumerate(_PARTS):
        if length := sum(counts[part]):
            elements = zip(*[each[part] for each in callers if each.counts[part]], strict=True)
            values += arrays(types, length, elements)
            if read:
                values.append(_numbers(counts[part]))
    found = _statement(people, forgotten, read).run(conn, values)
    if not read:
        return Result([as_int(position or b"") for [position] in found], [])
    return Result(
        [as_int(position) for position, _ in found if position is not None],
        [as_int(place) - 1 for _, place in found if place is not None],
    )


def recorded(conn: PatientConnection, callers: Sequence[Rows]) -> set[tuple[UUID, int]]:
    """Returns the versions of these callers' events that are in the log."""
    length = sum(each.counts[0] for each in callers)
    columns = zip(*[each.events[:2] for each in callers], strict=True)
    return {
        (as_uuid(originator_id or b""), as_int(version or b""))
        for originator_id, version in _RECORDED.run(conn, [*arrays(_READ, length, columns)])
    }


@lru_cache(maxsize=1024)
def _numbers(counts: tuple[int, ...]) -> bytes:
    """Returns the number of its caller for each row."""
    numbers = [caller for caller, count in enumerate(counts) for _ in range(count)]
    [array] = arrays((BIGINTS,), len(numbers), [[bigints(numbers)]])
    return array


@cache
def _statement(people: bool, forgotten: bool, read: bool) -> Statement:
    """Returns the statement without the parts that a transaction does not need."""
    parameters = [TEXT]

    def rows_of(types: Sequence[int], columns: str) -> str:
        """Returns arrays as rows, with the number of their caller if that matters."""
        arrays = []
        for kind in (*types, BIGINTS) if read else types:
            parameters.append(kind)
            arrays.append(f"(SELECT ${len(parameters)}::{_SQL_TYPES[kind]})")
        columns += ", caller" if read else ""
        return f"unnest({', '.join(arrays)}) WITH ORDINALITY AS row ({columns}, place)"

    unless_stale = "WHERE NOT caller = ANY (ARRAY(SELECT caller FROM stale))" if read else ""
    event = f"""event AS (
            INSERT INTO stored_events ({_EVENT_COLUMNS})
            SELECT {_EVENT_COLUMNS} FROM turn, {rows_of(_EVENTS, _EVENT_COLUMNS)} {unless_stale}
            ORDER BY place
            RETURNING notification_id
        )"""
    parts = [event]
    if people:
        parts.append(f"""person AS (
            INSERT INTO personal_data ({_PERSON_COLUMNS})
            SELECT {_PERSON_COLUMNS} FROM turn, {rows_of(_PEOPLE, _PERSON_COLUMNS)} {unless_stale}
        )""")
    if forgotten:
        parts.append(f"""forgotten AS MATERIALIZED (
            SELECT booking_id, id FROM turn, {rows_of(_FORGOTTEN, "booking_id, id")} {unless_stale}
        ), {ERASING}, erasure AS (
            INSERT INTO erasures (booking_id, id) SELECT booking_id, id FROM forgotten
            ON CONFLICT DO NOTHING
        )""")
    result = "SELECT notification_id FROM event"
    if read:
        # The function is called in the list of columns, which is computed after the turn has
        # come. A condition would be computed before.
        comparison = f"""newest AS MATERIALIZED (
            SELECT caller, place, version, newest_version(id) AS newest
            FROM turn, {rows_of(_READ, "id, version")}
        ), stale AS MATERIALIZED (
            SELECT caller, place FROM newest WHERE newest IS DISTINCT FROM version
        )"""
        parts.insert(0, comparison)
        result = """SELECT notification_id, NULL::bigint FROM event
            UNION ALL SELECT NULL, place FROM stale"""
    has = {"people": people, "forgotten": forgotten, "read": read}
    name = " ".join(["append", *(part for part, is_there in has.items() if is_there)])
    return Statement(name, f"WITH {_TURN}, {', '.join(parts)} {result}", parameters)
