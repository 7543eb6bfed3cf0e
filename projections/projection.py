"""What a projection is: events in the order of the log, turned into rows of one view."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, LiteralString, NamedTuple
from uuid import UUID

from eventsourcing.domain import DomainEventProtocol
from psycopg import Connection
from psycopg.rows import DictRow

from projections import positions


class Recorded(NamedTuple):
    """An event with its place in the log."""

    position: int
    event: DomainEventProtocol[UUID]


class Change(NamedTuple):
    """One statement against the view."""

    statement: LiteralString
    values: Sequence[object]


class Projection(ABC):
    """Applies events to a view of its own. A fact is never rejected.

    The name ends in the version of the view's shape: another shape takes a new name and
    is built from the log beside the old one.
    """

    name: ClassVar[str]
    tables: ClassVar[LiteralString]

    @abstractmethod
    def changes(self, recorded: Recorded) -> Iterable[Change]:
        """What the event means for the view: nothing, for one that it does not know."""

    def create(self, conn: Connection[DictRow]) -> None:
        """Make the empty view, unless it is there, in the transaction of `conn`."""
        conn.execute(self.tables)
        positions.start(conn, self.name)

    def apply(self, conn: Connection[DictRow], batch: Sequence[Recorded]) -> None:
        """Rows and position, in one transaction. What the view has seen is passed over."""
        with conn.transaction():
            seen = positions.lock(conn, self.name)
            new = [recorded for recorded in batch if recorded.position > seen]
            if not new:
                return
            with conn.pipeline():
                for change in self._all_changes(new):
                    conn.execute(change.statement, change.values, prepare=True)
                positions.advance(conn, self.name, new[-1].position)

    def _all_changes(self, batch: Iterable[Recorded]) -> Iterator[Change]:
        for recorded in batch:
            yield from self.changes(recorded)
