"""How many links of an owner there are with each status, kept beside the list of links.

An open link expires without an event, so links are counted by the day on which they expire. Only
those of the current day have to be looked at to tell how many are active.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql

from application.eventstore.database import Database
from application.eventstore.pipeline import Query
from domain.link import LinkStatus
from projections.engine.tables import Copy, Table, Write

LINK_LIST = "link_list_v4"


@dataclass
class StoredCounts:
    """The columns of the numbers of links of a calendar that expire on one day, in UTC.

    `unused` counts those that are active or expired.
    """

    owner_id: UUID
    calendar_id: UUID
    expires_on: date
    unused: int
    redeemed: int
    revoked: int


COUNTS = Table(f"{LINK_LIST}_counts", StoredCounts, keys=3)


_DAY = "(expires_at AT TIME ZONE 'UTC')::date"
_ADD = f"""
    INSERT INTO {COUNTS.name} AS kept
        (owner_id, calendar_id, expires_on, unused, redeemed, revoked)
    SELECT owner_id, calendar_id, {{day}}, {{unused}}, {{redeemed}}, {{revoked}}
    FROM {{links}} GROUP BY 1, 2, 3
    ON CONFLICT (owner_id, calendar_id, expires_on) DO UPDATE SET
        unused = kept.unused + excluded.unused,
        redeemed = kept.redeemed + excluded.redeemed,
        revoked = kept.revoked + excluded.revoked"""  # noqa: S608 - constants

# One statement writes links and counts them. A link that has changed, but expires when it did, was
# unused before and is no more.
_WITH_LINKS = """
    WITH written AS (
        {write} RETURNING {table}.owner_id, {table}.calendar_id, {table}.expires_at,
            {table}.redeemed_at, {table}.revoked_at
    ), counted AS ({add}) SELECT FROM written"""
_WRITTEN = {
    "links": "written",
    "day": _DAY,
    "redeemed": "count(redeemed_at)",
    "revoked": "count(revoked_at) FILTER (WHERE redeemed_at IS NULL)",
}
_ADD_NEW = _ADD.format(
    **_WRITTEN, unused="count(*) FILTER (WHERE redeemed_at IS NULL AND revoked_at IS NULL)"
)
_ADD_USED = _ADD.format(**_WRITTEN, unused="-count(*)")

# New links that are written by COPY have been counted before.
_ADD_COPIED = _ADD.format(
    links="""json_to_recordset($1::json) AS summed (owner_id uuid, calendar_id uuid,
        expires_on date, unused bigint, redeemed bigint, revoked bigint)""",
    day="expires_on",
    unused="sum(unused)",
    redeemed="sum(redeemed)",
    revoked="sum(revoked)",
)

# Links that expire on another day are counted where they were and where they will be, before they
# are written. Their old day may have no link any more.
_CHANGED = f"""
    json_to_recordset($1::json) AS new (link_id uuid, expires_at timestamptz,
        redeemed_at timestamptz, revoked_at timestamptz)
    CROSS JOIN LATERAL (
        SELECT owner_id, calendar_id, expires_at, redeemed_at, revoked_at
        FROM {LINK_LIST} AS link WHERE link.link_id = new.link_id OFFSET 0
    ) AS stored"""  # noqa: S608 - constants
_ADD_MOVED = _ADD.format(
    links=f"""(
        SELECT stored.owner_id, stored.calendar_id, state.* FROM {_CHANGED}
        CROSS JOIN LATERAL (VALUES
            (-1, stored.expires_at, stored.redeemed_at, stored.revoked_at),
            (1, new.expires_at, coalesce(new.redeemed_at, stored.redeemed_at),
                coalesce(new.revoked_at, stored.revoked_at))
        ) AS state (links, expires_at, redeemed_at, revoked_at)
    ) AS moved""",  # noqa: S608 - constants
    day=_DAY,
    unused="sum(CASE WHEN redeemed_at IS NULL AND revoked_at IS NULL THEN links ELSE 0 END)",
    redeemed="sum(CASE WHEN redeemed_at IS NOT NULL THEN links ELSE 0 END)",
    revoked="sum(CASE WHEN redeemed_at IS NULL AND revoked_at IS NOT NULL THEN links ELSE 0 END)",
)
_REMOVE_EMPTY = f"""
    DELETE FROM {COUNTS.name} WHERE unused = 0 AND redeemed = 0 AND revoked = 0
    AND (owner_id, calendar_id) IN (SELECT owner_id, calendar_id FROM {_CHANGED})"""  # noqa: S608

_KEPT = sql.SQL("""
    SELECT coalesce(sum(redeemed), 0) AS redeemed, coalesce(sum(revoked), 0) AS revoked,
        coalesce(sum(unused) FILTER (WHERE expires_on > %(today)s), 0) AS active,
        coalesce(sum(unused) FILTER (WHERE expires_on < %(today)s), 0) AS expired,
        today.*
    FROM {counts} CROSS JOIN (
        SELECT count(*) FILTER (WHERE expires_at > %(now)s) AS active_today,
            count(*) FILTER (WHERE expires_at <= %(now)s) AS expired_today
        FROM {links} WHERE owner_id = %(owner_id)s {of_calendar}
            AND redeemed_at IS NULL AND revoked_at IS NULL
            AND expires_at >= %(midnight)s AND expires_at < %(next_midnight)s
    ) AS today
    WHERE owner_id = %(owner_id)s {of_calendar}
    GROUP BY active_today, expired_today""")

_encode = msgspec.json.Encoder().encode


def counting(links: Table[Any], writes: Iterable[Write | Copy]) -> Iterator[Write | Copy]:
    """Yields the writes of a batch, such that they count what they do to the rows of `links`."""
    for write in writes:
        if isinstance(write, Copy):
            if write.table is links:
                summed = _encode(_summed(write.rows)).decode()
                yield Write(Query(_ADD_COPIED, (summed,)))
            yield write
        elif write.table != links.name:
            yield write
        elif "expires_at" in write.columns:
            yield Write(write.query._replace(sql=_ADD_MOVED))
            yield write
            yield Write(write.query._replace(sql=_REMOVE_EMPTY))
        else:
            statement = _counted(write.query.sql, is_new=not write.columns)
            yield write._replace(query=write.query._replace(sql=statement))


@cache
def _counted(write: str, *, is_new: bool) -> str:
    table, add = (LINK_LIST, _ADD_NEW) if is_new else ("stored", _ADD_USED)
    return _WITH_LINKS.format(write=write, table=table, add=add)


def _summed(links: Iterable[Any]) -> list[StoredCounts]:
    found: dict[tuple[int, int, date], StoredCounts] = {}
    for link in links:
        owner_id, calendar_id = link.owner_id, link.calendar_id
        day = link.expires_at.astimezone(UTC).date()
        key = owner_id.int, calendar_id.int, day
        counts = found.get(key)
        if counts is None:
            counts = found[key] = StoredCounts(owner_id, calendar_id, day, 0, 0, 0)
        if link.redeemed_at is not None:
            counts.redeemed += 1
        elif link.revoked_at is not None:
            counts.revoked += 1
        else:
            counts.unused += 1
    return list(found.values())


def counts_of(
    database: Database, owner_id: UUID, *, now: datetime, calendar_id: UUID | None = None
) -> dict[LinkStatus, int]:
    """Returns how many links of an owner have each status, of one calendar or of all."""
    of_calendar = "" if calendar_id is None else "AND calendar_id = %(calendar_id)s"
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    query = _KEPT.format(
        counts=COUNTS.identifier,
        links=sql.Identifier(LINK_LIST),
        of_calendar=sql.SQL(of_calendar),
    )
    values = {
        "owner_id": owner_id,
        "calendar_id": calendar_id,
        "now": now,
        "today": midnight.date(),
        "midnight": midnight,
        "next_midnight": midnight + timedelta(days=1),
    }
    row = database.fetch_one(query, values)
    if row is None:
        return dict.fromkeys(LinkStatus, 0)
    return {
        LinkStatus.ACTIVE: int(row["active"] + row["active_today"]),
        LinkStatus.REDEEMED: int(row["redeemed"]),
        LinkStatus.EXPIRED: int(row["expired"] + row["expired_today"]),
        LinkStatus.REVOKED: int(row["revoked"]),
    }
