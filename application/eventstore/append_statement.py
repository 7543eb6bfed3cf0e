"""The statement that appends to the log, for one caller or many: a call of `append_events()`.

Writers take turns until they have committed. So positions become visible in order, and a reader
that follows the log never passes one that is still to come. The turn is an advisory lock and not
LOCK TABLE, which (auto)vacuum and index builds would delay. Everything is a single statement,
which the server begins when it has all of it and ends by itself: no client that stops or vanishes
half-way keeps the others waiting. It notifies listeners once.

What callers have read is compared once the turn has come. If one of them read an older version,
nothing is recorded for anybody.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import add, attrgetter
from typing import NamedTuple
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent

from application.eventstore.database import PatientConnection
from application.eventstore.statement import Statement
from application.eventstore.wire_format import (
    BIGINT,
    BIGINTS,
    BYTEAS,
    JSONBS,
    TEXTS,
    UUIDS,
    arrays,
    as_bigints,
    as_int,
    as_uuid,
    bigint,
    bigints,
    byteas,
    headers,
    jsonbs,
    texts,
    uuids,
)

CHANNEL = "stored_events"
"""The channel on which `append_events()` notifies whoever follows the log."""

_EVENTS = (UUIDS, BIGINTS, TEXTS, BYTEAS)
_PEOPLE = (UUIDS, BIGINTS, BYTEAS, JSONBS, TEXTS)
_FORGOTTEN = (UUIDS, UUIDS)
_READ = (UUIDS, BIGINTS)
_PARTS = (_EVENTS, _PEOPLE, _FORGOTTEN, _READ)
"""The types of the columns of each kind of rows: a parameter is an array of one column."""

_APPEND = Statement(
    "append",
    """SELECT positions, stale
    FROM append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)""",
    (BIGINT, *_EVENTS, *_PEOPLE, *_FORGOTTEN, *_READ),
)
_RECORDED = Statement(
    "recorded",
    """SELECT id, version
    FROM unnest((SELECT $1::uuid[]), (SELECT $2::bigint[])) AS tried (id, version)
    WHERE (
        SELECT true FROM stored_events
        WHERE originator_id = id AND originator_version = version LIMIT 1
    )""",
    _READ,
)

_columns_of = attrgetter("originator_id", "originator_version", "topic", "state")
_NO_PEOPLE = (b"",) * len(_PEOPLE)
_NO_FORGOTTEN = (b"",) * len(_FORGOTTEN)


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
    """The positions of the events in order, or the places of stale reads, from 1 on."""

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
    """Appends the rows of all callers, or of none if a read is stale.

    Waits at most so many milliseconds for the turn, and for each lock that others hold. Raises
    psycopg's errors.
    """
    columns, counts, _ = zip(*callers, strict=True)
    elements = map(b"".join, zip(*columns, strict=True))
    values = [bigint(max(1, milliseconds)), *map(add, _headers(counts), elements)]
    [[positions, stale]] = _APPEND.run(conn, values)
    return Result(as_bigints(positions or b""), as_bigints(stale or b""))


def recorded(conn: PatientConnection, callers: Sequence[Rows]) -> set[tuple[UUID, int]]:
    """Returns the versions of these callers' events that are in the log."""
    length = sum(len(each.versions) for each in callers)
    columns = zip(*[each.columns[: len(_READ)] for each in callers], strict=True)
    return {
        (as_uuid(originator_id or b""), as_int(version or b""))
        for originator_id, version in _RECORDED.run(conn, [*arrays(_READ, length, columns)])
    }


@lru_cache(maxsize=1024)
def _headers(counts: tuple[tuple[int, ...], ...]) -> list[bytes]:
    """Returns the beginnings of the arrays, for callers with these numbers of rows."""
    totals = map(sum, zip(*counts, strict=True))
    return [
        header
        for types, total in zip(_PARTS, totals, strict=True)
        for header in headers(types, total)
    ]
