"""The owner's list of links: what became of each, newest first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.people.personal_data import Invitee
from domain.booking import Booking, BookingStatus
from domain.errors import LinkNotFound
from domain.link import LinkStatus, SingleUseLink
from projections.engine.projection import Projection, applies
from projections.engine.search import pattern
from projections.engine.tables import Rows, Table

NAME = "link_list_v2"


class LinkOrder(StrEnum):
    """The orders in which links are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    EXPIRING = "expiring"


# By what, where a link stands in that (told by its position), and whether that ascends.
_ORDERED_BY = {
    LinkOrder.NEWEST: ("position", "%(place)s", False),
    LinkOrder.OLDEST: ("position", "%(place)s", True),
    LinkOrder.EXPIRING: (
        "(expires_at, position)",
        """(SELECT expires_at, position FROM link_list_v2
            WHERE owner_id = %(owner_id)s AND position = %(place)s)""",
        True,
    ),
}


@dataclass(frozen=True)
class LinkBooking:
    """What the owner sees of the booking behind a link. No invitee: forgotten."""

    id: UUID
    start: datetime
    end: datetime
    status: BookingStatus
    invitee: Invitee | None


@dataclass(frozen=True)
class LinkDetails:
    """A link as its owner sees it, at the moment it was read. Times are UTC."""

    id: UUID
    owner_id: UUID
    calendar_id: UUID
    status: LinkStatus
    recipient: str | None
    note: str | None
    issued_at: datetime
    expires_at: datetime
    redeemed_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None
    booking: LinkBooking | None


@dataclass(frozen=True)
class LinkRow(LinkDetails):
    """A link in the list, with the log position that it is sorted by."""

    position: int


LINKS = Table(
    NAME,
    key="link_id",
    columns={
        "link_id": "uuid",
        "owner_id": "uuid",
        "calendar_id": "uuid",
        "position": "bigint",
        "issued_at": "timestamptz",
        "expires_at": "timestamptz",
        "redeemed_at": "timestamptz",
        "booking_id": "uuid",
        "revoked_at": "timestamptz",
        "replaced_by": "uuid",
    },
    nullable=frozenset({"redeemed_at", "booking_id", "revoked_at", "replaced_by"}),
    indexes={"owner": "(owner_id, position DESC)"},
)
# What becomes of a booking is told by the booking's id alone.
BOOKINGS = Table(
    "link_list_v2_bookings",
    key="booking_id",
    columns={
        "booking_id": "uuid",
        "booking_start": "timestamptz",
        "booking_end": "timestamptz",
        "booking_status": "text",
    },
)


class LinkList(Projection):
    """One row a link. What was typed about people is joined from `personal_data` when read."""

    name = NAME
    tables = (LINKS, BOOKINGS)

    @applies(SingleUseLink.Issued)
    def _issued(self, event: SingleUseLink.Issued, position: int, rows: Rows) -> None:
        rows.insert(
            LINKS,
            link_id=event.originator_id,
            owner_id=event.owner_id,
            calendar_id=event.calendar_id,
            position=position,
            issued_at=event.timestamp,
            expires_at=event.expires_at,
        )

    @applies(SingleUseLink.Redeemed)
    def _redeemed(self, event: SingleUseLink.Redeemed, position: int, rows: Rows) -> None:
        rows.update(
            LINKS,
            event.originator_id,
            redeemed_at=event.timestamp,
            booking_id=event.booking_id,
        )
        rows.insert(
            BOOKINGS,
            booking_id=event.booking_id,
            booking_start=event.slot_start,
            booking_end=event.slot_end,
            booking_status=BookingStatus.CONFIRMED.value,
        )

    @applies(SingleUseLink.Revoked)
    def _revoked(self, event: SingleUseLink.Revoked, position: int, rows: Rows) -> None:
        rows.update(
            LINKS, event.originator_id, revoked_at=event.timestamp, replaced_by=event.replaced_by
        )

    @applies(Booking.Rescheduled)
    def _rescheduled(self, event: Booking.Rescheduled, position: int, rows: Rows) -> None:
        rows.update(
            BOOKINGS,
            event.originator_id,
            booking_start=event.slot_start,
            booking_end=event.slot_end,
        )

    @applies(Booking.Cancelled)
    def _cancelled(self, event: Booking.Cancelled, position: int, rows: Rows) -> None:
        rows.update(BOOKINGS, event.originator_id, booking_status=BookingStatus.CANCELLED.value)


_STATUS = """CASE WHEN redeemed_at IS NOT NULL THEN 'redeemed'
    WHEN revoked_at IS NOT NULL THEN 'revoked'
    WHEN expires_at <= %(now)s THEN 'expired' ELSE 'active' END"""

_SELECT = f"""
    SELECT l.*, booking_start, booking_end, booking_status, {_STATUS} AS status,
        issued.data AS issued_data, made.data AS made_data
    FROM link_list_v2 l
    LEFT JOIN link_list_v2_bookings USING (booking_id)
    LEFT JOIN personal_data issued
        ON issued.originator_id = link_id AND issued.originator_version = 1
    LEFT JOIN personal_data made
        ON made.originator_id = booking_id AND made.originator_version = 1"""  # noqa: S608


def links_of(
    database: Database,
    owner_id: UUID,
    *,
    now: datetime,
    limit: int,
    status: LinkStatus | None = None,
    calendar_id: UUID | None = None,
    q: str | None = None,
    ids: Collection[UUID] | None = None,
    positions: tuple[int, int] | None = None,
    order: LinkOrder = LinkOrder.NEWEST,
    before: int | None = None,
    after: int | None = None,
) -> list[LinkRow]:
    """At most `limit` links of an owner, in `order`.

    `before` is the position of the link before the first one wanted, `after` that of the
    link after the last one wanted; `positions` are the first and last that may be listed.
    `q` is looked for in recipient, note, and the invitee's name and e-mail address.
    """
    backwards = after is not None
    columns, place, ascends = _ORDERED_BY[order]
    direction, beyond = ("ASC", ">") if ascends is not backwards else ("DESC", "<")
    rows = database.fetch_all(
        f"""{_SELECT}
        WHERE owner_id = %(owner_id)s
            AND (%(place)s::bigint IS NULL OR {columns} {beyond} {place})
            AND (%(ids)s::uuid[] IS NULL OR link_id = ANY(%(ids)s))
            AND (%(first)s::bigint IS NULL OR position BETWEEN %(first)s AND %(last)s)
            AND (%(calendar_id)s::uuid IS NULL OR calendar_id = %(calendar_id)s)
            AND (%(status)s::text IS NULL OR {_STATUS} = %(status)s)
            AND (%(q)s::text IS NULL
                OR concat_ws(E'\\n', issued.data->>'recipient', issued.data->>'note',
                    made.data->>'name', made.data->>'email') ILIKE %(q)s)
        ORDER BY {columns} {direction} LIMIT %(limit)s""",
        {
            "owner_id": owner_id,
            "now": now,
            "limit": limit,
            "status": status,
            "calendar_id": calendar_id,
            "q": pattern(q),
            "ids": None if ids is None else list(ids),
            "first": positions and positions[0],
            "last": positions and positions[1],
            "place": after if backwards else before,
        },
    )
    found = [_row(row) for row in rows]
    return found[::-1] if backwards else found


def link(database: Database, link_id: UUID, *, now: datetime) -> LinkRow:
    """One link, whoever's it is. Raises `LinkNotFound`."""
    row = database.fetch_one(
        f"{_SELECT} WHERE link_id = %(link_id)s", {"link_id": link_id, "now": now}
    )
    if row is None:
        raise LinkNotFound
    return _row(row)


def link_of(database: Database, owner_id: UUID, link_id: UUID, *, now: datetime) -> LinkRow:
    """One link of this owner. Raises `LinkNotFound`, for another owner's too."""
    found = link(database, link_id, now=now)
    if found.owner_id != owner_id:
        raise LinkNotFound
    return found


def details_of(link: SingleUseLink, typed: Mapping[str, str], *, now: datetime) -> LinkDetails:
    """Returns a link that has no booking, from its aggregate and what was typed about it."""
    return LinkDetails(
        id=link.id,
        owner_id=link.owner_id,
        calendar_id=link.calendar_id,
        status=link.status(now),
        recipient=typed.get("recipient") or None,
        note=typed.get("note") or None,
        issued_at=link.created_on,
        expires_at=link.expires_at,
        redeemed_at=None,
        revoked_at=link.modified_on if link.is_revoked else None,
        replaced_by=link.replaced_by,
        booking=None,
    )


def _row(row: DictRow) -> LinkRow:
    typed = row["issued_data"] or {}
    return LinkRow(
        id=row["link_id"],
        owner_id=row["owner_id"],
        calendar_id=row["calendar_id"],
        position=row["position"],
        status=LinkStatus(row["status"]),
        recipient=typed.get("recipient"),
        note=typed.get("note"),
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        redeemed_at=row["redeemed_at"],
        revoked_at=row["revoked_at"],
        replaced_by=row["replaced_by"],
        booking=_booking(row) if row["booking_id"] else None,
    )


def _booking(row: DictRow) -> LinkBooking:
    return LinkBooking(
        id=row["booking_id"],
        start=row["booking_start"],
        end=row["booking_end"],
        status=BookingStatus(row["booking_status"]),
        invitee=Invitee.from_data(row["made_data"]),
    )
