"""All that the log says of one link: its own events, its booking's, and the agenda's about it."""

from datetime import date, timedelta
from uuid import UUID

from msgspec import MsgspecError
from psycopg import Connection
from psycopg.rows import DictRow

from application.mapper import JSONMapper, UnknownTopic
from application.reading import Recorded, read_streams
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.booking_rules import LIMITS
from domain.slot import Slot

# A reservation is noted on every day that its slot touches with its buffers.
_LONGEST_BUFFER = timedelta(minutes=LIMITS["buffer_before_minutes"][1])


def link_behind(conn: Connection[DictRow], booking_id: UUID, mapper: JSONMapper) -> UUID | None:
    """The link that made this booking."""
    for recorded in read_streams(conn, [booking_id])[:1]:
        event = _event(recorded, mapper)
        if isinstance(event, Booking.Made):
            return event.link_id
    return None


def of_link(
    conn: Connection[DictRow], link_id: UUID, mapper: JSONMapper, *, until: int | None = None
) -> list[Recorded]:
    """The whole story of a link up to the position `until`, in the order of the log."""
    booking_id = Booking.id_for(link_id)
    own = read_streams(conn, [link_id, booking_id], until=until)
    days: set[date] = set()
    owner_id: UUID | None = None
    for recorded in own:
        event = _event(recorded, mapper)
        if isinstance(event, Booking.Made):
            owner_id = event.owner_id
        if isinstance(event, Booking.Made | Booking.Rescheduled):
            slot = Slot(event.slot_start - _LONGEST_BUFFER, event.slot_end + _LONGEST_BUFFER)
            days |= set(slot.days())
    if owner_id is None:
        return own
    agenda = [
        recorded
        for recorded in read_streams(
            conn, [AgendaDay.id_for(owner_id, day) for day in days], until=until
        )
        if getattr(_event(recorded, mapper), "booking_id", None) == booking_id
    ]
    return sorted([*own, *agenda])


def _event(recorded: Recorded, mapper: JSONMapper) -> object:
    """The event; None for one that can't be read, which an auditor has to see all the same."""
    try:
        return mapper.event(*recorded[1:5])
    except (UnknownTopic, MsgspecError):
        return None
