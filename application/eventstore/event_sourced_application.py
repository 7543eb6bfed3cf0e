"""The library's application on our database: loads, saves, and retries after conflicts."""

import os
from collections.abc import Callable, Sequence
from itertools import chain, islice
from math import inf
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment, EnvType

from application.eventstore import event_log, streams
from application.eventstore.aggregate_memory import AggregateMemory, Remembered
from application.eventstore.database import Database, pauses, sleep_within_deadline
from application.eventstore.deadline import deadline
from application.eventstore.loading import REMEMBERED_KINDS, A, Loaded, Reading, Wanted
from application.eventstore.mapper import MAPPER, JSONMapper
from application.eventstore.recorder import (
    EventRecorder,
    EventStoreFactory,
    Forgotten,
    PersonalDataRow,
    VersionConflict,
)
from application.eventstore.streams import OwnersTime, StoredRow
from domain.calendar import Calendar
from domain.errors import Busy

T = TypeVar("T")

_REFUSED = EventStoreFactory.POSTGRES_ENABLE_DB_FUNCTIONS


class Written(NamedTuple, Generic[T]):
    """The result of a command, and a log position at which views show it."""

    value: T
    position: int


class EventSourcedApplication(Application[UUID]):
    """Loads and saves aggregates.

    Loading does not get slower as an aggregate ages: the last events of a calendar say all, and
    what a process knows is not read again (see `application.eventstore.aggregate_memory`).
    """

    recorder: EventRecorder

    def __init__(self, database: Database) -> None:
        self.database = database
        self._memory = AggregateMemory()
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
        Of those that this process remembers, only later events are read.
        `busy_at` also asks whether the calendars elsewhere say that the owner is busy then.
        """
        readings = [Reading(each, self._memory.get(each.id)) for each in wanted]
        parts = [part for reading in readings for part in reading.parts]
        asked_at = monotonic()
        found, is_busy = self.database.run_idempotent(
            lambda conn: streams.read(conn, parts, busy_at)
        )
        rows = iter(found)
        loaded: dict[tuple[UUID, int | None], object] = {}
        outdated: list[Remembered] = []
        for reading in readings:
            events = [*chain.from_iterable(islice(rows, len(reading.parts)))]
            remembered = reading.remembered
            if remembered is not None and remembered.last not in events[:1]:
                outdated.append(remembered)
                continue
            aggregate = loaded[reading.wanted.id, reading.wanted.version] = reading.built(events)
            if remembered is not None and len(events) == 1:
                remembered.confirmed_at = asked_at
            elif aggregate is not None and reading.wanted.version is None:
                self._remember(aggregate, events[-1], confirmed_at=asked_at)
        if not outdated:
            return Loaded(loaded, is_busy)
        for remembered in outdated:
            self._memory.forget(remembered)
        return self.load(*wanted, busy_at=busy_at)

    def _remember(self, aggregate: Any, last: StoredRow, *, confirmed_at: float) -> None:
        kind = type(aggregate)
        if kind in REMEMBERED_KINDS:
            events = 1 if kind is Calendar else aggregate.version
            self._memory.remember(aggregate, last, events=events, confirmed_at=confirmed_at)

    def remembered(
        self, kind: type[A], aggregate_id: UUID, *, for_seconds: float = inf
    ) -> A | None:
        """Returns an aggregate as this process last saw it, or None. The caller must not change it.

        It may be out of date, so use it to guess what to read. A decision may rely on it only if
        the append checks its version and the log was read at most `for_seconds` ago: a database
        restored meanwhile could have another event of that version.
        """
        remembered = self._memory.get(aggregate_id)
        if remembered is None or monotonic() - remembered.confirmed_at > for_seconds:
            return None
        aggregate = remembered.aggregate
        return aggregate if isinstance(aggregate, kind) else None

    def last_known(self, kind: type[A], aggregate_id: UUID) -> A:
        """Like `remembered`, but reads what is not known. Raises the `NotFound` of this kind."""
        return self.remembered(kind, aggregate_id) or self.get(kind, aggregate_id)

    def find(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A | None:
        """Returns the aggregate as the log has it now, or as it was at `version`."""
        return self.load(Wanted(kind, aggregate_id, version)).find(kind, aggregate_id, version)

    def get(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A:
        """Like `find`, but raises the `NotFound` of this kind."""
        return self.load(Wanted(kind, aggregate_id, version)).get(kind, aggregate_id, version)

    def get_own(self, kind: type[A], aggregate_id: UUID, owner_id: UUID) -> A:
        """Like `get`, but also raises if the aggregate belongs to another owner."""
        return self.load(Wanted(kind, aggregate_id)).get_own(kind, aggregate_id, owner_id)

    def record(
        self,
        *aggregates: Any,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[Forgotten] = (),
        unchanged: Sequence[A] = (),
    ) -> int:
        """Saves the new events of all aggregates in one transaction; returns a log position.

        A view that has reached the position shows these events; without any, it is the head
        of the log. `forgotten` works as in `EventRecorder.insert_events`. The aggregates in
        `unchanged` were decided from: nothing is saved unless they are still as they are.

        Raises `VersionConflict`, as a `StaleRead` if something that was read is not the newest.
        """
        # What is written must continue what was read: the primary key refuses a version that is
        # there, but not a gap before it, after the database was restored meanwhile.
        read = {aggregate.id: aggregate.version for aggregate in unchanged}
        stored: list[StoredEvent] = []
        new: list[tuple[Any, StoredEvent]] = []
        for aggregate in aggregates:
            if events := aggregate.collect_events():
                stored += map(MAPPER.to_stored_event, events)
                if version_read := aggregate.version - len(events):
                    read[aggregate.id] = version_read
                else:
                    new.append((aggregate, stored[-1]))
        if not stored:
            return self.head()
        asked_at = monotonic()
        positions = self.recorder.insert_events(
            stored, personal_data=personal_data, forgotten=forgotten, unchanged=read
        )
        # The others, if they are remembered, are brought up to date when they are needed again.
        for aggregate, last in new:
            row = StoredRow(last.originator_version, last.topic, last.state)
            self._remember(aggregate, row, confirmed_at=asked_at)
        return positions[-1]

    def write(
        self,
        aggregate: A,
        *,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[Forgotten] = (),
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
