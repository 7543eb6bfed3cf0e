"""The owner's calendars, and what an invitee sees of one."""

from dataclasses import dataclass
from uuid import UUID

import msgspec
from psycopg.rows import DictRow

from application.eventstore.database import Database
from domain.calendar import Calendar, CalendarTerms
from domain.errors import CalendarNotFound
from projections.engine.projection import Projection, applies
from projections.engine.tables import Rows, Table

NAME = "calendar_list_v1"


@dataclass(frozen=True)
class CalendarRow:
    """A calendar as last decided; `version` is what a change has to name."""

    id: UUID
    owner_id: UUID
    version: int
    is_archived: bool
    terms: CalendarTerms


CALENDARS = Table(
    NAME,
    key="calendar_id",
    columns={
        "calendar_id": "uuid",
        "owner_id": "uuid",
        "position": "bigint",
        "version": "bigint",
        "is_archived": "boolean",
        "terms": "jsonb",
    },
    indexes={"owner": "(owner_id, position)"},
)


class CalendarList(Projection):
    """One row a calendar."""

    name = NAME
    tables = (CALENDARS,)

    @applies(Calendar.Created)
    def _created(self, event: Calendar.Created, position: int, rows: Rows) -> None:
        rows.insert(
            CALENDARS,
            calendar_id=event.originator_id,
            owner_id=event.owner_id,
            position=position,
            version=event.originator_version,
            is_archived=False,
            terms=msgspec.to_builtins(event.terms),
        )

    @applies(Calendar.Changed)
    def _changed(self, event: Calendar.Changed, position: int, rows: Rows) -> None:
        rows.update(
            CALENDARS,
            event.originator_id,
            version=event.originator_version,
            terms=msgspec.to_builtins(event.terms),
        )

    @applies(Calendar.Archived)
    def _archived(self, event: Calendar.Archived, position: int, rows: Rows) -> None:
        rows.update(
            CALENDARS, event.originator_id, version=event.originator_version, is_archived=True
        )


def calendars_of(database: Database, owner_id: UUID) -> list[CalendarRow]:
    """All calendars of an owner, the archived ones too, in the order they were created."""
    rows = database.fetch_all(
        "SELECT * FROM calendar_list_v1 WHERE owner_id = %s ORDER BY position", (owner_id,)
    )
    return [_row(row) for row in rows]


def calendar(database: Database, calendar_id: UUID) -> CalendarRow:
    """One calendar, whoever's it is. Raises `CalendarNotFound`."""
    row = database.fetch_one(
        "SELECT * FROM calendar_list_v1 WHERE calendar_id = %s", (calendar_id,)
    )
    if row is None:
        raise CalendarNotFound
    return _row(row)


def calendar_of(database: Database, owner_id: UUID, calendar_id: UUID) -> CalendarRow:
    """One calendar of this owner. Raises `CalendarNotFound`, for another owner's too."""
    found = calendar(database, calendar_id)
    if found.owner_id != owner_id:
        raise CalendarNotFound
    return found


def row_of(calendar: Calendar) -> CalendarRow:
    """Returns the row that the view will have for a calendar."""
    return CalendarRow(
        id=calendar.id,
        owner_id=calendar.owner_id,
        version=calendar.version,
        is_archived=calendar.is_archived,
        terms=calendar.terms,
    )


def _row(row: DictRow) -> CalendarRow:
    return CalendarRow(
        id=row["calendar_id"],
        owner_id=row["owner_id"],
        version=row["version"],
        is_archived=row["is_archived"],
        terms=msgspec.convert(row["terms"], CalendarTerms),
    )
