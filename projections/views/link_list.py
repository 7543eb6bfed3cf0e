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
from application.people.typed_search import words_of
from domain.booking import Booking, BookingStatus
from domain.errors import LinkNotFound
from domain.link import LinkStatus, SingleUseLink
from domain.offer import Offer
from projections.engine.projection import Projection, applies
from projections.engine.tables import Rows, Table
from projections.views.link_search import LinkSearch

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


# The first two hold all that lists are ordered and filtered by, so that links which a filter leaves
# out are never read. The third finds the link of a booking that was searched
# for, the fourth the link that another one replaced.
LINKS = Table(
    NAME,
    StoredLink,
    indexes={
        "newest": "(owner_id, position DESC)"
        " INCLUDE (link_id, calendar_id, expires_at, redeemed_at, revoked_at)",
        "expiring": "(owner_id, expires_at, position)"
        " INCLUDE (link_id, calendar_id, redeemed_at, revoked_at)",
        "booking": "(booking_id) WHERE booking_id IS NOT NULL",
        "replaced": "(replaced_by) WHERE replaced_by IS NOT NULL",
    },
)
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


# Terms of the columns in the indexes `newest` and `expiring`.
_UNUSED = "redeemed_at IS NULL AND revoked_at IS NULL"

WITH_STATUS = {
    LinkStatus.ACTIVE: f"{_UNUSED} AND expires_at > %(now)s",
    LinkStatus.REDEEMED: "redeemed_at IS NOT NULL",
    LinkStatus.EXPIRED: f"{_UNUSED} AND expires_at <= %(now)s",
    LinkStatus.REVOKED: "redeemed_at IS NULL AND revoked_at IS NOT NULL",
}

_STATUS = sql.SQL("CASE {} END").format(
    sql.SQL(" ").join(
        sql.SQL(f"WHEN {condition} THEN {status.value!r}")
        for status, condition in WITH_STATUS.items()
    )
)

# OFFSET 0 keeps PostgreSQL from reading whole tables to find a few rows, where it expects many.
_TYPED = sql.SQL("""
    LEFT JOIN LATERAL (
        SELECT data, search_key FROM personal_data
        WHERE originator_id = link_id AND originator_version = typed_version OFFSET 0
    ) AS typed ON true
    LEFT JOIN LATERAL (
        SELECT data, search_key FROM personal_data
        WHERE originator_id = booking_id AND originator_version = 1 OFFSET 0
    ) AS made ON true""")

_SELECT = sql.SQL("""
    SELECT link_id AS id, owner_id, calendar_id, position, version, {status} AS status,
        typed.data AS link_data, offer,
        issued_at, expires_at, redeemed_at, revoked_at, replaced_by,
        booking_id, booking_start, booking_end, booking_status, made.data AS booking_data
    FROM {links} LEFT JOIN {bookings} USING (booking_id) {typed}""").format(
    status=_STATUS, links=LINKS.identifier, bookings=BOOKINGS.identifier, typed=_TYPED
)

_LIST = sql.SQL("{select} WHERE link_id IN ({page}) ORDER BY {sorted}")

_PAGE = sql.SQL("""
    SELECT link_id FROM {links} WHERE {conditions} ORDER BY {sorted} LIMIT {limit}""")


@dataclass(frozen=True)
class LinkFilter:
    """The conditions by which links of an owner are chosen, and the values in them.

    `positions` are the first and last that may be chosen.
    """

    owner_id: UUID
    now: datetime
    status: LinkStatus | None = None
    calendar_id: UUID | None = None
    positions: tuple[int, int] | None = None
    ids: Collection[UUID] | None = None

    @property
    def conditions(self) -> sql.Composed:
        """Returns the conditions, joined by AND.

        Only what is asked for: a plan that has to serve every question reads every link.
        """
        asked = ["owner_id = %(owner_id)s"]
        if self.status is not None:
            asked.append(WITH_STATUS[self.status])
        if self.calendar_id is not None:
            asked.append("calendar_id = %(calendar_id)s")
        if self.positions is not None:
            asked.append("position BETWEEN %(from)s AND %(to)s")
        if self.ids is not None:
            asked.append("link_id = ANY(%(ids)s)")
        return sql.SQL(" AND ").join(map(sql.SQL, asked))

    @property
    def values(self) -> dict[str, Any]:
        """Returns the values in the conditions, by name."""
        first, last = self.positions or (None, None)
        return {
            "owner_id": self.owner_id,
            "now": self.now,
            "calendar_id": self.calendar_id,
            "from": first,
            "to": last,
            "ids": None if self.ids is None else list(self.ids),
        }


class LinkOrder(StrEnum):
    """The orders in which links are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    EXPIRING = "expiring"


class _SortKey(NamedTuple):
    """The columns that links are sorted by, and their values for the link at %(cursor)s."""

    columns: tuple[str, ...]
    at_cursor: str
    ascends: bool


_ORDERED_BY = {
    LinkOrder.NEWEST: _SortKey(("position",), "(%(cursor)s::bigint)", ascends=False),
    LinkOrder.OLDEST: _SortKey(("position",), "(%(cursor)s::bigint)", ascends=True),
    LinkOrder.EXPIRING: _SortKey(
        ("expires_at", "position"),
        f"""((SELECT expires_at FROM {LINKS.name}
            WHERE owner_id = %(owner_id)s AND position = %(cursor)s), %(cursor)s)""",  # noqa: S608
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
    The words of `q` are looked for in recipient, note, reference, the name and address that the
    link fills in, and those of the invitee: one or two letters anywhere in the first 1,000 links,
    and in the others where a word begins. If they begin words in more than 5,000 texts, they are
    looked for anywhere in the first 100,000 links.
    """
    backwards = after is not None
    columns, at_cursor, ascends = _ORDERED_BY[order]
    direction, beyond = ("ASC", ">") if ascends is not backwards else ("DESC", "<")
    cursor = after if backwards else before
    links = LinkFilter(owner_id, now, status, calendar_id, positions, ids)
    conditions = links.conditions
    if cursor is not None:
        conditions += sql.SQL(f" AND ({', '.join(columns)}) {beyond} {at_cursor}")
    words = words_of(q or "")
    values = links.values | {"cursor": cursor, "words": words}
    parts: dict[str, sql.Composable] = {
        "links": LINKS.identifier,
        "conditions": conditions,
        "sorted": sql.SQL(", ".join(f"{column} {direction}" for column in columns)),
        # Written out: for a value that comes later, PostgreSQL expects a tenth of all links.
        "limit": sql.Literal(limit),
        "typed": _TYPED,
        "columns": sql.SQL(", ".join(columns)),
    }

    def read(page: sql.Composable, values: Mapping[str, Any]) -> list[LinkRow]:
        query = _LIST.format(select=_SELECT, page=page, sorted=parts["sorted"])
        return [_row(**row) for row in database.fetch_all(query, values)]

    if not q:
        found = read(_PAGE.format(**parts), values)
    elif not words:
        found = []
    else:
        found = LinkSearch(database, words, limit, parts, values, read).run()
    return found[::-1] if backwards else found


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
    return {
        "recipient": data.get("recipient"),
        "note": data.get("note"),
        "reference": data.get("reference"),
        "prefill": Prefill.from_data(data),
    }


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
