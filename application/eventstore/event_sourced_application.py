"""The library's application on our database: loads, saves, and retries after conflicts."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType

from application.eventstore import event_log
from application.eventstore.database import Database, pauses, sleep_within_deadline
from application.eventstore.deadline import deadline
from application.eventstore.mapper import MAPPER, JSONMapper
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
    """Loads and saves aggregates."""

    def __init__(self, database: Database) -> None:
        self.database = database
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

    def find(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A | None:
        """Returns the aggregate as the log has it now, or as it was at `version`."""
        try:
            aggregate: object = self.repository.get(aggregate_id, version=version)
        except AggregateNotFoundError:
            return None
        return aggregate if isinstance(aggregate, kind) else None

    def find_many(self, kind: type[A], aggregate_ids: Collection[UUID]) -> dict[UUID, A]:
        """Returns those of the aggregates that exist, by id, from one query."""
        aggregates: dict[UUID, Any] = {}
        for recorded in self.database.run_idempotent(
            lambda conn: event_log.read_streams(conn, aggregate_ids)
        ):
            event: Any = MAPPER.event_of(recorded)
            aggregate_id = recorded.originator_id
            aggregates[aggregate_id] = event.mutate(aggregates.get(aggregate_id))
        return {key: each for key, each in aggregates.items() if isinstance(each, kind)}

    def get(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A:
        """Like `find`, but raises `CalendarNotFound`, `LinkNotFound` or `BookingNotFound`."""
        aggregate = self.find(kind, aggregate_id, version=version)
        if aggregate is None:
            raise _MISSING[kind]
        return aggregate

    def get_own(self, kind: type[A], aggregate_id: UUID, owner_id: UUID) -> A:
        """Like `get`, but also raises if the aggregate belongs to another owner."""
        aggregate = self.get(kind, aggregate_id)
        if aggregate.owner_id != owner_id:
            raise _MISSING[kind]
        return aggregate

    def record(
        self,
        *aggregates: Any,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[UUID] = (),
    ) -> int:
        """Saves the new events of all aggregates in one transaction; returns a log position.

        A view that has reached the position shows these events; without any, it is the head
        of the log. `forgotten` works as in `EventRecorder.insert_events`. Raises
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
