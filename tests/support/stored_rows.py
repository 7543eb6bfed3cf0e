"""Rows to append to the log, and the rows that it holds."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
from eventsourcing.persistence import StoredEvent

from application.eventstore.recorder import PersonalDataRow
from interface.bootstrap import Services

SALT = bytes(32)


def stored(
    originator_id: UUID | str | None = None,
    version: int = 1,
    *,
    topic: str = "test.happened",
    state: str = "{}",
) -> StoredEvent:
    """Returns an event to append. By default its aggregate is a new one."""
    return StoredEvent(originator_id or uuid4(), version, topic, state.encode())


def typed(event: StoredEvent) -> PersonalDataRow:
    """Returns a row of personal data for an event."""
    assert isinstance(event.originator_id, UUID)
    return PersonalDataRow(event.originator_id, event.originator_version, SALT, {"name": "Ada"})


def query(conninfo: str, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    """Runs a statement on a connection of its own and returns its rows."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        found = conn.execute(statement.encode(), params)
        return found.fetchall() if found.description else []


def log(conninfo: str) -> list[tuple[int, UUID, int]]:
    """Returns position, id and version of every event in the log, in order."""
    return query(
        conninfo,
        """SELECT notification_id, originator_id, originator_version FROM stored_events
        ORDER BY notification_id""",
    )


def personal_data(conninfo: str) -> list[tuple[UUID, int]]:
    """Returns id and version of every row of personal data."""
    return query(conninfo, "SELECT originator_id, originator_version FROM personal_data")


def recorded(services: Services) -> tuple[int, int]:
    """Returns how many events and rows of personal data there are."""
    row = services.database.fetch_one(
        """SELECT (SELECT count(*) FROM stored_events) AS events,
        (SELECT count(*) FROM personal_data) AS personal_data"""
    )
    assert row is not None
    return row["events"], row["personal_data"]
