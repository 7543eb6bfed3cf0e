"""What happened to a link, a booking, a calendar or an agenda, replayed from the log itself.

The log and the aggregates alone are asked, never a view. What people typed is shown while it
is kept, with whether it is what the event committed to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.domain import Aggregate, OriginatorIDError, OriginatorVersionError
from msgspec import MsgspecError
from psycopg import Connection
from psycopg.rows import DictRow

from application import history, personal_data
from application.mapper import JSONMapper, UnknownTopic
from application.reading import Recorded, read_at, read_streams
from application.recorder import PersonalDataRow
from domain.errors import NotFound
from domain.link import SingleUseLink

AsOf = datetime | int
"""A time (by the database's clock when it recorded), or a position of the log."""

# What a row that is not an event of ours can make of decoding and replaying it.
_UNREADABLE = (
    UnknownTopic,
    MsgspecError,
    OriginatorIDError,
    OriginatorVersionError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
)


class HistoryNotFound(NotFound):
    """The log has no link, booking, calendar or agenda of that id."""


@dataclass(frozen=True)
class Step:
    """One event, and how things stood after it. Times are UTC.

    `decided_at` is the service's clock when it decided, `recorded_at` the database's when it
    recorded. `typed` is what a person typed with it, while that is kept; `commitment` tells
    whether that is what the event committed to: `kept`, `changed`, `gone`, or None where the
    event commits to nothing. `state` maps each aggregate of the story to its state then.
    `fault` says why an event can't be read or applied; a sound log has none.
    """

    recorded: Recorded
    decided_at: datetime | None
    actor: str | None
    data: dict[str, Any]
    typed: dict[str, str] | None
    commitment: str | None
    state: dict[str, dict[str, Any]]
    fault: str | None


@dataclass(frozen=True)
class History:
    """The story of `id` up to `as_of`, None: to the end; and the state of everything then."""

    id: UUID
    as_of: AsOf | None
    steps: list[Step]
    state: dict[str, dict[str, Any]]


def replay(
    conn: Connection[DictRow],
    subject_id: UUID,
    mapper: JSONMapper,
    *,
    now: datetime,
    as_of: AsOf | None = None,
) -> History:
    """The history of a link, its booking (one story), a calendar, or an agenda day.

    Raises `HistoryNotFound`, also when nothing was known of it at `as_of` yet.
    """
    rows = [row for row in _story(conn, subject_id, mapper) if _is_within(row, as_of)]
    if not rows:
        raise HistoryNotFound
    typed = _typed(conn, rows)
    # Of an agenda day there are only the events about one booking: no state follows from these.
    aggregates: dict[UUID, Aggregate | None] = {
        row.originator_id: None for row in rows if row.originator_version == 1
    }
    steps = [_step(row, mapper, aggregates, typed) for row in rows]
    at = as_of if isinstance(as_of, datetime) else rows[-1].recorded_at if as_of else now
    return History(subject_id, as_of, steps, _states(aggregates, at))


def listed(
    conn: Connection[DictRow],
    mapper: JSONMapper,
    *,
    after: int,
    limit: int,
    topic: str | None = None,
    actor: str | None = None,
    last: int | None = None,
) -> list[Step]:
    """The log in order, after a position and up to the `last`: events of a topic, of an actor.

    Each event as it is, without the state after it. All positions up to `last` may have to be
    looked at: `application.finding` bounds them.
    """
    with conn.cursor() as cursor:
        found = cursor.execute(
            """SELECT notification_id FROM stored_events
            WHERE notification_id > %(after)s
                AND (%(topic)s::text IS NULL OR topic = %(topic)s)
                AND (%(actor)s::bytea IS NULL OR position(%(actor)s in state) > 0)
                AND (%(last)s::bigint IS NULL OR notification_id <= %(last)s)
            ORDER BY notification_id LIMIT %(limit)s""",
            {
                "after": after,
                "topic": topic,
                # As the mapper writes it: a search of bytes, which takes no parsing.
                "actor": actor and b'"actor":' + msgspec.json.encode(actor),
                "last": last,
                "limit": limit,
            },
        )
        positions = [row["notification_id"] for row in found]
    rows = read_at(conn, positions)
    typed = _typed(conn, rows)
    return [_step(row, mapper, {}, typed) for row in rows]


def search(conn: Connection[DictRow], text: str) -> list[UUID]:
    """The ids of links, bookings, calendars or agendas that `text` names.

    An id, or the e-mail address of an invitee whose data is still kept; at most 100.
    """
    try:
        subject = UUID(text.strip())
    except ValueError:
        rows = conn.execute(
            """SELECT DISTINCT originator_id FROM personal_data
            WHERE lower(data->>'email') = lower(%s) LIMIT 100""",
            (text.strip(),),
        )
        return [row["originator_id"] for row in rows]
    return [subject] if read_streams(conn, [subject])[:1] else []


def differences(before: History | Step, after: History | Step) -> dict[str, dict[str, Any]]:
    """What changed in the state between two moments: each name with its old and new value."""
    changed: dict[str, dict[str, Any]] = {}
    for name in before.state.keys() | after.state.keys():
        old, new = before.state.get(name, {}), after.state.get(name, {})
        fields = {
            field: {"before": old.get(field), "after": new.get(field)}
            for field in sorted(old.keys() | new.keys())
            if old.get(field) != new.get(field)
        }
        if fields:
            changed[name] = fields
    return changed


def _story(conn: Connection[DictRow], subject_id: UUID, mapper: JSONMapper) -> list[Recorded]:
    own = read_streams(conn, [subject_id])
    kind = own[0].topic.partition(".")[0] if own else None
    if kind == "link":
        return history.of_link(conn, subject_id, mapper)
    if kind == "booking":
        link_id = history.link_behind(conn, subject_id, mapper)
        return own if link_id is None else history.of_link(conn, link_id, mapper)
    return own


def _is_within(recorded: Recorded, as_of: AsOf | None) -> bool:
    if isinstance(as_of, datetime):
        return recorded.recorded_at <= as_of
    return as_of is None or recorded.position <= as_of


def _step(
    recorded: Recorded,
    mapper: JSONMapper,
    aggregates: dict[UUID, Aggregate | None],
    typed: dict[tuple[UUID, int], PersonalDataRow],
) -> Step:
    """The event, applied to its aggregate if that is among these."""
    data: dict[str, Any] = {}
    decided_at = fault = None
    try:
        event: Any = mapper.event(*recorded[1:5])
        decided_at = event.timestamp
        data = _plain(event)
        if recorded.originator_id in aggregates:
            known = aggregates[recorded.originator_id]
            aggregates[recorded.originator_id] = event.mutate(known)
    except _UNREADABLE as error:
        fault = f"{type(error).__name__}: {error}"
    row = typed.get((recorded.originator_id, recorded.originator_version))
    committed = data.get("personal_data")
    return Step(
        recorded=recorded,
        decided_at=decided_at,
        actor=data.get("actor"),
        data=data,
        typed=None if row is None else row.data,
        commitment=None if committed is None else _commitment(row, committed),
        state=_states(aggregates, recorded.recorded_at),
        fault=fault,
    )


def _commitment(row: PersonalDataRow | None, committed: str) -> str:
    if row is None:
        return "gone"
    return "kept" if personal_data.commitment(row.salt, row.data) == committed else "changed"


def _plain(event: object) -> dict[str, Any]:
    """An event's own fields as JSON has them."""
    hidden = {"originator_id", "originator_version", "originator_topic", "timestamp"}
    own = {name: value for name, value in vars(event).items() if name not in hidden}
    plain: dict[str, Any] = msgspec.to_builtins(own, str_keys=True)
    return dict(sorted(plain.items()))


def _states(aggregates: dict[UUID, Aggregate | None], at: datetime) -> dict[str, dict[str, Any]]:
    return {
        f"{aggregate.TOPIC}:{aggregate.id}": _state(aggregate, at)  # type: ignore[attr-defined]
        for aggregate in aggregates.values()
        if aggregate is not None
    }


def _state(aggregate: Aggregate, at: datetime) -> dict[str, Any]:
    shown = {name: value for name, value in vars(aggregate).items() if not name.startswith("_")}
    state: dict[str, Any] = msgspec.to_builtins(shown, str_keys=True)
    state["version"] = aggregate.version
    if isinstance(aggregate, SingleUseLink):
        state["status"] = aggregate.status(at).value
    return dict(sorted(state.items()))


def _typed(
    conn: Connection[DictRow], rows: Sequence[Recorded]
) -> dict[tuple[UUID, int], PersonalDataRow]:
    found = conn.execute(
        """SELECT originator_id, originator_version, salt, data FROM personal_data
        JOIN unnest(%s::uuid[], %s::bigint[]) AS row (originator_id, originator_version)
            USING (originator_id, originator_version)""",
        ([row.originator_id for row in rows], [row.originator_version for row in rows]),
    )
    return {
        (row["originator_id"], row["originator_version"]): PersonalDataRow(
            row["originator_id"], row["originator_version"], bytes(row["salt"]), row["data"]
        )
        for row in found
    }
