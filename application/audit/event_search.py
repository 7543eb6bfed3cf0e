"""Searches the log page by page. A page takes about the same time in a log of any length."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.replay import Step, steps_without_changes
from application.eventstore import event_log
from application.eventstore.mapper import JSONMapper
from application.people.email_address import spellings
from application.people.tokens import InvalidToken, Tokens
from application.people.typed_search import (
    FIRST_PATTERN,
    PATTERNS,
    has_trigram,
    has_words,
    words_of,
)
from domain.agenda import AgendaDay

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")
_TOO_LONG_FOR_A_POSITION = 19
MOST_FOUND = 100
_SEARCHED = """concat_ws(E'\\n', data->>'recipient', data->>'note', data->>'reference',
    data->>'prefill_name', data->>'prefill_email', data->>'name', data->>'email', data->>'notes')"""
_MATCHES = f"search_key LIKE ALL ({PATTERNS}) AND {has_words(_SEARCHED)}"
_FIND = f"""
    SELECT originator_id FROM personal_data WHERE {_MATCHES} LIMIT {MOST_FOUND}"""  # noqa: S608 - constants
# MATERIALIZED lets PostgreSQL choose the index of trigrams: it would count on finding enough soon
# among all rows.
_FIND_BY_INDEX = f"""
    WITH found AS MATERIALIZED (
        SELECT originator_id FROM personal_data
        WHERE search_key LIKE {FIRST_PATTERN} AND {_MATCHES}
    ) SELECT originator_id FROM found LIMIT {MOST_FOUND}"""  # noqa: S608 - constants
MOST_SCANNED = 100_000
"""The most positions that one page scans, so that rare events don't make it slow."""


@dataclass(frozen=True)
class EventPage:
    """A page of events in order. More may follow after `next_after`, unless it is None.

    If few events match, a page may be empty although more pages follow.
    """

    steps: list[Step]
    next_after: int | None


def find_events(
    conn: Connection[DictRow],
    mapper: JSONMapper,
    *,
    after: int,
    limit: int,
    topic: str | None = None,
    actor: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> EventPage:
    """Returns at most `limit` events after a position, without what each changed.

    Narrowed to a topic, an actor, and the time of recording in [since, until), if these are
    not None.
    """
    end = event_log.head(conn) if until is None else _last_before(conn, until)
    if since is not None:
        after = max(after, _last_before(conn, since))
    last = min(end, after + MOST_SCANNED)
    positions = _matching(conn, after=after, last=last, limit=limit + 1, topic=topic, actor=actor)
    steps = steps_without_changes(conn, event_log.read_at(conn, positions[:limit]), mapper)
    if len(positions) > limit:
        return EventPage(steps, positions[limit - 1])
    return EventPage(steps, last if last < end else None)


def find_aggregates(conn: Connection[DictRow], text: str, tokens: Tokens) -> list[UUID]:
    """Returns at most 100 ids of links, bookings, calendars or agendas that `text` names.

    `text` is an id, a position of the log, a link or the token in it, or words that somebody typed
    and that are still stored, such as a recipient or an invitee's name or e-mail address.
    """
    text = text.strip()
    if named := _named_by_token(text, tokens):
        return [named]
    if len(text) < _TOO_LONG_FOR_A_POSITION and text.isascii() and text.isdigit():
        return [recorded.originator_id for recorded in event_log.read_at(conn, [int(text)])]
    try:
        aggregate_id = UUID(text)
    except ValueError:
        return _typed_by_people(conn, text)
    return [aggregate_id] if event_log.read_streams(conn, [aggregate_id]) else []


def find_bookings(
    conn: Connection[DictRow], mapper: JSONMapper, start: datetime, end: datetime
) -> list[UUID]:
    """Returns at most 100 ids of bookings that ever had a slot that begins in [start, end).

    The agendas of all owners say so.
    """
    first, last = start.astimezone(UTC).date(), (end - timedelta(microseconds=1)).astimezone(UTC)
    days = [first + timedelta(days=n) for n in range((last.date() - first).days + 1)]
    owners = [row["id"] for row in conn.execute("SELECT id FROM accounts")]
    agendas = [AgendaDay.id_for(owner, day) for owner in owners for day in days]
    found: dict[UUID, None] = {}
    for step in steps_without_changes(conn, event_log.read_streams(conn, agendas), mapper):
        if step.recorded.topic == AgendaDay.SlotReserved.TOPIC and step.fault is None:
            slot_start = msgspec.convert(step.data["slot_start"], datetime)
            if start <= slot_start < end:
                found[UUID(step.data["booking_id"])] = None
    return list(found)[:MOST_FOUND]


def _named_by_token(text: str, tokens: Tokens) -> UUID | None:
    """Returns the id of the link or booking that a token in the text opens, if there is one."""
    found = _TOKEN.search(text)
    if found is None:
        return None
    for read in (tokens.link_id, tokens.booking_id):
        with suppress(InvalidToken):
            return read(found[0])
    return None


def _typed_by_people(conn: Connection[DictRow], text: str) -> list[UUID]:
    """Returns whose texts have all the words, or an e-mail address as it is stored."""
    found: dict[UUID, None] = {}
    for spelling in dict.fromkeys(spellings(text)):
        if words := words_of(spelling):
            query = _FIND_BY_INDEX if has_trigram(words[0]) else _FIND
            rows = conn.execute(query.encode(), {"words": words})
            found |= dict.fromkeys(row["originator_id"] for row in rows)
    return list(found)[:MOST_FOUND]


def _matching(
    conn: Connection[DictRow],
    *,
    after: int,
    last: int,
    limit: int,
    topic: str | None,
    actor: str | None,
) -> list[int]:
    rows = conn.execute(
        """SELECT notification_id FROM stored_events
        WHERE notification_id > %(after)s AND notification_id <= %(last)s
            AND (%(topic)s::text IS NULL OR topic = %(topic)s)
            AND (%(actor)s::bytea IS NULL OR position(%(actor)s in state) > 0)
        ORDER BY notification_id LIMIT %(limit)s""",
        {
            "after": after,
            "last": last,
            "topic": topic,
            # The bytes that the mapper writes: comparing them needs no parsing.
            "actor": actor and b'"actor":' + msgspec.json.encode(actor),
            "limit": limit,
        },
    )
    return [row["notification_id"] for row in rows]


def _last_before(conn: Connection[DictRow], moment: datetime) -> int:
    """Returns the position of the last event recorded before a moment; 0 if there is none.

    Binary search: there is no index on time, but times rise with positions unless the
    database's clock is set back.
    """
    low, high = 0, event_log.head(conn)
    while low < high:
        middle = (low + high) // 2
        event = conn.execute(
            """SELECT notification_id, recorded_at FROM stored_events
            WHERE notification_id > %s ORDER BY notification_id LIMIT 1""",
            (middle,),
            prepare=True,
        ).fetchone()
        if event is None or event["recorded_at"] >= moment:
            high = middle
        else:
            low = event["notification_id"]
    return low
