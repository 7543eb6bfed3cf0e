"""Replays the history of a link, a booking, a calendar or an agenda day from the log.

Reads only the log, never a view. Personal data is included while it is stored, together with
the result of comparing it with the commitment in the log.
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
from psycopg.rows import DictRow, class_row

from application.audit import link_history
from application.eventstore.event_log import RecordedEvent, read_streams
from application.eventstore.mapper import JSONMapper, UnknownTopic
from application.eventstore.recorder import PersonalDataRow
from application.people import personal_data
from domain.errors import NotFound
from domain.link import LinkStatus, SingleUseLink

AsOf = datetime | int
"""A time of recording, by the database's clock, or a position in the log."""

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
    """One event of a history, and the state after it. Times are UTC.

    `decided_at` is the service's clock at the decision, `recorded_at` the database's clock at
    the append. `typed` is the personal data of the event, while it is stored. `commitment`
    compares it with the log: `kept` if it is what the event committed to, `changed`, `gone`,
    or None for an event without a commitment. `state` maps each aggregate of the history to
    its state. `fault` says why an event can't be read or applied; an intact log has none.
    """

    recorded: RecordedEvent
    decided_at: datetime | None
    actor: str | None
    data: dict[str, Any]
    typed: dict[str, str] | None
    commitment: str | None
    state: dict[str, dict[str, Any]]
    fault: str | None


@dataclass(frozen=True)
class History:
    """The events of a link and its booking, a calendar or an agenda day, and the state at `at`.

    `steps` are in the order of the log.
    """

    id: UUID
    steps: list[Step]
    at: datetime

    @property
    def state(self) -> dict[str, dict[str, Any]]:
        """The state of each aggregate after the last step. A link may have expired by `at`."""
        last = self.steps[-1].state if self.steps else {}
        return {name: _by_the_clock(state, self.at) for name, state in last.items()}

    def as_of(self, moment: AsOf) -> "History":
        """Returns this history as it was at a moment. It may have no steps."""
        if isinstance(moment, datetime):
            steps = [step for step in self.steps if step.recorded.recorded_at <= moment]
            return History(self.id, steps, moment)
        steps = [step for step in self.steps if step.recorded.position <= moment]
        return History(self.id, steps, steps[-1].recorded.recorded_at if steps else self.at)


def replay(
    conn: Connection[DictRow], aggregate_id: UUID, mapper: JSONMapper, *, now: datetime
) -> History:
    """Returns the whole history of a link and its booking, a calendar, or an agenda day.

    Raises `HistoryNotFound`.
    """
    rows = _events(conn, aggregate_id, mapper)
    if not rows:
        raise HistoryNotFound
    typed = _typed(conn, rows)
    # An agenda day is left out: a history has only some of its events, and no state follows.
    aggregates: dict[UUID, Aggregate | None] = {
        row.originator_id: None for row in rows if row.originator_version == 1
    }
    return History(aggregate_id, [_step(row, mapper, aggregates, typed) for row in rows], now)


def steps_without_state(
    conn: Connection[DictRow], rows: Sequence[RecordedEvent], mapper: JSONMapper
) -> list[Step]:
    """Returns events from anywhere in the log as steps, without the state after each."""
    typed = _typed(conn, rows)
    return [_step(row, mapper, {}, typed) for row in rows]


def differences(
    before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Returns the fields that differ between two states, with old and new value."""
    changed: dict[str, dict[str, Any]] = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name, {}), after.get(name, {})
        fields = {
            field: {"before": old.get(field), "after": new.get(field)}
            for field in sorted(old.keys() | new.keys())
            if old.get(field) != new.get(field)
        }
        if fields:
            changed[name] = fields
    return changed


def _events(
    conn: Connection[DictRow], aggregate_id: UUID, mapper: JSONMapper
) -> list[RecordedEvent]:
    """Returns the events of the history that an aggregate belongs to, in log order."""
    own = read_streams(conn, [aggregate_id])
    kind = own[0].topic.partition(".")[0] if own else None
    if kind == "link":
        return link_history.events_of_link(conn, aggregate_id, mapper)
    if kind == "booking":
        link_id = link_history.link_of_booking(conn, aggregate_id, mapper)
        return own if link_id is None else link_history.events_of_link(conn, link_id, mapper)
    return own


def _step(
    recorded: RecordedEvent,
    mapper: JSONMapper,
    aggregates: dict[UUID, Aggregate | None],
    typed: dict[tuple[UUID, int], PersonalDataRow],
) -> Step:
    """Returns the step of an event; applies it if its aggregate is among `aggregates`."""
    data: dict[str, Any] = {}
    decided_at = fault = None
    try:
        event: Any = mapper.event_of(recorded)
        decided_at = event.timestamp
        data = _plain(event)
        if recorded.originator_id in aggregates:
            before = aggregates[recorded.originator_id]
            aggregates[recorded.originator_id] = event.mutate(before)
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
    """Returns an event's own fields as JSON-able data."""
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


def _by_the_clock(state: dict[str, Any], at: datetime) -> dict[str, Any]:
    """Returns the state at `at`. A link may have expired since, which is not an event."""
    if state.get("status") not in (LinkStatus.ACTIVE, LinkStatus.EXPIRED):
        return state
    is_over = at >= datetime.fromisoformat(state["expires_at"])
    return state | {"status": (LinkStatus.EXPIRED if is_over else LinkStatus.ACTIVE).value}


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
