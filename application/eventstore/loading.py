"""The aggregates that a decision asks for, how they are read, and the answer.

An aggregate is built from its whole history, with two exceptions. Of a calendar the last events
say all. And what the process remembers is only brought up to date.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from application.eventstore.aggregate_memory import Remembered
from application.eventstore.mapper import MAPPER
from application.eventstore.streams import NEWEST, Part, StoredRow
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import (
    BookingNotFound,
    CalendarNotFound,
    LinkNotFound,
    NotFound,
    ScheduleNotFound,
)
from domain.link import SingleUseLink
from domain.schedule import Schedule

A = TypeVar("A", Calendar, Schedule, SingleUseLink, Booking, AgendaDay)

_MISSING: dict[type, type[NotFound]] = {
    Calendar: CalendarNotFound,
    Schedule: ScheduleNotFound,
    SingleUseLink: LinkNotFound,
    Booking: BookingNotFound,
}
_NEWEST_EVENTS = {Calendar: Calendar.NEWEST_EVENTS}
"""The number of newest events that, with the first event, give the whole state of an aggregate.

An aggregate of any other kind is loaded from all of its events.
"""

REMEMBERED_KINDS = frozenset({Calendar, Schedule, SingleUseLink, AgendaDay})
"""The kinds of aggregates that a process remembers, because it decides from them repeatedly."""


class Wanted(NamedTuple, Generic[A]):
    """An aggregate to be loaded, as it is or as it was at `version`."""

    kind: type[A]
    id: UUID
    version: int | None = None


class Loaded(NamedTuple):
    """Aggregates as they were at one moment, for a decision to change them.

    `is_busy_elsewhere` answers the question that came with them.
    """

    aggregates: Mapping[tuple[UUID, int | None], object]
    is_busy_elsewhere: bool

    def find(self, kind: type[A], aggregate_id: UUID, version: int | None = None) -> A | None:
        """Returns one of the aggregates, or None if there is none of this kind."""
        aggregate = self.aggregates[aggregate_id, version]
        return aggregate if isinstance(aggregate, kind) else None

    def get(self, kind: type[A], aggregate_id: UUID, version: int | None = None) -> A:
        """Like `find`, but raises the `NotFound` of this kind."""
        aggregate = self.find(kind, aggregate_id, version)
        if aggregate is None:
            raise _MISSING[kind]
        return aggregate

    def get_own(self, kind: type[A], aggregate_id: UUID, owner_id: UUID) -> A:
        """Like `get`, but also raises if the aggregate belongs to another owner."""
        aggregate = self.get(kind, aggregate_id)
        if aggregate.owner_id != owner_id:
            raise _MISSING[kind]
        return aggregate

    def all(self, kind: type[A]) -> list[A]:
        """Returns those of this kind that exist."""
        return [each for each in self.aggregates.values() if isinstance(each, kind)]


class Reading:
    """A request for one aggregate: all of it, or what may have followed what is remembered."""

    def __init__(self, wanted: Wanted[Any], remembered: Remembered | None) -> None:
        kind, aggregate_id, version = wanted
        most = _NEWEST_EVENTS.get(kind, NEWEST)
        self.wanted = wanted
        self.remembered = None
        if version is None and remembered is not None and isinstance(remembered.aggregate, kind):
            self.remembered = remembered
            self.parts = [Part(aggregate_id, remembered.last.version, NEWEST, most)]
            return
        until = NEWEST if version is None else min(max(version, 0), NEWEST)
        if most == NEWEST:
            self.parts = [Part(aggregate_id, 1, until, NEWEST)]
        else:
            first = Part(aggregate_id, 1, min(1, until), 1)
            self.parts = [first, Part(aggregate_id, 2, until, most)]

    def built(self, events: Sequence[StoredRow]) -> Any:
        """Returns the aggregate that these events make; None if there is none of this kind.

        Skips the library's checks of the events, because the mapper has just read them.
        """
        kind, aggregate = self.wanted.kind, None
        if self.remembered is not None:
            aggregate, events = self.remembered.aggregate.copy(), events[1:]
        for row in events:
            event: Any = MAPPER.event(self.wanted.id, *row)
            if aggregate is None and event.originator_topic != kind.TOPIC:
                return None
            if aggregate is not None and kind in _NEWEST_EVENTS:
                aggregate.version = row.version - 1  # those in between make no difference
            aggregate = event.mutate(aggregate)
        return aggregate
