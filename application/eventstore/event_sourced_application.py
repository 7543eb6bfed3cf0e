"""The library's application on our database: load, decide, save, and decide again."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType

from application.eventstore.database import Database, pauses, sleep_within_deadline
from application.eventstore.deadline import deadline
from application.eventstore.event_log import read_streams
from application.eventstore.mapper import JSONMapper
from application.eventstore.recorder import EventStoreFactory, PersonalDataRow, VersionConflict
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import BookingNotFound, Busy, CalendarNotFound, LinkNotFound, NotFound
from domain.link import SingleUseLink

T = TypeVar("T")
A = TypeVar("A", Calendar, SingleUseLink, Booking, AgendaDay)

_MISSING: dict[type, type[NotFound]] = {
    Calendar: CalendarNotFound,
    SingleUseLink: LinkNotFound,
    Booking: BookingNotFound,
}
_REFUSED = EventStoreFactory.POSTGRES_ENABLE_DB_FUNCTIONS


@dataclass(frozen=True)
class Written(Generic[T]):
    """The result of a command, and a log position at which views show it."""

    value: T
    position: int


class EventSourcedApplication(Application[UUID]):
    """Loads and saves aggregates. Build it after the server has forked: it owns threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Keeps the library's settings out: a cache would decide from old events.

        Only what must not be set is handed on, for the factory to refuse.
        """
        given = os.environ if env is None else env
        return Environment(name, {key: given[key] for key in given if key.endswith(_REFUSED)})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Returns a factory of our recorder on our database."""
        return EventStoreFactory(env, self.database)

    def construct_mapper(self) -> JSONMapper:
        """Returns the mapper to plain JSON, with topics from a fixed table."""
        return JSONMapper()

    def head(self) -> int:
        """Returns the position of the newest event; 0 while there is none."""
        return self.recorder.max_notification_id() or 0

    def find(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A | None:
        """Returns the aggregate as the log has it now, or as it was at `version`."""
        try:
            found: object = self.repository.get(aggregate_id, version=version)
        except AggregateNotFoundError:
            return None
        return found if isinstance(found, kind) else None

    def find_many(self, kind: type[A], aggregate_ids: Collection[UUID]) -> dict[UUID, A]:
        """Returns those of the aggregates that exist, by id, from one query."""
        aggregates: dict[UUID, Any] = {}
        mapper = cast("JSONMapper", self.mapper)
        for recorded in self.database.run_idempotent(
            lambda conn: read_streams(conn, aggregate_ids)
        ):
            event: Any = mapper.event_of(recorded)
            aggregate_id = recorded.originator_id
            aggregates[aggregate_id] = event.mutate(aggregates.get(aggregate_id))
        return {key: found for key, found in aggregates.items() if isinstance(found, kind)}

    def get(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A:
        """Like `find`. Raises `CalendarNotFound`, `LinkNotFound` or `BookingNotFound`."""
        found = self.find(kind, aggregate_id, version=version)
        if found is None:
            raise _MISSING[kind]
        return found

    def get_own(self, kind: type[A], aggregate_id: UUID, owner_id: UUID) -> A:
        """Like `get`, for one owner: what belongs to another does not exist either."""
        found = self.get(kind, aggregate_id)
        if found.owner_id != owner_id:
            raise _MISSING[kind]
        return found

    def record(
        self,
        *aggregates: Any,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[UUID] = (),
    ) -> int:
        """Saves what the aggregates decided, all or nothing, and returns a log position.

        Views that have reached this position show it. Where nothing was decided, that is
        the end of the log. `forgotten` as in `EventRecorder.insert_events`. Raises
        `VersionConflict`.
        """
        recordings = self.save(*aggregates, personal_data=personal_data, forgotten=forgotten)
        return recordings[-1].notification.id if recordings else self.head()

    def write(
        self,
        aggregate: A,
        *,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[UUID] = (),
    ) -> Written[A]:
        """Like `record`, for one aggregate, which is the result."""
        position = self.record(aggregate, personal_data=personal_data, forgotten=forgotten)
        return Written(aggregate, position)

    def retry_on_conflict(self, decide: Callable[[], T]) -> T:
        """Calls `decide` until no other writer is first; raises `Busy` at the deadline.

        `decide` has to load all that it decides from: what it loaded before a conflict
        is out of date.
        """
        with deadline():
            for pause in pauses():
                try:
                    return decide()
                except VersionConflict as conflict:
                    if not sleep_within_deadline(pause):
                        raise Busy from conflict
            raise AssertionError("pauses() never ends")
