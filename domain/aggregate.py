"""The base of the aggregates: the library's, with a shorter way to make and to apply an event.

For every event, the library finds out anew which of its values go where. Here that is known for
each class of events. What the library checks is checked here as well: an event has exactly its
fields, and it applies to its own aggregate alone, as the next event.
"""

from functools import cache
from operator import attrgetter
from types import FunctionType
from typing import Any, Self
from uuid import UUID

from eventsourcing.domain import Aggregate as LibraryAggregate
from eventsourcing.domain import OriginatorVersionError, decorated_funcs

_kinds: dict[str, type["Aggregate"]] = {}


class Aggregate(LibraryAggregate):
    """An aggregate whose `TOPIC`, and that of its events, is what the log stores."""

    TOPIC = ""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        _kinds[cls.TOPIC] = cls

    class Event(LibraryAggregate.Event):
        """A fact about the aggregate."""

        def mutate(self, aggregate: Any) -> Any:
            """Applies this event to its aggregate, as the next one. Raises the library's errors."""
            method = decorated_funcs[type(self)]
            originator_id, version, *arguments = _values_for(method)(self)
            if (originator_id, version) != (aggregate.id, aggregate.version + 1):
                return super().mutate(aggregate)  # which raises the reason
            method(aggregate, *arguments)
            aggregate.version = version
            aggregate.modified_on = self.timestamp
            return aggregate

    class Created(Event, LibraryAggregate.Created):
        """The first fact about the aggregate, which exists with it."""

        def mutate(self, aggregate: Any) -> Any:
            """Returns the aggregate that this event begins. Raises the library's errors."""
            if aggregate is not None:
                raise OriginatorVersionError(self.originator_version, aggregate.version + 1)
            kind = _kinds[self.originator_topic]
            method = vars(kind)["__init__"].decorated_func
            originator_id, version, *arguments = _values_for(method)(self)
            begun = object.__new__(kind)
            begun.__base_init__(originator_id, version, self.timestamp)
            method(begun, *arguments)
            return begun

    @classmethod
    def _create(cls, event_class: type[Created], *, id: UUID, **fields: Any) -> Self:  # type: ignore[override]  # noqa: A002
        fields |= {"originator_topic": cls.TOPIC, "originator_id": id, "originator_version": 1}
        event = _made(event_class, fields)
        aggregate: Self = event.mutate(None)
        aggregate.pending_events.append(event)
        return aggregate

    def trigger_event(self, event_class: type[Event], **fields: Any) -> None:  # type: ignore[override]
        """Makes an event with these fields, applies it and keeps it to be saved."""
        fields |= {"originator_id": self.id, "originator_version": self.version + 1}
        event = _made(event_class, fields)
        event.mutate(self)
        self.pending_events.append(event)

    def collect_events(self) -> list[Any]:
        """Returns the events that are to be saved, and keeps them no longer."""
        collected, self._pending_events = self._pending_events, []
        return collected

    def copy(self) -> Self:
        """Returns a copy that can change and leaves this one as it is.

        A subclass copies its own collections, which change in place; values are only replaced.
        """
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), _pending_events=self._pending_events.copy())
        return copy


def _made(event_class: type[Aggregate.Event], fields: dict[str, Any]) -> Aggregate.Event:
    """Returns an event. Its constructor would set the frozen fields one by one."""
    if fields.keys() != event_class.__dataclass_fields__.keys():
        odd = fields.keys() ^ event_class.__dataclass_fields__.keys()
        raise TypeError(f"{event_class.__qualname__}: missing or unknown: {sorted(odd)}")
    event = object.__new__(event_class)
    vars(event).update(fields)
    return event


@cache
def _values_for(method: FunctionType) -> "attrgetter[Any]":
    """Returns a function that gets the arguments of an `@event` method from its event.

    The first two are the id and the version that the event gives its aggregate.
    """
    code = method.__code__
    arguments = code.co_varnames[1 : code.co_argcount]  # all but self
    return attrgetter("originator_id", "originator_version", *arguments)
