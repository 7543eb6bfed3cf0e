"""The bookings that a calendar feed shows, read from the calendar of bookings."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import sql

from application.eventstore.database import Database
from projections.views import booking_calendar
from projections.views.booking_calendar import BOOKINGS, REACH, TERMS, BookingRow

PAST = timedelta(days=90)
"""For how long a booking that is over stays in feeds, cancelled or not."""

MOST_BOOKINGS = 1000
"""The most bookings in a feed. Of more, those that begin last are shown."""


@dataclass(frozen=True)
class FeedState:
    """The values that differ when the bookings in a feed have changed.

    `versions` is a digest of which bookings there are and in which versions, and `rebuilt_at`
    says when the view was last built anew. `changed_at` is when one of them changed last. All
    times are UTC. `calendar_name` is that of the feed's calendar now; None for all calendars.
    """

    versions: str | None
    changed_at: datetime | None
    rebuilt_at: datetime | None
    calendar_name: str | None


_STATE = sql.SQL("""
    SELECT md5(string_agg(booking_id || ' ' || version, ',' ORDER BY slot_start, booking_id))
            AS versions,
        max(changed_at) AS changed_at,
        (SELECT max(finished_at) FROM rebuilds WHERE name = {view}) AS rebuilt_at,
        (SELECT name FROM {terms} WHERE calendar_id = %(calendar_id)s
            ORDER BY version DESC LIMIT 1) AS calendar_name
    FROM {bookings}
    WHERE owner_id = %(owner_id)s AND slot_start > %(reach)s AND slot_end > %(since)s
        AND (%(calendar_id)s::uuid IS NULL OR calendar_id = %(calendar_id)s)
    """).format(
    view=sql.Literal(booking_calendar.NAME), terms=TERMS.identifier, bookings=BOOKINGS.identifier
)


def state_of(
    database: Database, owner_id: UUID, calendar_id: UUID | None, *, now: datetime
) -> FeedState:
    """Returns the state of a feed, by one query over an index of the view."""
    since = now - PAST
    window = {
        "owner_id": owner_id,
        "calendar_id": calendar_id,
        "since": since,
        "reach": since - REACH,
    }
    (state,) = database.fetch_objects(FeedState, _STATE, window)
    return state


def bookings_in(
    database: Database, owner_id: UUID, calendar_id: UUID | None, *, now: datetime
) -> list[BookingRow]:
    """Returns the bookings in a feed, the last one to begin first."""
    return booking_calendar.bookings_of(
        database,
        owner_id,
        calendar_id=calendar_id,
        since=now - PAST,
        limit=MOST_BOOKINGS,
        newest_first=True,
    )
