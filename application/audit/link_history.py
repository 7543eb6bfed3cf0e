"""Collects the history of a link: its events, its booking's, and those of its reservations."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.event_log import RecordedEvent, read_streams
from application.eventstore.mapper import JSONMapper, UnknownTopic
from domain.agenda import AgendaDay, days_around
from domain.booking import Booking
from domain.link import SingleUseLink
from domain.slot import Slot


class _BookingIdOnly(msgspec.Struct):
    booking_id: UUID | None = None


_decode_booking_id = msgspec.json.Decoder(_BookingIdOnly).decode


def correlation_id_of(recorded: RecordedEvent) -> UUID:
    """Returns the id of the history that an event belongs to, even for a malformed event.

    For a link, its booking and their reservations that is the id of the booking; for any other
    event, the id of its aggregate. An agenda's event that names no booking belongs to its day.
    """
    if recorded.topic.startswith("link."):
        return Booking.id_for(recorded.originator_id)
    if recorded.topic.startswith("agenda."):
        try:
            return _decode_booking_id(recorded.state).booking_id or recorded.originator_id
        except msgspec.MsgspecError:
            return recorded.originator_id
    return recorded.originator_id


def link_of_booking(conn: Connection[DictRow], booking_id: UUID, mapper: JSONMapper) -> UUID | None:
    """Returns the id of the link that made this booking; None if the log does not say."""
    for event in _of_topics(read_streams(conn, [booking_id])[:1], mapper, Booking.Made.TOPIC):
        link_id: UUID = event.link_id
        return link_id
    return None


def changes_of_link(conn: Connection[DictRow], link_id: UUID, mapper: JSONMapper) -> list[datetime]:
    """Returns when a link was changed, or lost its text to an erasure, in order. Times are UTC."""
    own = read_streams(conn, [link_id])
    return [event.timestamp for event in _of_topics(own, mapper, SingleUseLink.Changed.TOPIC)]


def events_of_link(
    conn: Connection[DictRow], link_id: UUID, mapper: JSONMapper, *, until: int | None = None
) -> list[RecordedEvent]:
    """Returns the whole history of a link up to the position `until`, in log order."""
    booking_id = Booking.id_for(link_id)
    own = read_streams(conn, [link_id, booking_id], until=until)
    days: set[date] = set()
    owner_id: UUID | None = None
    for event in _of_topics(own, mapper, Booking.Made.TOPIC, Booking.Rescheduled.TOPIC):
        owner_id = getattr(event, "owner_id", owner_id)
        days |= set(days_around(Slot(event.slot_start, event.slot_end)))
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
    """Yields the events of these topics that can be decoded. Others are left to the caller."""
    for recorded in events:
        if recorded.topic in topics:
            with suppress(UnknownTopic, msgspec.MsgspecError):
                yield mapper.event_of(recorded)
