"""A log in which everything happened that can happen, and the views of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import sql

from application.eventstore.event_log import RecordedEvent, read
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.slot import Reservation, Slot
from interface.bootstrap import Services
from tests.support.desk import ALL_DAY, Desk, minutes
from tests.support.examples import GRACE, NOW, OTHER_OWNER, OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN

ONE_HOUR = timedelta(hours=1)


def reschedule(desk: Desk, booking_id: UUID, slot: Slot) -> None:
    """Move a booking to another time of the same day."""
    booking = desk.services.event_store.get(Booking, booking_id)
    day = desk.services.event_store.get(AgendaDay, AgendaDay.id_for(OWNER, slot.start.date()))
    booking.reschedule(slot, actor="invitee", now=NOW + ONE_HOUR)
    day.reserve(booking_id, Reservation(slot, minutes(20), minutes(25)), actor="invitee", now=NOW)
    desk.services.event_store.save(booking, day)


def cancel(desk: Desk, booking_id: UUID) -> None:
    """Call a booking off and give its time back."""
    booking = desk.services.event_store.get(Booking, booking_id)
    days = [
        desk.services.event_store.get(AgendaDay, AgendaDay.id_for(OWNER, day))
        for day in booking.slot.days()
    ]
    booking.cancel(personal_data=None, actor="invitee", now=NOW + ONE_HOUR)
    for day in days:
        day.release(booking_id, actor="invitee", now=NOW + ONE_HOUR)
    desk.services.event_store.save(booking, *days)


def everything_happens(desk: Desk) -> None:
    """Every kind of event at least once, on calendars of two owners."""
    calendar_id = desk.new_calendar(buffer_before_minutes=5, buffer_after_minutes=10)
    moved, cancelled, kept = (desk.new_link(calendar_id, recipient=f"Guest {n}") for n in range(3))
    desk.redeem(moved, TOMORROW_AT_NINE)
    desk.redeem(cancelled, TOMORROW_AT_TEN, GRACE)
    desk.redeem(kept, TOMORROW_AT_TEN + 2 * ONE_HOUR, notes="By phone")
    twelve = TOMORROW_AT_NINE + 6 * ONE_HOUR
    reschedule(desk, Booking.id_for(moved), Slot(twelve, twelve + minutes(30)))
    cancel(desk, Booking.id_for(cancelled))
    desk.forget(Booking.id_for(cancelled))
    desk.revoke(desk.new_link(calendar_id), reason="Wrong person")
    desk.replace(desk.new_link(calendar_id, note="VIP"))
    desk.change(calendar_id, duration_minutes=60)
    desk.archive(desk.new_calendar())
    other = desk.new_calendar(owner_id=OTHER_OWNER, availability=ALL_DAY)
    desk.redeem(desk.new_link(other, owner_id=OTHER_OWNER))


def recorded(services: Services, after: int = 0) -> list[RecordedEvent]:
    """The log after a position, as a projection is given it."""
    with services.database.connection() as conn:
        return read(conn, after, 1000)


def view(services: Services, name: str) -> Sequence[dict[str, Any]]:
    """A view row for row."""
    table = sql.Identifier(name)
    return services.database.fetch_all(sql.SQL("SELECT * FROM {} ORDER BY 1").format(table))
