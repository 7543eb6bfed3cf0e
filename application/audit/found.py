"""The results of a search of the audit, as the log has them: enough to tell one from another."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import DictRow

from application.audit.replay import Step, steps_without_changes
from application.eventstore import event_log
from application.eventstore.mapper import JSONMapper
from domain.booking import Booking
from domain.calendar import Calendar

_NAMING = (Calendar.Created.TOPIC, Calendar.Changed.TOPIC)
_TIMING = (Booking.Made.TOPIC, Booking.Rescheduled.TOPIC)


@dataclass(frozen=True)
class Found:
    """A link, a booking, a calendar or an agenda day. Times are UTC.

    `first_topic` and `last_topic` are those of its first and newest event, and `recorded_at` is
    when the first was recorded. `calendar` is the name that the calendar has now. `slot_start` and
    `slot_end` are there for a booking. What an event that can't be read would say is None.
    """

    id: UUID
    first_topic: str
    last_topic: str
    recorded_at: datetime
    owner_id: str | None
    calendar: str | None
    slot_start: datetime | None
    slot_end: datetime | None


def describe(conn: Connection[DictRow], mapper: JSONMapper, ids: Collection[UUID]) -> list[Found]:
    """Returns what the log says of these aggregates, in the order in which they began."""
    firsts = steps_without_changes(conn, event_log.read_first(conn, ids), mapper)
    newest = {row.originator_id: row.topic for row in event_log.read_newest_of(conn, ids)}
    slots = _data(conn, mapper, ids, _TIMING)
    calendars = {calendar for step in firsts if (calendar := _calendar_of(step)) is not None}
    terms = _data(conn, mapper, calendars, _NAMING)
    found = []
    for step in firsts:
        subject, calendar = step.recorded.originator_id, _calendar_of(step)
        slot = slots.get(subject, {})
        found.append(
            Found(
                id=subject,
                first_topic=step.recorded.topic,
                last_topic=newest[subject],
                recorded_at=step.recorded.recorded_at,
                owner_id=step.data.get("owner_id"),
                calendar=None if calendar is None else _name(terms.get(calendar, {})),
                slot_start=_moment(slot.get("slot_start")),
                slot_end=_moment(slot.get("slot_end")),
            )
        )
    return found


def _data(
    conn: Connection[DictRow], mapper: JSONMapper, ids: Iterable[UUID], topics: Collection[str]
) -> dict[UUID, dict[str, Any]]:
    """Returns the data of the newest event with one of the topics, by aggregate."""
    rows = event_log.read_newest_of(conn, list(ids), topics)
    steps = steps_without_changes(conn, rows, mapper)
    return {step.recorded.originator_id: step.data for step in steps}


def _calendar_of(step: Step) -> UUID | None:
    if step.recorded.topic in _NAMING:
        return step.recorded.originator_id
    named = step.data.get("calendar_id")
    return None if named is None else UUID(named)


def _name(data: dict[str, Any]) -> str | None:
    name: str | None = data.get("terms", {}).get("name")
    return name


def _moment(text: str | None) -> datetime | None:
    return None if text is None else msgspec.convert(text, datetime)
