"""Finds the bookings and links with texts about the invitee of a booking.

These are the booking, its link, the links that were replaced by that one, because a replacement
copies recipient and note, and the links on the other side of a request for a new link, with those
that replaced them, as far as they are about the same person. Bookings that the person made with
those are not among them: each is forgotten by itself.
"""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.recorder import Forgotten
from application.people.email_address import spellings
from application.people.personal_data import Prefill
from domain.booking import Booking

About = tuple[UUID, UUID]
"""A booking, and itself or a link with texts about its invitee."""

_LINKS_OF_BOOKINGS = """
    SELECT originator_id AS booking_id, (convert_from(state, 'UTF8')::jsonb->>'link_id')::uuid AS id
    FROM stored_events WHERE originator_id = ANY(%s::uuid[]) AND originator_version = 1"""

# The link that was replaced comes right before its replacement in the log: both were recorded in
# one append.
_WITH_REPLACED = """
    WITH RECURSIVE link (booking_id, id) AS (
        SELECT * FROM unnest(%s::uuid[], %s::uuid[])
    UNION
        SELECT link.booking_id, before.originator_id
        FROM link JOIN stored_events AS issued
            ON issued.originator_id = link.id AND issued.originator_version = 1
        CROSS JOIN LATERAL (
            SELECT * FROM stored_events WHERE notification_id < issued.notification_id
            ORDER BY notification_id DESC LIMIT 1
        ) AS before
        WHERE before.topic = 'link.revoked'
            AND convert_from(before.state, 'UTF8')::jsonb->>'replaced_by' = link.id::text
    )
    SELECT booking_id, id FROM link"""

_OTHER_SIDES = """
    SELECT new_link_id AS link_id, link_id AS other_id FROM answered_requests
        WHERE new_link_id = ANY(%(ids)s::uuid[])
    UNION
    SELECT link_id, new_link_id FROM answered_requests WHERE link_id = ANY(%(ids)s::uuid[])
    UNION
    SELECT originator_id, (convert_from(state, 'UTF8')::jsonb->>'replaced_by')::uuid
        FROM stored_events WHERE originator_id = ANY(%(ids)s::uuid[]) AND topic = 'link.revoked'
            AND convert_from(state, 'UTF8')::jsonb->>'replaced_by' IS NOT NULL"""

_TEXTS = "SELECT originator_id, data FROM personal_data WHERE originator_id = ANY(%s)"


_ERASURES = "SELECT booking_id, id FROM erasures WHERE booking_id = ANY(%s::uuid[])"


def about_invitees(conn: Connection[DictRow], booking_ids: Collection[UUID]) -> list[Forgotten]:
    """Returns the bookings and links with texts about the invitees of these bookings."""
    found: set[About] = {(booking_id, booking_id) for booking_id in booking_ids}
    new = _pairs(conn.execute(_LINKS_OF_BOOKINGS, (list(booking_ids),)))
    while new:
        new = _with_replaced(conn, new) - found
        found |= new
        new = _other_sides(conn, new) - found
    return [Forgotten(*pair) for pair in sorted(found)]


def forgotten_with(conn: Connection[DictRow], booking_ids: Collection[UUID]) -> set[UUID]:
    """Returns the bookings and links with texts about the forgotten invitees of these bookings.

    Of an erasure by a version that did not store them, those that the log knows.
    """
    known = _with_replaced(conn, _pairs(conn.execute(_LINKS_OF_BOOKINGS, (list(booking_ids),))))
    stored = _pairs(conn.execute(_ERASURES, (list(booking_ids),)))
    return {*booking_ids, *(each for _, each in known | stored)}


def _with_replaced(conn: Connection[DictRow], links: Collection[About]) -> set[About]:
    """Returns these links, and those that were replaced by them."""
    columns = [list(column) for column in zip(*links, strict=True)] or [[], []]
    return _pairs(conn.execute(_WITH_REPLACED, columns))


def _pairs(rows: Iterable[DictRow]) -> set[About]:
    return {(row["booking_id"], row["id"]) for row in rows}


def _other_sides(conn: Connection[DictRow], pairs: Collection[About]) -> set[About]:
    """Returns the links from which these were requested, and those that were issued for these.

    The latter were requested, or are replacements. Leaves out links about somebody else: whoever
    has a link can ask for a new one.
    """
    sides: dict[UUID, list[UUID]] = {}
    for row in conn.execute(_OTHER_SIDES, {"ids": [link_id for _, link_id in pairs]}):
        sides.setdefault(row["link_id"], []).append(row["other_id"])
    others = {(booking, each) for booking, link in pairs for each in sides.get(link, ())}
    ids = {each for pair in others for each in pair}
    wanted = ids | {Booking.id_for(link_id) for _, link_id in others}
    texts: dict[UUID, list[Mapping[str, str]]] = {}
    for row in conn.execute(_TEXTS, (list(wanted),)):
        texts.setdefault(row["originator_id"], []).append(row["data"])
    return {pair for pair in others if _is_about_same(texts, *pair)}


def _is_about_same(
    texts: Mapping[UUID, Collection[Mapping[str, str]]], booking_id: UUID, link_id: UUID
) -> bool:
    """Returns whether a link is about the invitee of a booking that was made with another link.

    Its invitee says so or, before it has one, whoever asked for it. A link that nobody has used
    and nobody asked for was meant for the person who then asked for a new one.
    """
    people = [
        Prefill(data.get("name"), data.get("email"))
        for data in texts.get(Booking.id_for(link_id), ())
        if "email" in data
    ] or [
        person for data in texts.get(link_id, ()) if (person := Prefill.from_data(data)) is not None
    ]
    invitees = [
        Prefill(data["name"], data["email"])
        for data in texts.get(booking_id, ())
        if "email" in data
    ]
    return not people or any(_is_same(a, b) for a in people for b in invitees)


def _is_same(one: Prefill, other: Prefill) -> bool:
    """Compares by e-mail address or, if one has none, by name."""
    if one.email and other.email:
        return not {each.lower() for each in spellings(one.email)}.isdisjoint(
            each.lower() for each in spellings(other.email)
        )
    return (one.name or "").casefold() == (other.name or "").casefold()
