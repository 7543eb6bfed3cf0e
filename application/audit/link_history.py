"""All that the log says of one link: its own events, its booking's, and the agenda's about it."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.event_log import RecordedEvent, read_streams
from application.eventstore.mapper import JSONMapper, UnknownTopic
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.booking_rules import LIMITS
from domain.slot import Slot

# A reservation is noted on every day that its slot touches with its buffers.
_LONGEST_BUFFER = timedelta(minutes=LIMITS["buffer_before_minutes"][1])


class _About(msgspec.Struct):
    booking_id: UUID | None = None


_about = msgspec.json.Decoder(_About).decode


def correlation_id_of(recorded: RecordedEvent) -> UUID:
    """Whose story an event belongs to, whatever else is wrong with it.

    A link's story is told by its booking's id. An agenda's event that does not even say which
    booking it is about belongs to its day.
    """
    if recorded.topic.startswith("link."):
        return Booking.id_for(recorded.originator_id)
    if recorded.topic.startswith("agenda."):
        try:
            return _about(recorded.state).booking_id or recorded.originator_id
        except msgspec.MsgspecError:
            return recorded.originator_id
    return recorded.originator_id


def link_of_booking(conn: Connection[DictRow], booking_id: UUID, mapper: JSONMapper) -> UUID | None:
    """The link that made this booking."""
    for event in _of_topics(read_streams(conn, [booking_id])[:1], mapper, Booking.Made.TOPIC):
        link_id: UUID = event.link_id
        return link_id
    return None


def events_of_link(
    conn: Connection[DictRow], link_id: UUID, mapper: JSONMapper, *, until: int | None = None
) -> list[RecordedEvent]:
    """The whole story of a link up to the position `until`, in the order of the log."""
    booking_id = Booking.id_for(link_id)
    own = read_streams(conn, [link_id, booking_id], until=until)
    days: set[date] = set()
    owner_id: UUID | None = None
    for event in _of_topics(own, mapper, Booking.Made.TOPIC, Booking.Rescheduled.TOPIC):
        owner_id = getattr(event, "owner_id", owner_id)
        slot = Slot(event.slot_start - _LONGEST_BUFFER, event.slot_end + _LONGEST_BUFFER)
        days |= set(slot.days())
    if owner_id is None:
        return own
    agenda = [
        recorded
        for recorded in read_streams(
            conn, [AgendaDay.id_for(owner_id, day) for day in days], until=until
        )
        if correlation_id_of(recorded) == booking_id
    ]
    return sorted([*own, *agenda])


def _of_topics(events: Iterable[RecordedEvent], mapper: JSONMapper, *topics: str) -> Iterator[Any]:
    """Those that can be read: whoever is given the story finds the others in it."""
    for recorded in events:
        if recorded.topic in topics:
            with suppress(UnknownTopic, msgspec.MsgspecError):
                yield mapper.event_of(recorded)
