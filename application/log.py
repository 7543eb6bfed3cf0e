"""The library's application on our database: load, decide, save, and decide again."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.persistence import InfrastructureFactory
from eventsourcing.utils import Environment, EnvType

from application.database import Database, pauses, take_pause
from application.deadline import deadline
from application.mapper import JSONMapper
from application.recorder import LogFactory, PersonalDataRow, VersionConflict
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
_REFUSED = LogFactory.POSTGRES_ENABLE_DB_FUNCTIONS


@dataclass(frozen=True)
class Written(Generic[T]):
    """What a command answers: the outcome, and a position at which views show it."""

    value: T
    position: int


class Log(Application[UUID]):
    """Aggregates in the log. Build it after the server has forked: it owns threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        super().__init__()

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Nothing of the library's is set from outside: a cache would decide from old news.

        Only what must not be set is handed on, for the factory to refuse.
        """
        given = os.environ if env is None else env
        return Environment(name, {key: given[key] for key in given if key.endswith(_REFUSED)})

    def construct_factory(self, env: Environment) -> InfrastructureFactory[Any]:
        """Our database and our recorder."""
        return LogFactory(env, self.database)

    def construct_mapper(self) -> JSONMapper:
        """Plain JSON, topics from a fixed table."""
        return JSONMapper()

    def head(self) -> int:
        """The position of the newest event; 0 while there is none."""
        return self.recorder.max_notification_id() or 0

    def find(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A | None:
        """The aggregate as the log has it now, or as it was at `version`."""
        try:
            found: object = self.repository.get(aggregate_id, version=version)
        except AggregateNotFoundError:
            return None
        return found if isinstance(found, kind) else None

    def get(self, kind: type[A], aggregate_id: UUID, *, version: int | None = None) -> A:
        """As `find`. Raises `CalendarNotFound`, `LinkNotFound` or `BookingNotFound`."""
        found = self.find(kind, aggregate_id, version=version)
        if found is None:
            raise _MISSING[kind]
        return found

    def get_own(self, kind: type[A], aggregate_id: UUID, owner_id: UUID) -> A:
        """As `get`; what belongs to another owner does not exist either."""
        found = self.get(kind, aggregate_id)
        if found.owner_id != owner_id:
            raise _MISSING[kind]
        return found

    def write(
        self,
        value: T,
        *aggregates: Any,
        personal_data: Sequence[PersonalDataRow] = (),
        forgotten: Sequence[UUID] = (),
    ) -> Written[T]:
        """Save what the aggregates decided, all or nothing. Raises `VersionConflict`.

        `forgotten` as in `EventRecorder.insert_events`.
        """
        recordings = self.save(*aggregates, personal_data=personal_data, forgotten=forgotten)
        if not recordings:
            return Written(value, self.head())
        return Written(value, recordings[-1].notification.id)

    def decided(self, decide: Callable[[], T]) -> T:
        """`decide`, again while others are first, until the deadline; then `Busy`.

        `decide` has to load all that it decides from: what it loaded before a conflict
        is out of date.
        """
        with deadline():
            for pause in pauses():
                try:
                    return decide()
                except VersionConflict as conflict:
                    if not take_pause(pause):
                        raise Busy from conflict
            raise AssertionError("pauses() never ends")
