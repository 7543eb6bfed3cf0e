"""A log with every kind of event, and the views of it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import sql

from application.eventstore.event_log import RecordedEvent, read
from interface.bootstrap import Services
from tests.support.desk import ALL_DAY, Desk
from tests.support.examples import GRACE, OTHER_OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN

ONE_HOUR = timedelta(hours=1)


def everything_happens(desk: Desk) -> None:
    """Causes every kind of event at least once, on calendars of two owners."""
    calendar_id = desk.new_calendar(buffer_before_minutes=5, buffer_after_minutes=10)
    links = [desk.new_link(calendar_id, recipient=f"Guest {n}") for n in range(3)]
    moved = desk.book(links[0])
    cancelled = desk.book(links[1], TOMORROW_AT_TEN, invitee=GRACE)
    desk.book(links[2], TOMORROW_AT_TEN + 2 * ONE_HOUR, notes="By phone")
    desk.reschedule(moved, TOMORROW_AT_NINE + 6 * ONE_HOUR)
    desk.change_place(moved, "Room 2")
    desk.ask_to_reschedule(moved, "Noon would suit me better.")
    desk.cancel(cancelled)
    desk.forget(cancelled)
    desk.revoke(desk.new_link(calendar_id), reason="Wrong person")
    replaced = desk.new_link(calendar_id, note="VIP")
    desk.change_link(replaced, reference="guest-4", expires_at=TOMORROW_AT_TEN)
    desk.replace(replaced)
    desk.change(calendar_id, duration_minutes=60)
    desk.archive(desk.new_calendar())
    schedule = desk.new_schedule()
    desk.new_calendar(schedule_id=schedule)
    desk.change_schedule(schedule, name="Early")
    desk.archive_schedule(schedule)
    other = desk.new_calendar(owner_id=OTHER_OWNER, availability=ALL_DAY)
    desk.redeem(desk.new_link(other, owner_id=OTHER_OWNER))


def recorded_events(services: Services) -> list[RecordedEvent]:
    """Returns the log as a projection reads it."""
    with services.database.connection() as conn:
        return read(conn, 0, 1000)


def view(services: Services, name: str) -> Sequence[dict[str, Any]]:
    """Returns a view row for row."""
    table = sql.Identifier(name)
    return services.database.fetch_all(sql.SQL("SELECT * FROM {} ORDER BY 1").format(table))
