"""The base class of reactions: what events cause outside of the log and its views."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import event_log
from application.eventstore.event_log import RecordedEvent
from application.eventstore.mapper import MAPPER
from projections.engine import positions
from projections.engine.projection import Handler, Memory, Projection
from projections.engine.tables import Copy, Rows, Write

_RECORDED_AT = attrgetter("recorded_at")


class Reaction(Projection):
    """Follows the log like a projection, and adds deliveries instead of rows of a view.

    It has a position of its own, which moves in the transaction that adds the deliveries.
    Nothing rebuilds it, so nothing is ever sent because a view was rebuilt. Its handlers are
    `noting` the events that concern it, and its `react` gets these, with positions.
    """

    tables = ()

    @abstractmethod
    def react(
        self, conn: Connection[DictRow], noted: Sequence[tuple[int, Any]], memory: Memory
    ) -> list[Write]:
        """Returns what adds and ends deliveries because of these events; `conn` is for reading."""

    def writes(
        self,
        conn: Connection[DictRow],
        rows: Rows,
        batch: Sequence[RecordedEvent],
        memory: Memory,
    ) -> Sequence[Write | Copy]:
        """Reacts to what was noted, but not to what was recorded before this reaction began."""
        if not rows.noted:
            return ()
        if "begun_at" not in memory:
            memory["begun_at"] = positions.begun_at(conn, self.name)
        begun_at: datetime = memory["begun_at"]
        noted = rows.noted
        if min(map(_RECORDED_AT, batch)) < begun_at:
            new = {event.position for event in batch if event.recorded_at >= begun_at}
            noted = [(position, event) for position, event in noted if position in new]
        return self.react(conn, noted, memory) if noted else ()

    def create(self, conn: Connection[DictRow]) -> None:
        """Begins at the head of the log, so that nobody is told about what is long past."""
        positions.start(conn, self.name, event_log.head(conn))


def noting(*kinds: type[Any]) -> dict[str, Handler]:
    """Returns handlers that note events of these classes."""

    def note(_: Reaction, event: Any, rows: Rows) -> None:
        rows.note(event)

    return dict.fromkeys((kind.TOPIC for kind in kinds), note)


def first_events(conn: Connection[DictRow], noted: Iterable[tuple[int, Any]]) -> dict[UUID, Any]:
    """Returns the first event of each noted event's aggregate, from `noted` or from the log."""
    first = {event.originator_id: event for _, event in noted if event.originator_version == 1}
    earlier = {event.originator_id for _, event in noted} - first.keys()
    for recorded in event_log.read_first(conn, earlier) if earlier else ():
        first[recorded.originator_id] = MAPPER.event_of(recorded)
    return first
