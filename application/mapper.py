"""The form of events in the log: one plain JSON object of the event's own fields.

Id and version are columns of the row. The event class's annotations say how each field
is written and read, so no Python name ever reaches the database, and an auditor can read
a row with psql.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple, get_type_hints
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.link import SingleUseLink

EVENT_CLASSES: tuple[type[Any], ...] = (
    Calendar.Created,
    Calendar.Changed,
    Calendar.Archived,
    SingleUseLink.Issued,
    SingleUseLink.Redeemed,
    SingleUseLink.Revoked,
    AgendaDay.Opened,
    AgendaDay.SlotReserved,
    AgendaDay.SlotReleased,
    Booking.Made,
    Booking.Rescheduled,
    Booking.Cancelled,
    Booking.InviteeForgotten,
)

_IN_COLUMNS = {"originator_id", "originator_version", "originator_topic"}


class UnknownTopic(LookupError):
    """The log holds an event that this version of Admit One does not know."""


class _Form(NamedTuple):
    event_class: type[Any]
    fields: tuple[str, ...]
    decoder: msgspec.json.Decoder[Any]
    originator_topic: str | None


def _form(event_class: type[Any]) -> _Form:
    hints = get_type_hints(event_class)
    # Sorted, so that the bytes do not depend on the order in which a class was written.
    fields = tuple(sorted(set(event_class.__dataclass_fields__) - _IN_COLUMNS))
    struct = msgspec.defstruct(event_class.__name__, [(name, hints[name]) for name in fields])
    aggregate_topic = event_class.TOPIC.partition(".")[0]
    creates = "originator_topic" in event_class.__dataclass_fields__
    return _Form(
        event_class, fields, msgspec.json.Decoder(struct), aggregate_topic if creates else None
    )


def _forms(event_classes: Iterable[type[Any]]) -> dict[str, _Form]:
    return {event_class.TOPIC: _form(event_class) for event_class in event_classes}


class JSONMapper(Mapper[UUID]):
    """Writes and reads the events of a fixed table of topics, and no other."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())  # the library wants one; it is not used
        self._forms = _forms(EVENT_CLASSES)
        self._encode = msgspec.json.Encoder().encode

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """The row for `domain_event`. Raises `UnknownTopic` for a class not in the table."""
        form = self._form_of(getattr(domain_event, "TOPIC", ""))
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=form.event_class.TOPIC,
            state=self._encode({name: getattr(domain_event, name) for name in form.fields}),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The event in a row. Nothing is imported on a row's word.

        Raises `UnknownTopic`, or msgspec's `DecodeError` for a row that is not of its form.
        """
        form = self._form_of(stored_event.topic)
        struct = form.decoder.decode(stored_event.state)
        values = {name: getattr(struct, name) for name in form.fields}
        if form.originator_topic is not None:
            values["originator_topic"] = form.originator_topic
        event: DomainEventProtocol[UUID] = form.event_class(
            originator_id=stored_event.originator_id,
            originator_version=stored_event.originator_version,
            **values,
        )
        return event

    def _form_of(self, topic: str) -> _Form:
        try:
            return self._forms[topic]
        except KeyError:
            raise UnknownTopic(topic) from None
