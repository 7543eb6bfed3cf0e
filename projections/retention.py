"""Forgets invitees some time after their bookings, where the operator has asked for that."""

from datetime import datetime
from threading import Event

from application.commands.erasure import ErasureCommands
from application.eventstore.database import Database
from projections.views import booking_calendar

PAGE = 500  # bookings


def forget_due_invitees(
    database: Database, erasure: ErasureCommands, *, ended_by: datetime, now: datetime, stop: Event
) -> int:
    """Forgets the invitees whose bookings ended `ended_by` then, and returns how many.

    Once `stop` is set it ends early, after at most a page of them.
    """
    count = 0
    after = None
    while not stop.is_set() and (
        page := booking_calendar.ended_with_invitee(database, by=ended_by, after=after, limit=PAGE)
    ):
        count += sum(
            erasure.forget_if_ended(booking_id=booking_id, by=ended_by, now=now)
            for _, booking_id in page
        )
        after = page[-1]
    return count
