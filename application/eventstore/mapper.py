"""Writes events to the log and reads them back: one plain JSON object of their own fields.

Id and version are columns of the row. The annotations of the event class say how each field
is written and read, so no Python name ever reaches the database, and an auditor can read a
row with psql.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict, TypeVar, get_type_hints
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from application.eventstore.event_log import RecordedEvent
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.link import SingleUseLink
from domain.schedule import Schedule

EVENT_CLASSES: tuple[type[Any], ...] = (
    Calendar.Created,
    Calendar.Changed,
    Calendar.Archived,
    Schedule.Created,
    Schedule.Changed,
    Schedule.CalendarJoined,
    Schedule.CalendarLeft,
    Schedule.Archived,
    SingleUseLink.Issued,
    SingleUseLink.Changed,
    SingleUseLink.Redeemed,
    SingleUseLink.Revoked,
    AgendaDay.Opened,
    AgendaDay.SlotReserved,
    AgendaDay.SlotReleased,
    Booking.Made,
    Booking.Rescheduled,
    Booking.Changed,
    Booking.RescheduleRequested,
    Booking.Cancelled,
    Booking.InviteeForgotten,
)

Made = TypeVar("Made")

_IN_COLUMNS = {"originator_id", "originator_version", "originator_topic"}


class UnknownTopic(LookupError):
    """The log holds an event that this version of Admit One does not know."""


class _Form(NamedTuple):
    """Converts the events of one class to stored fields and back."""

    event_class: type[Any]
    fields: tuple[str, ...]
    values: Callable[[dict[str, Any]], tuple[Any, ...]]
    constants: dict[str, int]
    decode: Callable[[bytes], dict[str, Any]]
    originator_topic: str | None


class _VersionOnly(msgspec.Struct):
    class_version: int = 1


def _form(event_class: type[Any]) -> _Form:
    hints = get_type_hints(event_class)
    # Sorted, so that the bytes do not depend on the order in which a class was written.
    fields = tuple(sorted(set(event_class.__dataclass_fields__) - _IN_COLUMNS))
    version: int = getattr(event_class, "class_version", 1)
    annotations = {name: hints[name] for name in fields}
    if version == 1:
        # Never written by this version; refuses the event of a later version of Admit One.
        annotations["class_version"] = NotRequired[Literal[1]]
    shape: Any = TypedDict(event_class.__name__, annotations)  # type: ignore[misc]
    decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(shape)
    aggregate_topic = event_class.TOPIC.partition(".")[0]
    creates = "originator_topic" in event_class.__dataclass_fields__
    return _Form(
        event_class,
        fields,
        itemgetter(*fields),  # a tuple, as each event has at least a time and an actor
        {"class_version": version} if version > 1 else {},
        decoder.decode if version == 1 else _upcasting(event_class, version, shape, decoder),
        aggregate_topic if creates else None,
    )


def _upcasting(
    event_class: type[Any],
    version: int,
    shape: Any,
    decoder: msgspec.json.Decoder[dict[str, Any]],
) -> Callable[[bytes], dict[str, Any]]:
    """Returns a decoder for every shape that the event ever had.

    It applies the upcasting steps of the event class, one for each version.
    """
    decode_version = msgspec.json.Decoder(_VersionOnly).decode
    steps: list[Callable[[dict[str, Any]], None]] = [
        getattr(event_class, f"upcast_v{old}_v{old + 1}") for old in range(1, version)
    ]

    def read(state: bytes) -> dict[str, Any]:
        stored_version = decode_version(state).class_version
        if stored_version == version:
            return decoder.decode(state)
        if not 1 <= stored_version < version:
            raise msgspec.ValidationError(f"{event_class.TOPIC} has no version {stored_version}")
        values = msgspec.json.decode(state)
        for step in steps[stored_version - 1 :]:
            step(values)
        upcast: dict[str, Any] = msgspec.convert(values, shape)
        return upcast

    return read


class JSONMapper(Mapper[UUID]):
    """Writes and reads the events of a fixed table of topics, and no others.

    An event class whose shape has changed has a `class_version`, which is stored with the
    event. For each older version N it also has a static method `upcast_vN_vM(state)`, where
    M = N + 1, which turns the JSON object of version N into that of version M, in place.
    Stored events are never rewritten.
    """

    def __init__(self, event_classes: Iterable[type[Any]] = EVENT_CLASSES) -> None:
        super().__init__(JSONTranscoder())  # required by the library, never used
        self._forms = {event_class.TOPIC: _form(event_class) for event_class in event_classes}
        self._encode = msgspec.json.Encoder().encode

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Returns the row of an event. Raises `UnknownTopic` for a class not in the table."""
        topic = getattr(domain_event, "TOPIC", "")
        form = self._form_of(topic)
        state = form.constants | dict(
            zip(form.fields, form.values(vars(domain_event)), strict=True)
        )
        row = {
            "originator_id": domain_event.originator_id,
            "originator_version": domain_event.originator_version,
            "topic": topic,
            "state": self._encode(state),
        }
        return _made(StoredEvent, row)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """Returns the event of a row. A stored topic never causes an import.

        Raises `UnknownTopic`, or msgspec's `DecodeError` for a row of another shape.
        """
        return self.event(
            stored_event.originator_id,
            stored_event.originator_version,
            stored_event.topic,
            stored_event.state,
        )

    def event_of(self, recorded: RecordedEvent) -> DomainEventProtocol[UUID]:
        """Like `to_domain_event`, for an event read by `event_log`."""
        return self.event(
            recorded.originator_id, recorded.originator_version, recorded.topic, recorded.state
        )

    def event(
        self, originator_id: UUID | str, originator_version: int, topic: str, state: bytes
    ) -> DomainEventProtocol[UUID]:
        """Like `to_domain_event`, from the columns of a row."""
        form = self._form_of(topic)
        values = form.decode(state)
        values["originator_id"] = originator_id
        values["originator_version"] = originator_version
        if form.originator_topic is not None:
            values["originator_topic"] = form.originator_topic
        event: DomainEventProtocol[UUID] = _made(form.event_class, values)
        return event

    def _form_of(self, topic: str) -> _Form:
        try:
            return self._forms[topic]
        except KeyError:
            raise UnknownTopic(topic) from None


def _made(kind: type[Made], values: dict[str, Any]) -> Made:
    """Returns an object of a frozen class with these values, which are known to be right.

    The constructor would take four times as long, and a rebuild reads millions of events.
    """
    made = object.__new__(kind)
    vars(made).update(values)
    return made


MAPPER = JSONMapper()
"""The mapper of all events of this version. It has no state, so that threads may share it."""
