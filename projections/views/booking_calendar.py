"""The owner's bookings by time, and which time they leave free."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.people.personal_data import Invitee
from domain.agenda import AgendaDay
from domain.booking import Booking, BookingStatus
from domain.errors import BookingNotFound
from domain.slot import Reservation, Slot
from projections.engine.projection import Projection, applies
from projections.engine.search import pattern
from projections.engine.tables import Rows, Table

NAME = "booking_calendar_v1"

# The longest buffer of one booking, plus the longest slot and buffer of another.
_REACH = timedelta(days=3)


@dataclass(frozen=True)
class BookingRow:
    """A booking as it stands. Times are UTC. No invitee: forgotten."""

    id: UUID
    link_id: UUID
    owner_id: UUID
    calendar_id: UUID
    start: datetime
    end: datetime
    status: BookingStatus
    invitee: Invitee | None
    notes: str | None


BOOKINGS = Table(
    NAME,
    key="booking_id",
    columns={
        "booking_id": "uuid",
        "link_id": "uuid",
        "owner_id": "uuid",
        "calendar_id": "uuid",
        "slot_start": "timestamptz",
        "slot_end": "timestamptz",
        "buffer_before_minutes": "integer",
        "buffer_after_minutes": "integer",
        "status": "text",
    },
    indexes={"owner": "(owner_id, slot_start, booking_id)"},
)


class BookingCalendar(Projection):
    """One row a booking. What was typed about people is joined from `personal_data` when read."""

    name = NAME
    tables = (BOOKINGS,)

    @applies(Booking.Made)
    def _made(self, event: Booking.Made, position: int, rows: Rows) -> None:
        rows.insert(
            BOOKINGS,
            booking_id=event.originator_id,
            link_id=event.link_id,
            owner_id=event.owner_id,
            calendar_id=event.calendar_id,
            slot_start=event.slot_start,
            slot_end=event.slot_end,
            buffer_before_minutes=0,
            buffer_after_minutes=0,
            status=BookingStatus.CONFIRMED.value,
        )

    @applies(AgendaDay.SlotReserved)
    def _reserved(self, event: AgendaDay.SlotReserved, position: int, rows: Rows) -> None:
        rows.update(
            BOOKINGS,
            event.booking_id,
            buffer_before_minutes=event.buffer_before_minutes,
            buffer_after_minutes=event.buffer_after_minutes,
        )

    @applies(Booking.Rescheduled)
    def _rescheduled(self, event: Booking.Rescheduled, position: int, rows: Rows) -> None:
        rows.update(
            BOOKINGS,
            event.originator_id,
            slot_start=event.slot_start,
            slot_end=event.slot_end,
        )

    @applies(Booking.Cancelled)
    def _cancelled(self, event: Booking.Cancelled, position: int, rows: Rows) -> None:
        rows.update(BOOKINGS, event.originator_id, status=BookingStatus.CANCELLED.value)


_SELECT = """
    SELECT b.*, data FROM booking_calendar_v1 b
    LEFT JOIN personal_data ON originator_id = booking_id AND originator_version = 1"""


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
    """At most `limit` bookings of an owner that meet [since, until), by start.

    `after` is start and id of the booking before the first one wanted. `q` is looked for
    in the invitee's name, e-mail address and notes. `over_by` leaves only those that have
    ended by then.
    """
    beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
    rows = database.fetch_all(
        f"""{_SELECT}
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
        ORDER BY slot_start {order}, booking_id {order} LIMIT %(limit)s""",
        {
            "owner_id": owner_id,
            "since": since,
            "until": until,
            "calendar_id": calendar_id,
            "status": status,
            "q": pattern(q),
            "over_by": over_by,
            "start": after and after[0],
            "id": after and after[1],
            "limit": limit,
        },
    )
    return [_row(row) for row in rows]


def booking_of(database: Database, owner_id: UUID, booking_id: UUID) -> BookingRow:
    """One booking of this owner. Raises `BookingNotFound`, for another owner's too."""
    found = booking(database, booking_id)
    if found.owner_id != owner_id:
        raise BookingNotFound
    return found


def booking(database: Database, booking_id: UUID) -> BookingRow:
    """One booking, whoever's it is. Raises `BookingNotFound`."""
    row = database.fetch_one(f"{_SELECT} WHERE booking_id = %s", (booking_id,))
    if row is None:
        raise BookingNotFound
    return _row(row)


def reservations(
    database: Database, owner_id: UUID, *, since: datetime, until: datetime
) -> list[Reservation]:
    """All that may clash with a slot of this owner that starts in [since, until)."""
    rows = database.fetch_all(
        """SELECT slot_start, slot_end, buffer_before_minutes, buffer_after_minutes
        FROM booking_calendar_v1
        WHERE owner_id = %s AND status = 'confirmed' AND slot_start < %s AND slot_start > %s""",
        (owner_id, until + _REACH, since - _REACH),
    )
    return [
        Reservation(
            Slot(row["slot_start"], row["slot_end"]),
            timedelta(minutes=row["buffer_before_minutes"]),
            timedelta(minutes=row["buffer_after_minutes"]),
        )
        for row in rows
    ]


def ended_with_invitee(
    database: Database, *, by: datetime, limit: int, after: tuple[datetime, UUID] | None = None
) -> list[tuple[datetime, UUID]]:
    """End and id of bookings that had ended `by` then and whose invitee is known, by end.

    `after` is end and id of the booking before the first one wanted.
    """
    rows = database.fetch_all(
        """SELECT slot_end, booking_id FROM booking_calendar_v1
        JOIN personal_data ON originator_id = booking_id AND originator_version = 1
        WHERE slot_end <= %(by)s AND (%(end)s::timestamptz IS NULL
            OR (slot_end, booking_id) > (%(end)s, %(id)s::uuid))
        ORDER BY slot_end, booking_id LIMIT %(limit)s""",
        {"by": by, "end": after and after[0], "id": after and after[1], "limit": limit},
    )
    return [(row["slot_end"], row["booking_id"]) for row in rows]


def _row(row: DictRow) -> BookingRow:
    typed = row["data"]
    return BookingRow(
        id=row["booking_id"],
        link_id=row["link_id"],
        owner_id=row["owner_id"],
        calendar_id=row["calendar_id"],
        start=row["slot_start"],
        end=row["slot_end"],
        status=BookingStatus(row["status"]),
        invitee=Invitee.from_data(typed),
        notes=(typed or {}).get("notes"),
    )
