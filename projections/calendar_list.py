"""The owner's calendars, and what an invitee sees of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatchmethod
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from application.database import Database
from domain.calendar import Calendar, CalendarTerms
from domain.errors import CalendarNotFound
from projections.projection import Change, Projection, Recorded

NAME = "calendar_list_v1"


@dataclass(frozen=True)
class CalendarRow:
    """A calendar as last decided; `version` is what a change has to name."""

    id: UUID
    owner_id: UUID
    version: int
    is_archived: bool
    terms: CalendarTerms


class CalendarList(Projection):
    """One row a calendar."""

    name = NAME
    tables = """
        CREATE TABLE IF NOT EXISTS calendar_list_v1 (
            calendar_id uuid PRIMARY KEY,
            owner_id uuid NOT NULL,
            position bigint NOT NULL,
            version bigint NOT NULL,
            is_archived boolean NOT NULL,
            terms jsonb NOT NULL
        );
        CREATE INDEX IF NOT EXISTS calendar_list_v1_owner
            ON calendar_list_v1 (owner_id, position);
        """

    def changes(self, recorded: Recorded) -> Iterator[Change]:
        """See `Projection.changes`."""
        return self._changes(recorded.event, recorded.position)

    @singledispatchmethod
    def _changes(self, event: DomainEventProtocol[UUID], position: int) -> Iterator[Change]:
        yield from ()

    @_changes.register
    def _(self, event: Calendar.Created, position: int) -> Iterator[Change]:
        yield Change(
            """INSERT INTO calendar_list_v1
                (calendar_id, owner_id, position, version, is_archived, terms)
            VALUES (%s, %s, %s, %s, false, %s)""",
            (
                event.originator_id,
                event.owner_id,
                position,
                event.originator_version,
                _json(event.terms),
            ),
        )

    @_changes.register
    def _(self, event: Calendar.Changed, position: int) -> Iterator[Change]:
        yield Change(
            "UPDATE calendar_list_v1 SET version = %s, terms = %s WHERE calendar_id = %s",
            (event.originator_version, _json(event.terms), event.originator_id),
        )

    @_changes.register
    def _(self, event: Calendar.Archived, position: int) -> Iterator[Change]:
        yield Change(
            "UPDATE calendar_list_v1 SET version = %s, is_archived = true WHERE calendar_id = %s",
            (event.originator_version, event.originator_id),
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


def _json(terms: CalendarTerms) -> Jsonb:
    return Jsonb(msgspec.to_builtins(terms))


def _row(row: DictRow) -> CalendarRow:
    return CalendarRow(
        id=row["calendar_id"],
        owner_id=row["owner_id"],
        version=row["version"],
        is_archived=row["is_archived"],
        terms=msgspec.convert(row["terms"], CalendarTerms),
    )
