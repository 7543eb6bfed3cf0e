"""The library's application on our database: loads, saves, and retries after conflicts."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType

from application.eventstore import event_log, streams
from application.eventstore.aggregate_memory import (
    AggregateMemory,
    RecentlyUsed,
    Remembered,
    copy_of,
)
from application.eventstore.database import Database, pauses, sleep_within_deadline
from application.eventstore.deadline import deadline
from application.eventstore.mapper import MAPPER, JSONMapper
from application.eventstore.recorder import (
    EventRecorder,
    EventStoreFactory,
    PersonalDataRow,
    VersionConflict,
)
from application.eventstore.streams import NEWEST, OwnersTime, Part, StoredRow
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import BookingNotFound, Busy, CalendarNotFound, LinkNotFound, NotFound
from domain.link import SingleUseLink
from domain.offer import Offer

T = TypeVar("T")
A = TypeVar("A", Calendar, SingleUseLink, Booking, AgendaDay)

_MISSING: dict[type, type[NotFound]] = {
    Calendar: CalendarNotFound,
    SingleUseLink: LinkNotFound,
    Booking: BookingNotFound,
}
_NEWEST_EVENTS = {Calendar: Calendar.NEWEST_EVENTS}
"""How many of its last events say all about an aggregate, with the first; else it takes all."""

MOST_LINKS = 10_000
"""Of so many links a process remembers the origin."""

_REFUSED = EventStoreFactory.POSTGRES_ENABLE_DB_FUNCTIONS


@dataclass(frozen=True)
class Written(Generic[T]):
    """The result of a command, and a log position at which views show it."""

    value: T
    position: int


@dataclass(frozen=True)
class LinkOrigin:
    """What never changes about a link, so that it can be known without asking."""

    calendar_id: UUID
    owner_id: UUID
    offer: Offer | None


@dataclass(frozen=True)
class Wanted(Generic[A]):
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
        """Like `find`, but raises `CalendarNotFound`, `LinkNotFound` or `BookingNotFound`."""
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


class _Reading:
    """What to read of one aggregate: all of it, or what may have followed what is remembered."""

    def __init__(self, wanted: Wanted[Any], remembered: Remembered[Any] | None) -> None:
        is_known = remembered is not None and isinstance(remembered.aggregate, wanted.kind)
        self.wanted = wanted
        self.remembered = remembered if wanted.version is None and is_known else None
        until = NEWEST if wanted.version is None else min(max(wanted.version, 0), NEWEST)
        most = _NEWEST_EVENTS.get(wanted.kind, NEWEST)
        if self.remembered is not None:
            self.parts = [Part(wanted.id, self.remembered.last.version, until, most)]
        elif most == NEWEST:
            self.parts = [Part(wanted.id, 1, until, NEWEST)]
        else:
            self.parts = [Part(wanted.id, 1, min(1, until), 1), Part(wanted.id, 2, until, most)]

    def is_confirmed_by(self, events: Sequence[StoredRow]) -> bool:
        """Returns True unless something is remembered that the log does not have there."""
        return self.remembered is None or self.remembered.last in events[:1]

    def aggregate(self) -> Any:
        """Returns a copy of what is remembered, to decide on."""
        return None if self.remembered is None else copy_of(self.remembered.aggregate)


class EventSourcedApplication(Application[UUID]):
    """Loads and saves aggregates. Owns threads, so build it after the server has forked.

    Loading does not get slower with an aggregate's age: of a calendar the last events say all,
    and agenda days are remembered (see `application.eventstore.aggregate_memory`).
    """

    recorder: EventRecorder

    def __init__(self, database: Database) -> None:
        self.database = database
        self._memory = AggregateMemory()
        self._origins = RecentlyUsed[LinkOrigin](MOST_LINKS)
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Ignores the library's settings: its cache would decide from old events.

        Passes on only the setting that must not be used, so that the factory can refuse it.
        """
        settings = os.environ if env is None else env
        return Environment(name, {key: settings[key] for key in settings if key.endswith(_REFUSED)})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Returns a factory that makes our recorder, on our database."""
        return EventStoreFactory(env, self.database)

    def construct_mapper(self) -> JSONMapper:
        """Returns the mapper to plain JSON, with topics from a fixed table."""
        return MAPPER

    def head(self) -> int:
        """Returns the position of the newest event; 0 while there is none."""
        return self.database.run_idempotent(event_log.head)

    def load(self, *wanted: Wanted[Any], busy_at: OwnersTime | None = None) -> Loaded:
        """Reads all of these aggregates in one statement, which sees the log at one moment.

        So a decision that needs several of them knows of each what it knows of the others.
        Calendars and agenda days that this process remembers are read from there on. `busy_at`
        also asks whether the calendars elsewhere say that the owner is busy then.
        """
        readings = [_Reading(each, self._memory.get(each.id)) for each in wanted]
        parts = [part for reading in readings for part in reading.parts]
        found, is_busy = (
            self.database.run_idempotent(lambda conn: streams.read(conn, parts, busy_at))
            if parts
            else ([], False)
        )
        rows = iter(found)
        loaded: dict[tuple[UUID, int | None], object] = {}
        is_confirmed = True
        for reading in readings:
            events = [row for _ in reading.parts for row in next(rows)]
            if reading.is_confirmed_by(events):
                loaded[reading.wanted.id, reading.wanted.version] = self._built(reading, events)
            elif reading.remembered is not None:
                self._memory.forget(reading.remembered)
                is_confirmed = False
        return Loaded(loaded, is_busy) if is_confirmed else self.load(*wanted, busy_at=busy_at)

    def _built(self, reading: "_Reading", events: Sequence[StoredRow]) -> object:
        """Returns the aggregate and remembers it; None if there is none of this kind."""
        wanted, aggregate = reading.wanted, reading.aggregate()
        if aggregate is None and not (
            events and events[0].topic.startswith(f"{wanted.kind.TOPIC}.")
        ):
            return None
        for row in events:
            if aggregate is not None:
                if row.version <= aggregate.version:
                    continue  # confirms what is remembered
                if wanted.kind in _NEWEST_EVENTS:
                    aggregate.version = row.version - 1  # those in between make no difference
            event: Any = MAPPER.event(wanted.id, *row)
            aggregate = event.mutate(aggregate)
        if wanted.version is None and (reading.remembered is None or len(events) > 1):
            self._remember(aggregate, events[-1])
        return aggregate

    def _remember(self, aggregate: Any, last: StoredRow) -> None:
        if isinstance(aggregate, SingleUseLink):
            origin = LinkOrigin(aggregate.calendar_id, aggregate.owner_id, aggregate.offer)
            self._origins.put(aggregate.id, origin)
        elif isinstance(aggregate, Calendar):
            self._memory.remember(aggregate, last, events=1)
        elif isinstance(aggregate, AgendaDay):
            self._memory.remember(aggregate, last, events=aggregate.version)

    def remembered(self, kind: type[A], aggregate_id: UUID) -> A | None:
        """Returns a calendar or agenda day as this process saw it last, which may be outdated.

        Good for guessing what to read, and for deciding where the append checks the version.
        """
        remembered = self._memory.get(aggregate_id)
        if remembered is None or not isinstance(remembered.aggregate, kind):
            return None
        return copy_of(remembered.aggregate)

    def origin_of(self, link_id: UUID) -> LinkOrigin:
        """Returns what never changes about a link. Raises `LinkNotFound`."""
        if origin := self._origins.get(link_id):
            return origin
        link = self.get(SingleUseLink, link_id)
        return LinkOrigin(link.calendar_id, link.owner_id, link.offer)

    def find(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A | None:
        """Returns the aggregate as the log has it now, or as it was at `version`."""
        return self.load(Wanted(kind, aggregate_id, version)).find(kind, aggregate_id, version)

    def get(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A:
        """Like `find`, but raises `CalendarNotFound`, `LinkNotFound` or `BookingNotFound`."""
        return self.load(Wanted(kind, aggregate_id, version)).get(kind, aggregate_id, version)

    def get_own(self, kind: type[A], aggregate_id: UUID, owner_id: UUID) -> A:
        """Like `get`, but also raises if the aggregate belongs to another owner."""
        return self.load(Wanted(kind, aggregate_id)).get_own(kind, aggregate_id, owner_id)

    def record(
        self,
        *aggregates: Any,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[UUID] = (),
        unchanged: Sequence[A] = (),
    ) -> int:
        """Saves the new events of all aggregates in one transaction; returns a log position.

        A view that has reached the position shows these events; without any, it is the head
        of the log. `forgotten` works as in `EventRecorder.insert_events`. The aggregates in
        `unchanged` were decided from: nothing is saved unless they are still as they are.

        Raises `VersionConflict`, as a `StaleRead` if it concerns one that was decided from.
        """
        events = [
            [MAPPER.to_stored_event(event) for event in aggregate.collect_events()]
            for aggregate in aggregates
        ]
        if not any(events):
            return self.head()
        positions = self.recorder.insert_events(
            list(chain.from_iterable(events)),
            personal_data=personal_data,
            forgotten=forgotten,
            unchanged={aggregate.id: aggregate.version for aggregate in unchanged},
        )
        for aggregate, stored in zip(aggregates, events, strict=True):
            if stored:
                last = stored[-1]
                self._remember(
                    aggregate, StoredRow(last.originator_version, last.topic, last.state)
                )
        return positions[-1]

    def write(
        self,
        aggregate: A,
        *,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[UUID] = (),
    ) -> Written[A]:
        """Like `record`, for one aggregate, which is also the result."""
        position = self.record(aggregate, personal_data=personal_data, forgotten=forgotten)
        return Written(aggregate, position)

    def retry_on_conflict(self, decide: Callable[[], T]) -> T:
        """Calls `decide` until it meets no version conflict; raises `Busy` at the deadline.

        `decide` has to load everything that it decides from, because what it loaded before a
        conflict is out of date.
        """
        with deadline():
            for pause in pauses():
                try:
                    return decide()
                except VersionConflict as conflict:
                    if not sleep_within_deadline(pause):
                        raise Busy from conflict
            raise AssertionError("pauses() never ends")
