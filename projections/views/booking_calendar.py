"""The owner's bookings by time, and the time that they reserve."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from psycopg import sql

from application.eventstore.database import Database
from application.people.personal_data import Invitee
from application.people.typed_search import PATTERNS, has_words, words_of
from domain.agenda import AgendaDay
from domain.booking import Booking, BookingStatus
from domain.calendar import Calendar, CalendarTerms
from domain.errors import BookingNotFound
from domain.slot import Reservation, Slot
from projections.engine.projection import Projection, applies
from projections.engine.tables import Integer, Rows, Table

NAME = "booking_calendar_v2"

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
    calendar_version: int
    version: int
    changed_at: datetime
    place_version: int | None = None
    request_version: int | None = None
    cancellation_version: int | None = None


@dataclass
class StoredTerms:
    """The columns of what a booking shows of its calendar, at one version of the calendar."""

    terms_id: UUID
    calendar_id: UUID
    version: int
    name: str
    location: str


@dataclass(frozen=True)
class BookingRow:
    """A booking with what was typed for it, and when it changed last. Times are UTC.

    `title` is the name that its calendar had when it was made. `invitee` is None once forgotten,
    and so is a `location` that was changed before. `message` is that of the owner's open request
    for another time, if `is_asked_to_reschedule`; `reason` is that of a cancellation.
    """

    id: UUID
    link_id: UUID
    owner_id: UUID
    calendar_id: UUID
    start: datetime
    end: datetime
    status: BookingStatus
    version: int
    changed_at: datetime
    title: str
    location: str | None
    is_asked_to_reschedule: bool
    message: str | None
    reason: str | None
    invitee: Invitee | None
    notes: str | None

    @property
    def slot(self) -> Slot:
        """Returns the time of the booking."""
        return Slot(self.start, self.end)


BOOKINGS = Table(NAME, StoredBooking, indexes={"owner": "(owner_id, slot_start, booking_id)"})
TERMS = Table(
    f"{NAME}_terms",
    StoredTerms,
    indexes={"version": "(calendar_id, version)"},
    owned_by="calendar_id",
)


class BookingCalendar(Projection):
    """One row for each booking. What people typed is joined from `personal_data` by queries."""

    name = NAME
    tables = (BOOKINGS, TERMS)

    @applies(Calendar.Created)
    def _created(self, event: Calendar.Created, rows: Rows) -> None:
        self._add_terms(event, rows)

    @applies(Calendar.Changed)
    def _changed_terms(self, event: Calendar.Changed, rows: Rows) -> None:
        self._add_terms(event, rows)

    def _add_terms(self, event: Calendar.Created | Calendar.Changed, rows: Rows) -> None:
        rows.insert(
            TERMS,
            StoredTerms(
                terms_id=uuid5(event.originator_id, f"terms {event.originator_version}"),
                calendar_id=event.originator_id,
                version=event.originator_version,
                name=event.terms.name,
                location=event.terms.location,
            ),
        )

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
                calendar_version=event.calendar_version,
                version=event.originator_version,
                changed_at=event.timestamp,
            ),
        )

    @applies(AgendaDay.SlotReserved)
    def _reserved(self, event: AgendaDay.SlotReserved, rows: Rows) -> None:
        booking = rows.change(BOOKINGS, event.booking_id)
        booking.buffer_before_minutes = event.buffer_before_minutes
        booking.buffer_after_minutes = event.buffer_after_minutes

    @applies(Booking.Rescheduled)
    def _rescheduled(self, event: Booking.Rescheduled, rows: Rows) -> None:
        booking = _next_version(event, rows)
        booking.slot_start = event.slot_start
        booking.slot_end = event.slot_end
        booking.request_version = None

    @applies(Booking.Changed)
    def _changed(self, event: Booking.Changed, rows: Rows) -> None:
        _next_version(event, rows).place_version = event.originator_version

    @applies(Booking.RescheduleRequested)
    def _asked(self, event: Booking.RescheduleRequested, rows: Rows) -> None:
        _next_version(event, rows).request_version = event.originator_version

    @applies(Booking.Cancelled)
    def _cancelled(self, event: Booking.Cancelled, rows: Rows) -> None:
        booking = _next_version(event, rows)
        booking.status = BookingStatus.CANCELLED
        booking.request_version = None
        booking.cancellation_version = event.originator_version

    @applies(Booking.InviteeForgotten)
    def _invitee_forgotten(self, event: Booking.InviteeForgotten, rows: Rows) -> None:
        _next_version(event, rows)


def _next_version(event: Booking.Event, rows: Rows) -> StoredBooking:
    """Returns the row of the booking that the event changes, with its new version."""
    booking = rows.change(BOOKINGS, event.originator_id)
    booking.version = event.originator_version
    booking.changed_at = event.timestamp
    return booking


# A booking may be made while its calendar has a version without terms: after it was archived.
_SELECT = sql.SQL("""
    SELECT booking_id AS id, link_id, owner_id, booking.calendar_id, slot_start AS start,
        slot_end AS end, status, booking.version, changed_at, coalesce(terms.name, '') AS title,
        CASE WHEN place_version IS NULL THEN coalesce(terms.location, '')
            WHEN made.data IS NOT NULL THEN coalesce(place.data->>'place', '')
        END AS location,
        request_version IS NOT NULL AS is_asked_to_reschedule,
        request.data->>'message' AS message, cancelled.data->>'reason' AS reason,
        made.data AS typed
    FROM {bookings} AS booking
    LEFT JOIN LATERAL (
        SELECT name, location FROM {terms} AS known
        WHERE known.calendar_id = booking.calendar_id AND version <= calendar_version
        ORDER BY version DESC LIMIT 1
    ) AS terms ON true
    LEFT JOIN personal_data AS made
        ON made.originator_id = booking_id AND made.originator_version = 1
    LEFT JOIN personal_data AS place
        ON place.originator_id = booking_id AND place.originator_version = place_version
    LEFT JOIN personal_data AS request
        ON request.originator_id = booking_id AND request.originator_version = request_version
    LEFT JOIN personal_data AS cancelled ON cancelled.originator_id = booking_id
        AND cancelled.originator_version = cancellation_version
    """).format(bookings=BOOKINGS.identifier, terms=TERMS.identifier)

_LIST = sql.SQL("""{select} WHERE {conditions}
    ORDER BY slot_start {order}, booking_id {order} LIMIT %(limit)s""")

_SEARCHED = "concat_ws(E'\\n', made.data->>'name', made.data->>'email', made.data->>'notes')"
_MATCHES = f"made.search_key LIKE ALL ({PATTERNS}) AND {has_words(_SEARCHED)}"


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

    `after` is start and id of the booking before the first one to return. The words of `q` are
    looked for in the invitee's name, e-mail address and notes. With `over_by`, only bookings that
    have ended by then are returned.
    """
    beyond, order = ("<", "DESC") if newest_first else (">", "ASC")
    values = {
        "owner_id": owner_id,
        "since": since,
        "reach": since and since - REACH,
        "until": until,
        "calendar_id": calendar_id,
        "status": status,
        "words": words_of(q) if q else None,
        "over_by": over_by,
        "start": after and after[0],
        "id": after and after[1],
        "limit": limit,
    }
    conditions = {
        "owner_id": "owner_id = %(owner_id)s",
        "since": "slot_end > %(since)s AND slot_start > %(reach)s",
        "until": "slot_start < %(until)s",
        "calendar_id": "booking.calendar_id = %(calendar_id)s",
        "status": "status = %(status)s",
        "words": _MATCHES,
        "over_by": "slot_end <= %(over_by)s",
        "start": f"(slot_start, booking_id) {beyond} (%(start)s, %(id)s)",
    }
    # Only what is asked for: a plan that has to serve every question reads every booking.
    asked = [condition for name, condition in conditions.items() if values[name] is not None]
    query = _LIST.format(
        select=_SELECT,
        conditions=sql.SQL(" AND ").join(map(sql.SQL, asked)),
        order=sql.SQL(order),
    )
    return [_row(**row) for row in database.fetch_all(query, values)]


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


_TAKEN = sql.SQL("""
    SELECT slot_start, slot_end, buffer_before_minutes, buffer_after_minutes FROM {bookings}
    WHERE owner_id = %(owner_id)s AND status = 'confirmed'
        AND slot_start < %(until)s AND slot_start > %(since)s
        AND booking_id IS DISTINCT FROM %(moving)s
    UNION ALL
    SELECT lower(span), upper(span), 0, 0
    FROM busy_calendars, unnest(busy * tstzmultirange(tstzrange(%(since)s, %(until)s))) AS span
    WHERE owner_id = %(owner_id)s AND busy && tstzrange(%(since)s, %(until)s)
    """).format(bookings=BOOKINGS.identifier)


def taken_times(
    database: Database,
    owner_id: UUID,
    *,
    since: datetime,
    until: datetime,
    moving: UUID | None = None,
) -> list[Reservation]:
    """Returns all that may clash with a slot of this owner that starts in [since, until).

    These are bookings, but for the one with the id `moving`, which gives its time back when it
    moves, and the times at which the owner is busy elsewhere.
    """
    window = {"since": since - REACH, "until": until + REACH}
    return [
        Reservation(
            Slot(row["slot_start"], row["slot_end"]),
            timedelta(minutes=row["buffer_before_minutes"]),
            timedelta(minutes=row["buffer_after_minutes"]),
        )
        for row in database.fetch_all(_TAKEN, {"owner_id": owner_id, "moving": moving, **window})
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


def row_of(
    booking: Booking, agreed: CalendarTerms, typed: Mapping[int, dict[str, str]]
) -> BookingRow:
    """Returns the row of a booking from its aggregate and from what was typed for it, by version.

    `agreed` are the terms under which it was made. Without what was typed when it was made, it is
    the row of somebody who was forgotten.
    """
    made = typed.get(1)
    place, request = booking.place_version, booking.request_version
    cancellation = booking.cancellation_version
    if place is None:
        location: str | None = agreed.location
    else:
        location = None if made is None else typed.get(place, {}).get("place", "")
    return BookingRow(
        id=booking.id,
        link_id=booking.link_id,
        owner_id=booking.owner_id,
        calendar_id=booking.calendar_id,
        start=booking.slot.start,
        end=booking.slot.end,
        status=booking.status,
        version=booking.version,
        changed_at=booking.modified_on,
        title=agreed.name,
        location=location,
        is_asked_to_reschedule=booking.is_asked_to_reschedule,
        message=None if request is None else typed.get(request, {}).get("message"),
        reason=None if cancellation is None else typed.get(cancellation, {}).get("reason"),
        invitee=Invitee.from_data(made),
        notes=None if made is None else made.get("notes"),
    )


def _row(status: str, typed: dict[str, str] | None, **columns: Any) -> BookingRow:
    return BookingRow(
        status=BookingStatus(status),
        invitee=Invitee.from_data(typed),
        notes=(typed or {}).get("notes"),
        **columns,
    )
