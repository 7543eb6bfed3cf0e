"""The base class of projections: events, in the order of the log, become rows of a view."""

from abc import ABC
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar, cast

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore.event_log import RecordedEvent
from projections.engine import positions
from projections.engine.tables import Copy, Rows, Table, Write

Handler = Callable[[Any, Any, Rows], None]
Memory = dict[str, Any]
"""What a projection knows from the batches that it has written just before; empty if nothing. The
caller throws it away when a batch could not be written or somebody else may have written one."""

H = TypeVar("H", bound=Callable[..., None])


def applies(event_class: type[Any]) -> Callable[[H], H]:
    """Marks the method of a projection that applies events of this class to the rows."""

    def mark(method: H) -> H:
        cast("Any", method).topic = event_class.TOPIC
        return method

    return mark


class Projection(ABC):
    """Applies events to a view of its own. A fact is never rejected.

    The name ends in the version of the view's shape: another shape takes a new name and
    is built from the log beside the old one. Its methods marked with `@applies` get the
    event and the rows to change; the view ignores all other events.
    """

    name: ClassVar[str]
    tables: ClassVar[Sequence[Table[Any]]]
    handlers: ClassVar[dict[str, Handler]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        marked = (value for value in vars(cls).values() if hasattr(value, "topic"))
        cls.handlers = cls.handlers | {method.topic: method for method in marked}

    def create(self, conn: Connection[DictRow]) -> None:
        """Creates the empty view, unless it is there, in the transaction of `conn`."""
        for table in self.tables:
            table.create(conn)
            table.create_indexes(conn)
        positions.start(conn, self.name)

    def writes(
        self,
        conn: Connection[DictRow],
        rows: Rows,
        batch: Sequence[RecordedEvent],
        memory: Memory,
    ) -> Sequence[Write | Copy]:
        """Returns what writes to the database what the `batch` did to the rows.

        The caller runs that in the transaction that moves the view's position; `conn` is for
        reading what the batch needs, before that transaction or within it.
        """
        return rows.writes()
