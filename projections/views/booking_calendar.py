"""The owner's bookings by time, and the time that they reserve."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import sql

from application.eventstore.database import Database
from application.people.personal_data import Invitee
from domain.agenda import AgendaDay
from domain.booking import Booking, BookingStatus
from domain.errors import BookingNotFound
from domain.slot import Reservation, Slot
from projections.engine.projection import Projection, applies
from projections.engine.tables import Integer, Rows, Table, like_pattern

NAME = "booking_calendar_v1"

# The longest buffer of one booking, plus the longest slot and buffer of another.
REACH = timedelta(days=3)


@dataclass
class StoredBooking:
    """The columns of a booking."""

    booking_id: UUID
    link_id: UUID
    owner_id: UUID
    calendar_id: UUID
    slot_start: datetime
    slot_end: datetime
    buffer_before_minutes: Integer
    buffer_after_minutes: Integer
    status: BookingStatus


@dataclass(frozen=True)
class BookingRow:
    """A booking with what its invitee typed. Times are UTC. `invitee` is None once forgotten."""

    id: UUID
    link_id: UUID
    owner_id: UUID
    calendar_id: UUID
    start: datetime
    end: datetime
    status: BookingStatus
    invitee: Invitee | None
    notes: str | None


BOOKINGS = Table(NAME, StoredBooking, indexes={"owner": "(owner_id, slot_start, booking_id)"})


class BookingCalendar(Projection):
    """One row for each booking. What people typed is joined from `personal_data` by queries."""

    name = NAME
    tables = (BOOKINGS,)

    @applies(Booking.Made)
    def _made(self, event: Booking.Made, rows: Rows) -> None:
        rows.insert(
            BOOKINGS,
            StoredBooking(
                booking_id=event.originator_id,
                link_id=event.link_id,
                owner_id=event.owner_id,
                calendar_id=event.calendar_id,
                slot_start=event.slot_start,
                slot_end=event.slot_end,
                buffer_before_minutes=0,
                buffer_after_minutes=0,
                status=BookingStatus.CONFIRMED,
            ),
        )

    @applies(AgendaDay.SlotReserved)
    def _reserved(self, event: AgendaDay.SlotReserved, rows: Rows) -> None:
        booking = rows.change(BOOKINGS, event.booking_id)
        booking.buffer_before_minutes = event.buffer_before_minutes
        booking.buffer_after_minutes = event.buffer_after_minutes

    @applies(Booking.Rescheduled)
    def _rescheduled(self, event: Booking.Rescheduled, rows: Rows) -> None:
        booking = rows.change(BOOKINGS, event.originator_id)
        booking.slot_start = event.slot_start
        booking.slot_end = event.slot_end

    @applies(Booking.Cancelled)
    def _cancelled(self, event: Booking.Cancelled, rows: Rows) -> None:
        rows.change(BOOKINGS, event.originator_id).status = BookingStatus.CANCELLED


_SELECT = sql.SQL("""
    SELECT booking_id AS id, link_id, owner_id, calendar_id, slot_start AS start,
        slot_end AS end, status, data AS typed
    FROM {bookings} LEFT JOIN personal_data
        ON originator_id = booking_id AND originator_version = 1""").format(
    bookings=BOOKINGS.identifier
)

_LIST = sql.SQL("""{select}
    WHERE owner_id = %(owner_id)s
        AND (%(since)s::timestamptz IS NULL OR slot_end > %(since)s)
        AND (%(until)s::timestamptz IS NULL OR slot_start < %(until)s)
        AND (%(calendar_id)s::uuid IS NULL OR calendar_id = %(calendar_id)s)
        AND (%(status)s::text IS NULL OR status = %(status)s)
        AND (%(q)s::text IS NULL
            OR concat_ws(E'\\n', data->>'name', data->>'email', data->>'notes') ILIKE %(q)s)
        AND (%(over_by)s::timestamptz IS NULL OR slot_end <= %(over_by)s)
        AND (%(start)s::timestamptz IS NULL
            OR (slot_start, booking_id) {beyond} (%(start)s, %(id)s::uuid))
    ORDER BY slot_start {order}, booking_id {order} LIMIT %(limit)s""")


def bookings_of(
    database: Database,
    owner_id: UUID,
    *,
    limit: int,
    since: datetime | None = None,
    until: datetime | None = None,
    calendar_id: UUID | None = None,
    status: BookingStatus | None = None,
    q: str | None = None,
    after: tuple[datetime, UUID] | None = None,
    over_by: datetime | None = None,
    newest_first: bool = False,
) -> list[BookingRow]:
    """Returns at most `limit` bookings of an owner that overlap [since, until), by start.

    `after` is start and id of the booking before the first one to return. `q` is looked for
    in the invitee's name, e-mail address and notes. With `over_by`, only bookings that have
    ended by then are returned.
    """
    beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
    rows = database.fetch_all(
        _LIST.format(select=_SELECT, beyond=sql.SQL(beyond), order=sql.SQL(order)),
        {
            "owner_id": owner_id,
            "since": since,
            "until": until,
            "calendar_id": calendar_id,
            "status": status,
            "q": like_pattern(q),
            "over_by": over_by,
            "start": after and after[0],
            "id": after and after[1],
            "limit": limit,
        },
    )
    return [_row(**row) for row in rows]


def booking_of(database: Database, owner_id: UUID, booking_id: UUID) -> BookingRow:
    """Returns one booking of this owner. Raises `BookingNotFound`, also for another owner's."""
    row = booking(database, booking_id)
    if row.owner_id != owner_id:
        raise BookingNotFound
    return row


def booking(database: Database, booking_id: UUID) -> BookingRow:
    """Returns one booking of any owner. Raises `BookingNotFound`."""
    row = database.fetch_one(_SELECT + sql.SQL(" WHERE booking_id = %s"), (booking_id,))
    if row is None:
        raise BookingNotFound
    return _row(**row)


_RESERVATIONS = sql.SQL("""
    SELECT slot_start, slot_end, buffer_before_minutes, buffer_after_minutes FROM {bookings}
    WHERE owner_id = %s AND status = 'confirmed' AND slot_start < %s AND slot_start > %s
    """).format(bookings=BOOKINGS.identifier)


def reservations(
    database: Database, owner_id: UUID, *, since: datetime, until: datetime
) -> list[Reservation]:
    """Returns all that may clash with a slot of this owner that starts in [since, until)."""
    return [
        Reservation(
            Slot(row["slot_start"], row["slot_end"]),
            timedelta(minutes=row["buffer_before_minutes"]),
            timedelta(minutes=row["buffer_after_minutes"]),
        )
        for row in database.fetch_all(_RESERVATIONS, (owner_id, until + REACH, since - REACH))
    ]


_ENDED = sql.SQL("""
    SELECT slot_end, booking_id FROM {bookings}
    JOIN personal_data ON originator_id = booking_id AND originator_version = 1
    WHERE slot_end <= %(by)s AND (%(end)s::timestamptz IS NULL
        OR (slot_end, booking_id) > (%(end)s, %(id)s::uuid))
    ORDER BY slot_end, booking_id LIMIT %(limit)s""").format(bookings=BOOKINGS.identifier)


def ended_with_invitee(
    database: Database, *, by: datetime, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[tuple[datetime, UUID]]:
    """Returns end and id of bookings that ended `by` then and whose invitee is stored, by end.

    `after` is end and id of the booking before the first one to return.
    """
    rows = database.fetch_all(
        _ENDED, {"by": by, "end": after and after[0], "id": after and after[1], "limit": limit}
    )
    return [(row["slot_end"], row["booking_id"]) for row in rows]


def _row(status: str, typed: dict[str, str] | None, **columns: Any) -> BookingRow:
    return BookingRow(
        status=BookingStatus(status),
        invitee=Invitee.from_data(typed),
        notes=(typed or {}).get("notes"),
        **columns,
    )
