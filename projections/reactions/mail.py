"""The mails that the life of a booking causes: to its invitee and to its owner."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import filterfalse
from typing import Any, cast
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.deliveries import outbox
from application.deliveries.delivery import Audience, NewDelivery
from application.deliveries.outbox import FORGOTTEN, MAIL
from application.eventstore.event_log import read_newest
from application.eventstore.mapper import MAPPER
from domain.booking import Booking
from domain.calendar import Calendar
from projections.engine.projection import Memory
from projections.engine.tables import Write
from projections.reactions.reaction import Reaction, first_events, noting

CONFIRMATION = "confirmation"
MOVED = "moved"
CHANGED = "changed"
REQUEST = "request"
CANCELLED = "cancelled"
REMINDER = "reminder"

MOST_REMEMBERED = 10_000
_WITH_TERMS = (Calendar.Created.TOPIC, Calendar.Changed.TOPIC)
_BOTH = (Audience.INVITEE, Audience.OWNER)
_MAILS: dict[type, tuple[str, Sequence[Audience]]] = {
    Booking.Made: (CONFIRMATION, _BOTH),
    Booking.Rescheduled: (MOVED, _BOTH),
    Booking.Changed: (CHANGED, _BOTH),
    Booking.RescheduleRequested: (REQUEST, [Audience.INVITEE]),
    Booking.Cancelled: (CANCELLED, _BOTH),
    Booking.InviteeForgotten: (FORGOTTEN, [Audience.INVITEE]),
}


class MailReaction(Reaction):
    """Adds a mail for everybody concerned by an event, and reminders before the appointment."""

    name = "mail_v1"
    handlers = noting(*_MAILS)

    def __init__(self) -> None:
        # By calendar and version: what was agreed never changes.
        self._reminder_minutes: dict[tuple[UUID, int], int] = {}

    def react(
        self, conn: Connection[DictRow], noted: Sequence[tuple[int, Any]], memory: Memory
    ) -> list[Write]:
        """Returns what adds and ends mails because of these events; `conn` is for reading."""
        made = first_events(conn, noted)
        self._read_reminder_minutes(conn, made.values())
        deliveries: list[NewDelivery] = []
        for position, event in noted:
            first = made[event.originator_id]
            minutes = self._reminder_minutes[first.calendar_id, first.calendar_version]
            deliveries += _caused_by(event, position, first, reminder_minutes=minutes)
        moved = _positions(noted, Booking.Rescheduled, Booking.Cancelled)
        forgotten = _positions(noted, Booking.InviteeForgotten)
        queries = (
            *outbox.adding(deliveries),
            *outbox.ending_earlier(REMINDER, moved),
            *outbox.forgetting([booking_id for booking_id, _ in forgotten]),
        )
        return [Write(query) for query in queries]

    def _read_reminder_minutes(
        self, conn: Connection[DictRow], made: Iterable[Booking.Made]
    ) -> None:
        """Completes `_reminder_minutes` by what was agreed for these bookings."""
        if len(self._reminder_minutes) > MOST_REMEMBERED:
            self._reminder_minutes.clear()
        agreed = {(each.calendar_id, each.calendar_version) for each in made}
        for calendar_id, version in filterfalse(self._reminder_minutes.__contains__, agreed):
            recorded = read_newest(conn, calendar_id, version, _WITH_TERMS)
            terms = cast("Calendar.Created | Calendar.Changed", MAPPER.event_of(recorded)).terms
            self._reminder_minutes[calendar_id, version] = terms.reminder_minutes


def _caused_by(
    event: Any, position: int, made: Booking.Made, *, reminder_minutes: int
) -> Iterator[NewDelivery]:
    """Yields the mails about one event, and the reminders of the time that it sets."""
    kind, audiences = _MAILS[type(event)]
    mails = [(kind, audience, event.timestamp) for audience in audiences]
    if reminder_minutes and isinstance(event, Booking.Made | Booking.Rescheduled):
        due_at = event.slot_start - timedelta(minutes=reminder_minutes)
        if due_at > event.timestamp:
            mails += [(REMINDER, audience, due_at) for audience in _BOTH]
    for name, audience, due_at in mails:
        yield NewDelivery(
            channel=MAIL,
            kind=name,
            audience=audience,
            owner_id=made.owner_id,
            due_at=due_at,
            booking_id=event.originator_id,
            link_id=made.link_id,
            fact=position,
            fact_version=event.originator_version,
        )


def _positions(noted: Iterable[tuple[int, Any]], *kinds: type) -> list[tuple[UUID, int]]:
    """Returns booking and position of each event of these kinds."""
    return [(event.originator_id, position) for position, event in noted if type(event) in kinds]
