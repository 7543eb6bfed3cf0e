"""Replays the history of a link, a booking, a calendar or an agenda from the log.

Reads only the log, never a view. Personal data is included while it is stored, together with
the result of comparing it with the commitment in the log. A history is read page by page: of a
long one, only the current state and one page are in memory.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import Any, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, OriginatorIDError, OriginatorVersionError
from msgspec import MsgspecError
from psycopg import Connection
from psycopg.rows import DictRow, class_row

from application.audit import link_history
from application.audit.state_changes import FieldChanges, State, field_changes, fields_of, plain
from application.eventstore.event_log import (
    IndexEntry,
    RecordedEvent,
    entry_of,
    index_of_streams,
    read_at,
)
from application.eventstore.mapper import JSONMapper, UnknownTopic
from application.eventstore.recorder import PersonalDataRow
from application.people import personal_data
from domain.agenda import AgendaDay
from domain.errors import Invalid, NotFound, Sentence

AsOf = datetime | int
"""A time of recording, by the database's clock, or a position in the log."""

LARGEST_PAGE = 200  # events
LARGEST_BYTES = 512 * 1024  # of stored events on a page, so that large events make it shorter
LONGEST_PERIOD = 92  # days
_LAST = 2**63 - 1

# The errors that decoding and applying a row can cause if this service did not write it.
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
    """The log has no link, booking, calendar or agenda with this id."""


@dataclass(frozen=True)
class Step:
    """One event of a history, and what it changed. Times are UTC.

    `decided_at` is the service's clock at the decision, `recorded_at` the database's clock at
    the append. `typed` is the personal data of the event, while it is stored. `commitment`
    compares it with the log: `kept` if it is what the event committed to, `changed`, `gone`,
    or None for an event without a commitment. `changed` maps the aggregate of the event to the
    fields that it changed. `fault` says why an event can't be read or applied; an intact log has
    none.
    """

    recorded: RecordedEvent
    decided_at: datetime | None
    actor: str | None
    data: dict[str, Any]
    typed: dict[str, str] | None
    commitment: str | None
    changed: dict[str, FieldChanges]
    fault: str | None


@dataclass(frozen=True)
class History:
    """A page of a history: its events in the order of the log, and the state after the last.

    On the last page, that is the state at the moment that was asked for. `kind` is that of the
    aggregate with this id, such as link; `has_begun` is false if it did not exist at that moment.
    `count` is the number of events up to that moment, on all pages, and `total` of those until now.
    More follow after `next_after`, unless it is None.
    """

    id: UUID
    kind: str
    has_begun: bool
    steps: list[Step]
    state: State
    count: int
    total: int
    next_after: int | None


class Replay:
    """A history that is read from the log page by page, up to a moment."""

    def __init__(
        self,
        conn: Connection[DictRow],
        mapper: JSONMapper,
        history_id: UUID,
        first: IndexEntry,
        index: Sequence[IndexEntry],
        *,
        now: datetime,
        as_of: AsOf | None = None,
    ) -> None:
        """`index` says where the events are, `first` where the first of `history_id` itself is.

        `as_of` defaults to all of them, at `now`.
        """
        self._conn = conn
        self._mapper = mapper
        self.id, self.kind = history_id, first.topic.partition(".")[0]
        self._total = len(index)
        self._index = list(index[: _count(index, as_of)])
        # An agenda day is left out of the history of a link, which has only some of its events.
        self._aggregates: dict[UUID, Aggregate | None] = {
            entry.originator_id: None for entry in self._index if entry.originator_version == 1
        }
        self.has_begun = bool(self._index) and first.position <= self._index[-1].position
        self._next = 0
        self._at = now
        if isinstance(as_of, datetime):
            self._at = as_of
        elif as_of is not None and self._index:
            self._at = self._index[-1].recorded_at

    @property
    def is_complete(self) -> bool:
        """True after the last page."""
        return self._next == len(self._index)

    def skip(self, after: int) -> Self:
        """Applies the events up to a position without showing them. Returns itself."""
        end = bisect(self._index, after, key=attrgetter("position"))
        while self._next < end:
            for recorded in self._read(end - self._next):
                _decode(recorded, self._mapper, self._aggregates)
        return self

    def state(self) -> State:
        """Returns the state after the events so far; after the last, at the moment asked for."""
        at = self._at if self.is_complete else self._index[max(0, self._next - 1)].recorded_at
        return {
            _name_of(aggregate): plain(fields_of(aggregate, at))
            for aggregate in self._aggregates.values()
            if aggregate is not None
        }

    def page(self, limit: int = LARGEST_PAGE) -> History:
        """Returns the next page. It has fewer events than `limit` if they are large."""
        rows = self._read(limit)
        typed = _typed(self._conn, rows)
        steps = [_step(row, self._mapper, self._aggregates, typed) for row in rows]
        return History(
            id=self.id,
            kind=self.kind,
            has_begun=self.has_begun,
            steps=steps,
            state=self.state(),
            count=len(self._index),
            total=self._total,
            next_after=None if self.is_complete else self._index[self._next - 1].position,
        )

    def pages(self) -> Iterator[History]:
        """Yields all pages that follow."""
        while not self.is_complete:
            yield self.page()

    def _read(self, limit: int) -> list[RecordedEvent]:
        """Returns the next events: `limit` at most, or fewer if they are large."""
        positions: list[int] = []
        size = 0
        for entry in self._index[self._next : self._next + min(limit, LARGEST_PAGE)]:
            size += entry.size
            if positions and size > LARGEST_BYTES:
                break
            positions.append(entry.position)
        self._next += len(positions)
        return read_at(self._conn, positions)


def replay_of(
    conn: Connection[DictRow],
    aggregate_id: UUID,
    mapper: JSONMapper,
    *,
    now: datetime,
    as_of: AsOf | None = None,
    kind: str = "",
) -> Replay:
    """Returns the history of a link and its booking, a calendar, or an agenda day.

    `kind` is the start of the topics that the aggregate must have, such as `link.`. Raises
    `HistoryNotFound`.
    """
    own = index_of_streams(conn, [aggregate_id])
    if not own or not own[0].topic.startswith(kind):
        raise HistoryNotFound
    link_id = None
    if own[0].topic.startswith("link."):
        link_id = aggregate_id
    elif own[0].topic.startswith("booking."):
        link_id = link_history.link_of_booking(conn, aggregate_id, mapper)
    index = own
    if link_id is not None:
        index = [entry_of(row) for row in link_history.events_of_link(conn, link_id, mapper)]
    return Replay(conn, mapper, aggregate_id, own[0], index, now=now, as_of=as_of)


def replay_of_agenda(
    conn: Connection[DictRow],
    owner_id: UUID,
    first: date,
    last: date,
    mapper: JSONMapper,
    *,
    now: datetime,
    as_of: AsOf | None = None,
) -> Replay:
    """Returns the history of the time that an owner has reserved on the UTC days `first` to `last`.

    Raises `Invalid` for a period that is too long, and `HistoryNotFound` if there never was any.
    """
    length = (last - first).days + 1
    if length < 1:
        raise Invalid({"to": [Sentence("Must not lie before the first day.")]})
    if length > LONGEST_PERIOD:
        raise Invalid({"to": [Sentence("At most {most} days.", most=LONGEST_PERIOD)]})
    days = [first + timedelta(days=n) for n in range(length)]
    index = index_of_streams(conn, [AgendaDay.id_for(owner_id, day) for day in days])
    if not index:
        raise HistoryNotFound
    return Replay(conn, mapper, owner_id, index[0], index, now=now, as_of=as_of)


def states_at(
    conn: Connection[DictRow],
    aggregate_id: UUID,
    moments: Sequence[AsOf | None],
    mapper: JSONMapper,
    *,
    now: datetime,
) -> list[State]:
    """Returns the state of a history at each of these moments, or at `now` for None.

    Raises `HistoryNotFound`.
    """
    replays = (replay_of(conn, aggregate_id, mapper, now=now, as_of=as_of) for as_of in moments)
    return [replay.skip(_LAST).state() for replay in replays]


def steps_without_changes(
    conn: Connection[DictRow], rows: Sequence[RecordedEvent], mapper: JSONMapper
) -> list[Step]:
    """Returns events from anywhere in the log as steps, without what each changed."""
    typed = _typed(conn, rows)
    return [_step(row, mapper, {}, typed) for row in rows]


def _count(index: Sequence[IndexEntry], as_of: AsOf | None) -> int:
    """Returns the number of events up to a moment: up to the last one recorded by then.

    Positions say what came first: the database's clock may have been set back.
    """
    if as_of is None:
        return len(index)
    if not isinstance(as_of, datetime):
        return bisect(index, as_of, key=attrgetter("position"))
    return max(
        (place for place, entry in enumerate(index, 1) if entry.recorded_at <= as_of), default=0
    )


def _decode(
    recorded: RecordedEvent, mapper: JSONMapper, aggregates: dict[UUID, Aggregate | None]
) -> tuple[Any, str | None]:
    """Returns an event and applies it, if its aggregate is among `aggregates`.

    Instead of an event that can't be read there is None. The second value says why an event can't
    be read or applied.
    """
    event: Any = None
    try:
        event = mapper.event_of(recorded)
        if recorded.originator_id in aggregates:
            before = aggregates[recorded.originator_id]
            aggregates[recorded.originator_id] = event.mutate(before)
    except _UNREADABLE as error:
        return event, f"{type(error).__name__}: {error}"
    return event, None


def _step(
    recorded: RecordedEvent,
    mapper: JSONMapper,
    aggregates: dict[UUID, Aggregate | None],
    typed: dict[tuple[UUID, int], PersonalDataRow],
) -> Step:
    """Returns the step of an event; applies it if its aggregate is among `aggregates`."""
    before = fields_of(aggregates.get(recorded.originator_id), recorded.recorded_at)
    event, fault = _decode(recorded, mapper, aggregates)
    aggregate = aggregates.get(recorded.originator_id)
    changed = {}
    if aggregate is not None:
        after = fields_of(aggregate, recorded.recorded_at)
        changed = {_name_of(aggregate): field_changes(before, after)}
    data = {} if event is None else _data_of(event)
    row = typed.get((recorded.originator_id, recorded.originator_version))
    committed = data.get("personal_data")
    return Step(
        recorded=recorded,
        decided_at=None if event is None else event.timestamp,
        actor=data.get("actor"),
        data=data,
        typed=None if row is None else row.data,
        commitment=None if committed is None else _commitment(row, committed),
        changed=changed,
        fault=fault,
    )


def _name_of(aggregate: Aggregate) -> str:
    """Returns the kind and id of an aggregate."""
    return f"{aggregate.TOPIC}:{aggregate.id}"  # type: ignore[attr-defined]


def _commitment(row: PersonalDataRow | None, committed: str) -> str:
    if row is None:
        return "gone"
    return "kept" if personal_data.commitment(row.salt, row.data) == committed else "changed"


def _data_of(event: object) -> dict[str, Any]:
    """Returns an event's own fields as JSON-able data."""
    hidden = {"originator_id", "originator_version", "originator_topic", "timestamp"}
    return plain({name: value for name, value in vars(event).items() if name not in hidden})


def _typed(
    conn: Connection[DictRow], rows: Sequence[RecordedEvent]
) -> dict[tuple[UUID, int], PersonalDataRow]:
    """Returns the personal data of these events by id and version, as far as it is stored."""
    with conn.cursor(row_factory=class_row(PersonalDataRow)) as cursor:
        typed = cursor.execute(
            """SELECT originator_id, originator_version, salt, data FROM personal_data
            JOIN unnest(%s::uuid[], %s::bigint[]) AS row (originator_id, originator_version)
                USING (originator_id, originator_version)""",
            ([row.originator_id for row in rows], [row.originator_version for row in rows]),
        ).fetchall()
    return {(row.originator_id, row.originator_version): row for row in typed}
