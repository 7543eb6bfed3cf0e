"""The owner's list of links: what became of each, newest first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import sql

from application.eventstore.database import Database
from application.people.personal_data import Invitee, Prefill
from domain.booking import Booking, BookingStatus
from domain.errors import LinkNotFound
from domain.link import LinkStatus, SingleUseLink
from domain.offer import Offer
from projections.engine.projection import Projection, applies
from projections.engine.tables import Rows, Table, like_pattern

NAME = "link_list_v3"


@dataclass
class StoredLink:
    """The columns of a link."""

    link_id: UUID
    owner_id: UUID
    calendar_id: UUID
    position: int
    version: int
    typed_version: int
    issued_at: datetime
    expires_at: datetime
    offer: dict[str, Any] | None = None
    redeemed_at: datetime | None = None
    booking_id: UUID | None = None
    revoked_at: datetime | None = None
    replaced_by: UUID | None = None


@dataclass
class StoredBooking:
    """The columns of a link's booking, in a table of their own: its events don't name the link."""

    booking_id: UUID
    booking_start: datetime
    booking_end: datetime
    booking_status: BookingStatus


@dataclass(frozen=True)
class LinkBooking:
    """The booking behind a link, as its owner sees it. `invitee` is None once forgotten."""

    id: UUID
    start: datetime
    end: datetime
    status: BookingStatus
    invitee: Invitee | None


@dataclass(frozen=True)
class LinkDetails:
    """A link as its owner sees it, at the moment it was read. Times are UTC.

    A change has to name its `version`. `offer` is None if it offers all of its calendar.
    """

    id: UUID
    owner_id: UUID
    calendar_id: UUID
    version: int
    status: LinkStatus
    recipient: str | None
    note: str | None
    reference: str | None
    prefill: Prefill | None
    offer: Offer | None
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


LINKS = Table(NAME, StoredLink, indexes={"owner": "(owner_id, position DESC)"})
BOOKINGS = Table(f"{NAME}_bookings", StoredBooking)


class LinkList(Projection):
    """One row for each link. What people typed is joined from `personal_data` by queries."""

    name = NAME
    tables = (LINKS, BOOKINGS)

    @applies(SingleUseLink.Issued)
    def _issued(self, event: SingleUseLink.Issued, rows: Rows) -> None:
        rows.insert(
            LINKS,
            StoredLink(
                link_id=event.originator_id,
                owner_id=event.owner_id,
                calendar_id=event.calendar_id,
                position=rows.position,
                version=event.originator_version,
                typed_version=event.originator_version,
                issued_at=event.timestamp,
                expires_at=event.expires_at,
                offer=msgspec.to_builtins(event.offer),
            ),
        )

    @applies(SingleUseLink.Changed)
    def _changed(self, event: SingleUseLink.Changed, rows: Rows) -> None:
        link = rows.change(LINKS, event.originator_id)
        link.version = link.typed_version = event.originator_version
        link.expires_at = event.expires_at

    @applies(SingleUseLink.Redeemed)
    def _redeemed(self, event: SingleUseLink.Redeemed, rows: Rows) -> None:
        link = rows.change(LINKS, event.originator_id)
        link.version = event.originator_version
        link.redeemed_at = event.timestamp
        link.booking_id = event.booking_id
        rows.insert(
            BOOKINGS,
            StoredBooking(
                booking_id=event.booking_id,
                booking_start=event.slot_start,
                booking_end=event.slot_end,
                booking_status=BookingStatus.CONFIRMED,
            ),
        )

    @applies(SingleUseLink.Revoked)
    def _revoked(self, event: SingleUseLink.Revoked, rows: Rows) -> None:
        link = rows.change(LINKS, event.originator_id)
        link.version = event.originator_version
        link.revoked_at = event.timestamp
        link.replaced_by = event.replaced_by

    @applies(Booking.Rescheduled)
    def _rescheduled(self, event: Booking.Rescheduled, rows: Rows) -> None:
        booking = rows.change(BOOKINGS, event.originator_id)
        booking.booking_start = event.slot_start
        booking.booking_end = event.slot_end

    @applies(Booking.Cancelled)
    def _cancelled(self, event: Booking.Cancelled, rows: Rows) -> None:
        rows.change(BOOKINGS, event.originator_id).booking_status = BookingStatus.CANCELLED


_STATUS = sql.SQL("""CASE WHEN redeemed_at IS NOT NULL THEN 'redeemed'
    WHEN revoked_at IS NOT NULL THEN 'revoked'
    WHEN expires_at <= %(now)s THEN 'expired' ELSE 'active' END""")

_SELECT = sql.SQL("""
    SELECT link_id AS id, owner_id, calendar_id, position, version, {status} AS status,
        typed.data AS link_data, offer,
        issued_at, expires_at, redeemed_at, revoked_at, replaced_by,
        booking_id, booking_start, booking_end, booking_status, made.data AS booking_data
    FROM {links} LEFT JOIN {bookings} USING (booking_id)
    LEFT JOIN personal_data typed
        ON typed.originator_id = link_id AND typed.originator_version = typed_version
    LEFT JOIN personal_data made
        ON made.originator_id = booking_id AND made.originator_version = 1""").format(
    status=_STATUS, links=LINKS.identifier, bookings=BOOKINGS.identifier
)

_LIST = sql.SQL("""{select}
    WHERE owner_id = %(owner_id)s
        AND (%(cursor)s::bigint IS NULL OR {key} {beyond} {key_at_cursor})
        AND (%(ids)s::uuid[] IS NULL OR link_id = ANY(%(ids)s))
        AND (%(first)s::bigint IS NULL OR position BETWEEN %(first)s AND %(last)s)
        AND (%(calendar_id)s::uuid IS NULL OR calendar_id = %(calendar_id)s)
        AND (%(status)s::text IS NULL OR {status} = %(status)s)
        AND (%(q)s::text IS NULL
            OR concat_ws(E'\\n', typed.data->>'recipient', typed.data->>'note',
                typed.data->>'reference', made.data->>'name', made.data->>'email') ILIKE %(q)s)
    ORDER BY {key} {direction} LIMIT %(limit)s""")


class LinkOrder(StrEnum):
    """The orders in which links are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    EXPIRING = "expiring"


class _SortKey(NamedTuple):
    """A sort key of links, and its value for the link at the position %(cursor)s."""

    key: sql.Composable
    key_at_cursor: sql.Composable
    ascends: bool


_ORDERED_BY = {
    LinkOrder.NEWEST: _SortKey(sql.SQL("position"), sql.SQL("%(cursor)s"), ascends=False),
    LinkOrder.OLDEST: _SortKey(sql.SQL("position"), sql.SQL("%(cursor)s"), ascends=True),
    LinkOrder.EXPIRING: _SortKey(
        sql.SQL("(expires_at, position)"),
        sql.SQL("""(SELECT expires_at, position FROM {links}
            WHERE owner_id = %(owner_id)s AND position = %(cursor)s)""").format(
            links=LINKS.identifier
        ),
        ascends=True,
    ),
}


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
    """Returns at most `limit` links of an owner, in `order`.

    `before` is the position of the link before the first one to return, `after` that of the
    link after the last one to return; `positions` are the first and last that may be listed.
    `q` is looked for in recipient, note, reference, and the invitee's name and e-mail address.
    """
    backwards = after is not None
    key, key_at_cursor, ascends = _ORDERED_BY[order]
    direction, beyond = ("ASC", ">") if ascends is not backwards else ("DESC", "<")
    rows = database.fetch_all(
        _LIST.format(
            select=_SELECT,
            status=_STATUS,
            key=key,
            key_at_cursor=key_at_cursor,
            beyond=sql.SQL(beyond),
            direction=sql.SQL(direction),
        ),
        {
            "owner_id": owner_id,
            "now": now,
            "limit": limit,
            "status": status,
            "calendar_id": calendar_id,
            "q": like_pattern(q),
            "ids": None if ids is None else list(ids),
            "first": positions and positions[0],
            "last": positions and positions[1],
            "cursor": after if backwards else before,
        },
    )
    links = [_row(**row) for row in rows]
    return links[::-1] if backwards else links


def link(database: Database, link_id: UUID, *, now: datetime) -> LinkRow:
    """Returns one link of any owner. Raises `LinkNotFound`."""
    query = _SELECT + sql.SQL(" WHERE link_id = %(link_id)s")
    row = database.fetch_one(query, {"link_id": link_id, "now": now})
    if row is None:
        raise LinkNotFound
    return _row(**row)


def link_of(database: Database, owner_id: UUID, link_id: UUID, *, now: datetime) -> LinkRow:
    """Returns one link of this owner. Raises `LinkNotFound`, also for another owner's."""
    row = link(database, link_id, now=now)
    if row.owner_id != owner_id:
        raise LinkNotFound
    return row


def details_of(link: SingleUseLink, typed: Mapping[str, str], *, now: datetime) -> LinkDetails:
    """Returns a link that has no booking, from its aggregate and what was typed about it."""
    return LinkDetails(
        id=link.id,
        owner_id=link.owner_id,
        calendar_id=link.calendar_id,
        version=link.version,
        status=link.status(now),
        **_typed_fields(typed),
        offer=link.offer,
        issued_at=link.created_on,
        expires_at=link.expires_at,
        redeemed_at=None,
        revoked_at=link.modified_on if link.is_revoked else None,
        replaced_by=link.replaced_by,
        booking=None,
    )


def _typed_fields(data: Mapping[str, str]) -> dict[str, Any]:
    """Returns those fields of a link that were typed, from the row with its personal data."""
    texts = {name: data.get(name) for name in ("recipient", "note", "reference")}
    return {**texts, "prefill": Prefill.from_data(data)}


def _row(
    status: str,
    link_data: dict[str, str] | None,
    offer: dict[str, Any] | None,
    booking_id: UUID | None,
    booking_start: datetime,
    booking_end: datetime,
    booking_status: str,
    booking_data: dict[str, str] | None,
    **columns: Any,
) -> LinkRow:
    booking = None
    if booking_id is not None:
        invitee = Invitee.from_data(booking_data)
        status_of_booking = BookingStatus(booking_status)
        booking = LinkBooking(booking_id, booking_start, booking_end, status_of_booking, invitee)
    return LinkRow(
        status=LinkStatus(status),
        **_typed_fields(link_data or {}),
        offer=msgspec.convert(offer, Offer | None),
        booking=booking,
        **columns,
    )
