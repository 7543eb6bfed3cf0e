"""Writes into the log without the service."""

import json
from typing import Any
from uuid import UUID

import psycopg

from tests.support.log_trigger import bypass_log_trigger

_APPEND = """
    INSERT INTO stored_events (originator_id, originator_version, topic, state)
    SELECT %(id)s, 1 + coalesce(max(version), 0), %(topic)s, %(state)s FROM log WHERE id = %(id)s
    RETURNING notification_id"""


class LogForger:
    """Changes the log; every method is a transaction of its own."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    def positions(self, topic: str) -> list[int]:
        """Returns the positions of the events of a topic, in order."""
        return [
            position
            for (position,) in self._all(
                "SELECT position FROM log WHERE topic = %s ORDER BY position", topic
            )
        ]

    def append(self, topic: str, originator_id: UUID, data: dict[str, Any]) -> int:
        """Appends an event with the next version of its aggregate, and returns its position."""
        values = {"id": originator_id, "topic": topic, "state": json.dumps(data).encode()}
        ((position,),) = self._all(_APPEND, values)
        return int(position)

    def repeat(self, position: int, to: UUID | None = None, /, **changes: Any) -> int:
        """Appends an event again, changed, or to another aggregate; returns its position."""
        ((topic, known, data),) = self._all(
            "SELECT topic, id, data FROM log WHERE position = %s", position
        )
        return self.append(topic, to or known, data | changes)

    def rewrite(self, position: int, /, **changes: Any) -> None:
        """Changes fields of an event."""
        ((data,),) = self._all("SELECT data FROM log WHERE position = %s", position)
        self._all(
            "UPDATE stored_events SET state = %s WHERE notification_id = %s RETURNING 1",
            json.dumps(data | changes).encode(),
            position,
        )

    def delete(self, position: int) -> None:
        """Deletes an event."""
        self._all("DELETE FROM stored_events WHERE notification_id = %s RETURNING 1", position)

    def _all(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        values = params[0] if isinstance(params[0], dict) else params
        with psycopg.connect(self._conninfo) as conn:
            bypass_log_trigger(conn)
            return conn.execute(statement.encode(), values).fetchall()
