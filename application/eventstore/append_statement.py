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
from itertools import compress
from operator import add, attrgetter
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
    as_bigints,
    as_int,
    as_uuid,
    bigints,
    byteas,
    headers,
    jsonbs,
    texts,
    uuids,
)

CHANNEL = "stored_events"


class _Part(NamedTuple):
    """The rows of one kind, which a statement gets as one array for each column."""

    types: tuple[int, ...]
    columns: str


_EVENTS = _Part((UUIDS, BIGINTS, TEXTS, BYTEAS), "originator_id, originator_version, topic, state")
_PEOPLE = _Part(
    (UUIDS, BIGINTS, BYTEAS, JSONBS, TEXTS),
    "originator_id, originator_version, salt, data, language",
)
_FORGOTTEN = _Part((UUIDS, UUIDS), "booking_id, id")
_READ = _Part((UUIDS, BIGINTS), "id, version")
_PARTS = (_EVENTS, _PEOPLE, _FORGOTTEN, _READ)
_ALWAYS = (_EVENTS, _READ)  # parts of every statement, the others only where there are rows

_SQL_TYPES = {
    UUIDS: "uuid[]",
    BIGINTS: "bigint[]",
    TEXTS: "text[]",
    BYTEAS: "bytea[]",
    JSONBS: "jsonb[]",
}
_RECORDED = Statement(
    "recorded",
    """SELECT id, version
    FROM unnest((SELECT $1::uuid[]), (SELECT $2::bigint[])) AS tried (id, version)
    WHERE (
        SELECT true FROM stored_events
        WHERE originator_id = id AND originator_version = version LIMIT 1
    )""",
    _READ.types,
)

_columns_of = attrgetter("originator_id", "originator_version", "topic", "state")
_NO_PEOPLE = (b"",) * len(_PEOPLE.types)
_NO_FORGOTTEN = (b"",) * len(_FORGOTTEN.types)


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
    """The rows that one caller appends."""

    columns: tuple[bytes, ...]
    """The encoded elements of the columns of events, people, forgotten, and what was read."""
    counts: tuple[int, ...]
    """The number of rows of each of these four."""
    versions: Sequence[tuple[UUID, int]]
    """The aggregate of each event, and the version that the event gives it."""


class Result(NamedTuple):
    """The positions of the events in order, and the places of stale reads, from 1 on."""

    positions: list[int]
    stale: list[int]


def rows(
    events: Sequence[StoredEvent],
    people: Sequence[PersonalDataRow],
    forgotten: Sequence[Forgotten],
    read: Mapping[UUID, int],
) -> Rows:
    """Returns the rows of one caller; see `EventRecorder.insert_events` for what they are."""
    ids, versions, topics, states = zip(*map(_columns_of, events), strict=True)
    return Rows(
        (
            uuids(ids),
            bigints(versions),
            texts(topics),
            byteas(states),
            *(_people(people) if people else _NO_PEOPLE),
            *(map(uuids, zip(*forgotten, strict=True)) if forgotten else _NO_FORGOTTEN),
            uuids(read),
            bigints(read.values()),
        ),
        (len(events), len(people), len(forgotten), len(read)),
        [*zip(ids, versions, strict=True)],
    )


def _people(people: Sequence[PersonalDataRow]) -> tuple[bytes, ...]:
    ids, versions, salts, data, languages = zip(*people, strict=True)
    documents = map(msgspec.json.encode, data)
    return uuids(ids), bigints(versions), byteas(salts), jsonbs(documents), texts(languages)


def append(conn: PatientConnection, callers: Sequence[Rows], milliseconds: int) -> Result:
    """Appends the rows of all callers whose reads are not stale.

    Waits at most so many milliseconds for the turn. Raises psycopg's errors.
    """
    columns, counts, _ = zip(*callers, strict=True)
    form = _form(counts)
    patience = str(max(1, milliseconds)).encode()
    joined = map(b"".join, zip(*columns, strict=True))
    values = map(add, form.headers, compress(joined, form.has_column))
    [[positions, stale]] = form.statement.run(conn, [patience, *values, *form.callers])
    return Result(as_bigints(positions or b""), as_bigints(stale or b""))


def recorded(conn: PatientConnection, callers: Sequence[Rows]) -> set[tuple[UUID, int]]:
    """Returns the versions of these callers' events that are in the log."""
    length = sum(len(each.versions) for each in callers)
    columns = zip(*[each.columns[: len(_READ.types)] for each in callers], strict=True)
    return {
        (as_uuid(originator_id or b""), as_int(version or b""))
        for originator_id, version in _RECORDED.run(conn, [*arrays(_READ.types, length, columns)])
    }


class _Form(NamedTuple):
    """The statement for given numbers of rows, and its values that depend on these alone."""

    statement: Statement
    has_column: list[bool]
    """Says of each column in `Rows` whether the statement takes it."""
    headers: list[bytes]
    """The beginnings of the arrays that it takes."""
    callers: list[bytes]
    """For each of its parts, an array with the number of each row's caller."""


@lru_cache(maxsize=1024)
def _form(counts: tuple[tuple[int, ...], ...]) -> _Form:
    """Returns the form for callers with these numbers of rows of each part."""
    counts_of = dict(zip(_PARTS, zip(*counts, strict=True), strict=True))
    parts = tuple(part for part in _PARTS if part in _ALWAYS or any(counts_of[part]))
    return _Form(
        _statement(parts),
        [part in parts for part in _PARTS for _ in part.types],
        [header for part in parts for header in headers(part.types, sum(counts_of[part]))],
        [_callers(counts_of[part]) for part in parts],
    )


def _callers(counts: Sequence[int]) -> bytes:
    """Returns an array with the number of each row's caller; `counts` are the rows of each."""
    numbers = [caller for caller, count in enumerate(counts) for _ in range(count)]
    [array] = arrays((BIGINTS,), len(numbers), [[bigints(numbers)]])
    return array


@cache
def _statement(parts: tuple[_Part, ...]) -> Statement:
    """Returns the statement that has only these parts."""
    parameters = [TEXT]

    def parameter(kind: int) -> str:
        parameters.append(kind)
        return f"${len(parameters)}::{_SQL_TYPES[kind]}"

    columns_of = {part: [parameter(kind) for kind in part.types] for part in parts}
    callers_of = {part: parameter(BIGINTS) for part in parts}

    def rows_of(part: _Part) -> str:
        """Returns the rows of the callers whose reads are not stale."""
        columns = [f"(SELECT {array})" for array in [*columns_of[part], callers_of[part]]]
        return f"""SELECT {part.columns}
            FROM unnest({", ".join(columns)}) WITH ORDINALITY AS row ({part.columns}, caller, place)
            WHERE NOT caller = ANY (ARRAY(SELECT caller FROM stale))"""

    # Each step needs what the one before returns: the patience is set, then the turn taken, then
    # what was read is compared, in the list of columns, which is computed after the turn has come.
    # A condition would be computed before.
    steps = f"""turn AS MATERIALIZED (
            SELECT pg_advisory_xact_lock({advisory_locks.APPEND}), pg_notify('{CHANNEL}', '')
            FROM set_config('lock_timeout', $1, true)
        ), stale AS MATERIALIZED (
            SELECT place, ({callers_of[_READ]})[place] AS caller
            FROM (
                SELECT unnest(stale_places({", ".join(columns_of[_READ])})) AS place FROM turn
            ) AS outdated
        ), event AS (
            INSERT INTO stored_events ({_EVENTS.columns}) {rows_of(_EVENTS)}
            ORDER BY place
            RETURNING notification_id
        )"""
    name = "append"
    if _PEOPLE in parts:
        name += " people"
        steps += f""", person AS (
            INSERT INTO personal_data ({_PEOPLE.columns}) {rows_of(_PEOPLE)}
        )"""
    if _FORGOTTEN in parts:
        name += " forgotten"
        steps += f""", forgotten AS MATERIALIZED (
            {rows_of(_FORGOTTEN)}
        ), {ERASING}, erasure AS (
            INSERT INTO erasures (booking_id, id) SELECT booking_id, id FROM forgotten
            ON CONFLICT DO NOTHING
        )"""
    result = "SELECT ARRAY(SELECT notification_id FROM event), ARRAY(SELECT place FROM stale)"
    return Statement(name, f"WITH {steps} {result}", parameters)
