"""The owner's calendars, and what an invitee sees of one."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection, sql
from psycopg.rows import DictRow

from application.eventstore.database import Database
from application.people.typed_search import has_words, words_of
from domain.calendar import Calendar, CalendarTerms
from domain.errors import CalendarNotFound
from projections.engine.projection import Projection, applies
from projections.engine.tables import Rows, Table

NAME = "calendar_list_v2"


@dataclass
class StoredCalendar:
    """The columns of a calendar."""

    calendar_id: UUID
    owner_id: UUID
    position: int
    version: int
    is_archived: bool
    terms: dict[str, Any]


@dataclass(frozen=True)
class CalendarRow:
    """A calendar as last decided. A change has to name its `version`."""

    id: UUID
    owner_id: UUID
    version: int
    is_archived: bool
    terms: CalendarTerms


CALENDARS = Table(NAME, StoredCalendar, indexes={"owner": "(owner_id, position)"})


class CalendarList(Projection):
    """One row for each calendar."""

    name = NAME
    tables = (CALENDARS,)

    @applies(Calendar.Created)
    def _created(self, event: Calendar.Created, rows: Rows) -> None:
        rows.insert(
            CALENDARS,
            StoredCalendar(
                calendar_id=event.originator_id,
                owner_id=event.owner_id,
                position=rows.position,
                version=event.originator_version,
                is_archived=False,
                terms=_stored(event.terms),
            ),
        )

    @applies(Calendar.Changed)
    def _changed(self, event: Calendar.Changed, rows: Rows) -> None:
        calendar = rows.change(CALENDARS, event.originator_id)
        calendar.version = event.originator_version
        calendar.terms = _stored(event.terms)

    @applies(Calendar.Archived)
    def _archived(self, event: Calendar.Archived, rows: Rows) -> None:
        calendar = rows.change(CALENDARS, event.originator_id)
        calendar.version = event.originator_version
        calendar.is_archived = True


_SELECT = sql.SQL(
    "SELECT calendar_id AS id, owner_id, version, is_archived, terms FROM {calendars}"
).format(calendars=CALENDARS.identifier)

_WITH_HOST = sql.SQL("""
    SELECT calendar_id AS id, owner_id, version, is_archived, terms, name AS host_name
    FROM {calendars} JOIN accounts ON accounts.id = owner_id WHERE calendar_id = %s
""").format(calendars=CALENDARS.identifier)


_CALLED = sql.SQL(f"""
    SELECT calendar_id FROM {{calendars}} WHERE {has_words("terms->>'name'")}
    ORDER BY position LIMIT 100
""").format(  # noqa: S608 - constants
    calendars=CALENDARS.identifier
)


def calendars_of(database: Database, owner_id: UUID) -> list[CalendarRow]:
    """Returns all calendars of an owner, also archived ones, in the order of their creation."""
    query = _SELECT + sql.SQL(" WHERE owner_id = %s ORDER BY position")
    return [_row(**row) for row in database.fetch_all(query, (owner_id,))]


def calendars_called(conn: Connection[DictRow], text: str) -> list[UUID]:
    """Returns the ids of at most 100 calendars, of all owners, whose names have these words."""
    rows = conn.execute(_CALLED, {"words": words_of(text)})
    return [row["calendar_id"] for row in rows]


def calendar(database: Database, calendar_id: UUID) -> CalendarRow:
    """Returns one calendar of any owner. Raises `CalendarNotFound`."""
    row = database.fetch_one(_SELECT + sql.SQL(" WHERE calendar_id = %s"), (calendar_id,))
    if row is None:
        raise CalendarNotFound
    return _row(**row)


def calendar_and_host(database: Database, calendar_id: UUID) -> tuple[CalendarRow, str]:
    """Returns one calendar and the name of its owner. Raises `CalendarNotFound`."""
    row = database.fetch_one(_WITH_HOST, (calendar_id,))
    if row is None:
        raise CalendarNotFound
    host_name: str = row.pop("host_name")
    return _row(**row), host_name


def calendar_of(database: Database, owner_id: UUID, calendar_id: UUID) -> CalendarRow:
    """Returns one calendar of this owner. Raises `CalendarNotFound`, also for another owner's."""
    row = calendar(database, calendar_id)
    if row.owner_id != owner_id:
        raise CalendarNotFound
    return row


def row_of(calendar: Calendar) -> CalendarRow:
    """Returns the row that the view will have for a calendar."""
    return CalendarRow(
        id=calendar.id,
        owner_id=calendar.owner_id,
        version=calendar.version,
        is_archived=calendar.is_archived,
        terms=calendar.terms,
    )


def _stored(terms: CalendarTerms) -> dict[str, Any]:
    """Returns the terms as the view stores them, in which `schedule_id` is there only if it is set.

    So the rows of calendars without a schedule are what they were before there were schedules.
    """
    stored: dict[str, Any] = msgspec.to_builtins(terms)
    if terms.schedule_id is None:
        del stored["schedule_id"]
    return stored


def _row(terms: dict[str, Any], **columns: Any) -> CalendarRow:
    return CalendarRow(terms=msgspec.convert(terms, CalendarTerms), **columns)
