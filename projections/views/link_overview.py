"""An overview of an owner's links: the number with each status, and those issued together."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql

from application.eventstore.database import Database
from domain.link import LinkStatus
from projections.views.link_list import LINKS, WITH_STATUS, LinkFilter


@dataclass(frozen=True)
class LinkGroup:
    """Links of one calendar that were issued at the same moment, of those that a filter leaves.

    In the order of the list, they lie from the position `first` to the position `last`.
    `link_id` is the id of the first.
    """

    link_id: UUID
    calendar_id: UUID
    issued_at: datetime
    first: int
    last: int
    count: int
    active: int


_COUNTS = sql.SQL("SELECT {counts} FROM {links} WHERE {conditions}")

# From each group it steps to the first link that is not of it, so that it reads no more than the
# links of one page. Only the positions tell where a group ends: it has no number of its own.
_GROUPS = sql.SQL("""
    WITH RECURSIVE heads AS (
        (
            SELECT 1 AS number, link_id, position, issued_at, calendar_id FROM {links}
            WHERE {conditions} AND {beyond_cursor} ORDER BY position {direction} LIMIT 1
        )
        UNION ALL
        SELECT number + 1, next.* FROM heads CROSS JOIN LATERAL (
            SELECT link_id, position, issued_at, calendar_id FROM {links} AS link
            WHERE {conditions} AND position {beyond} heads.position
                AND (issued_at, calendar_id)
                    IS DISTINCT FROM (heads.issued_at, heads.calendar_id)
            ORDER BY position {direction} LIMIT 1
        ) AS next WHERE number <= %(limit)s
    ), groups AS (
        SELECT *, lead(position) OVER (ORDER BY number) AS end_position FROM heads
    )
    SELECT groups.link_id, groups.calendar_id, groups.issued_at, members.* FROM groups
    CROSS JOIN LATERAL (
        SELECT count(*) AS count, count(*) FILTER (WHERE {active}) AS active,
            min(position) AS lowest, max(position) AS highest
        FROM {links} AS link
        WHERE {conditions} AND position {from_head} groups.position
            AND position {before} coalesce(end_position, {farthest})
    ) AS members
    WHERE number <= %(limit)s ORDER BY number""")

_REPLACED = sql.SQL("SELECT link_id FROM {links} WHERE replaced_by = %s").format(
    links=LINKS.identifier
)


def counts_of(
    database: Database,
    owner_id: UUID,
    *,
    now: datetime,
    calendar_id: UUID | None = None,
    positions: tuple[int, int] | None = None,
) -> dict[LinkStatus, int]:
    """Returns how many links of an owner have each status. Reads the index of the list alone."""
    links = LinkFilter(owner_id, now, calendar_id=calendar_id, positions=positions)
    counts = [
        sql.SQL("count(*) FILTER (WHERE {}) AS {}").format(
            sql.SQL(condition), sql.Identifier(status.value)
        )
        for status, condition in WITH_STATUS.items()
    ]
    query = _COUNTS.format(
        counts=sql.SQL(", ").join(counts), links=LINKS.identifier, conditions=links.conditions
    )
    row = database.fetch_one(query, links.values) or {}
    return {status: row[status.value] for status in LinkStatus}


def groups_of(
    database: Database,
    owner_id: UUID,
    *,
    now: datetime,
    limit: int,
    status: LinkStatus | None = None,
    calendar_id: UUID | None = None,
    newest_first: bool = True,
    before: int | None = None,
    after: int | None = None,
) -> list[LinkGroup]:
    """Returns at most `limit` groups of links, in the order in which the links were issued.

    `before` and `after` are positions between which and the groups no other link lies, as in
    `link_list.links_of`.
    """
    backwards = after is not None
    ascends = newest_first is backwards
    links = LinkFilter(owner_id, now, status, calendar_id)
    cursor = after if backwards else before
    beyond, earlier = (">", "<") if ascends else ("<", ">")
    query = _GROUPS.format(
        links=LINKS.identifier,
        conditions=links.conditions,
        active=sql.SQL(WITH_STATUS[LinkStatus.ACTIVE]),
        beyond_cursor=sql.SQL("true" if cursor is None else f"position {beyond} %(cursor)s"),
        direction=sql.SQL("ASC" if ascends else "DESC"),
        beyond=sql.SQL(beyond),
        before=sql.SQL(earlier),
        from_head=sql.SQL(f"{beyond}="),
        farthest=sql.Literal(2**63 - 1 if ascends else -1),
    )
    rows = database.fetch_all(query, links.values | {"cursor": cursor, "limit": limit})
    groups = [_group(newest_first=newest_first, **row) for row in rows]
    return groups[::-1] if backwards else groups


def link_replaced_by(database: Database, link_id: UUID) -> UUID | None:
    """Returns the link that was replaced by this one, if any was."""
    row = database.fetch_one(_REPLACED, (link_id,))
    return row["link_id"] if row else None


def _group(*, newest_first: bool, lowest: int, highest: int, **columns: Any) -> LinkGroup:
    first, last = (highest, lowest) if newest_first else (lowest, highest)
    return LinkGroup(first=first, last=last, **columns)
