"""The owner's schedules. Which calendars follow one, the list of calendars tells."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from psycopg import sql

from application.eventstore.database import Database
from domain.errors import ScheduleNotFound
from domain.schedule import Schedule, ScheduleTerms
from projections.engine.projection import Projection, applies
from projections.engine.tables import Rows, Table
from projections.views.calendar_list import CALENDARS

NAME = "schedule_list_v1"


@dataclass
class StoredSchedule:
    """The columns of a schedule."""

    schedule_id: UUID
    owner_id: UUID
    position: int
    version: int
    is_archived: bool
    terms: dict[str, Any]


@dataclass(frozen=True)
class ScheduleRow:
    """A schedule as last decided, with the calendars that follow it.

    A change has to name its `version`.
    """

    id: UUID
    owner_id: UUID
    version: int
    terms: ScheduleTerms
    calendar_ids: list[UUID]


SCHEDULES = Table(NAME, StoredSchedule, indexes={"owner": "(owner_id, position)"})


class ScheduleList(Projection):
    """One row for each schedule, also for those that were archived."""

    name = NAME
    tables = (SCHEDULES,)

    @applies(Schedule.Created)
    def _created(self, event: Schedule.Created, rows: Rows) -> None:
        rows.insert(
            SCHEDULES,
            StoredSchedule(
                schedule_id=event.originator_id,
                owner_id=event.owner_id,
                position=rows.position,
                version=event.originator_version,
                is_archived=False,
                terms=msgspec.to_builtins(event.terms),
            ),
        )

    @applies(Schedule.Changed)
    def _changed(self, event: Schedule.Changed, rows: Rows) -> None:
        schedule = rows.change(SCHEDULES, event.originator_id)
        schedule.version = event.originator_version
        schedule.terms = msgspec.to_builtins(event.terms)

    @applies(Schedule.CalendarJoined)
    def _calendar_joined(self, event: Schedule.CalendarJoined, rows: Rows) -> None:
        rows.change(SCHEDULES, event.originator_id).version = event.originator_version

    @applies(Schedule.CalendarLeft)
    def _calendar_left(self, event: Schedule.CalendarLeft, rows: Rows) -> None:
        rows.change(SCHEDULES, event.originator_id).version = event.originator_version

    @applies(Schedule.Archived)
    def _archived(self, event: Schedule.Archived, rows: Rows) -> None:
        schedule = rows.change(SCHEDULES, event.originator_id)
        schedule.version = event.originator_version
        schedule.is_archived = True


_SELECT = sql.SQL("""
    SELECT schedule_id AS id, owner_id, version, terms, ARRAY(
        SELECT calendar_id FROM {calendars} AS calendar
        WHERE calendar.owner_id = schedule.owner_id
            AND calendar.terms->>'schedule_id' = schedule.schedule_id::text
        ORDER BY calendar.position
    ) AS calendar_ids
    FROM {schedules} AS schedule WHERE NOT is_archived AND owner_id = %s
""").format(calendars=CALENDARS.identifier, schedules=SCHEDULES.identifier)


def schedules_of(database: Database, owner_id: UUID) -> list[ScheduleRow]:
    """Returns all schedules of an owner but archived ones, in the order of their creation."""
    rows = database.fetch_all(_SELECT + sql.SQL("ORDER BY position"), (owner_id,))
    return [_row(**row) for row in rows]


def schedule_of(database: Database, owner_id: UUID, schedule_id: UUID) -> ScheduleRow:
    """Returns one schedule of this owner.

    Raises `ScheduleNotFound`, also for an archived one and for another owner's.
    """
    row = database.fetch_one(_SELECT + sql.SQL("AND schedule_id = %s"), (owner_id, schedule_id))
    if row is None:
        raise ScheduleNotFound
    return _row(**row)


def row_of(schedule: Schedule) -> ScheduleRow:
    """Returns the row that the view will have for a schedule."""
    return ScheduleRow(
        schedule.id, schedule.owner_id, schedule.version, schedule.terms, schedule.calendar_ids
    )


def _row(terms: dict[str, Any], **columns: Any) -> ScheduleRow:
    return ScheduleRow(terms=msgspec.convert(terms, ScheduleTerms), **columns)
