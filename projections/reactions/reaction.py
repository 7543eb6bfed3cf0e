"""The base class of reactions: what events cause outside of the log and its views."""

from psycopg import Connection
from psycopg.rows import DictRow

from application.eventstore import event_log
from projections.engine import positions
from projections.engine.projection import Projection


class Reaction(Projection):
    """Follows the log like a projection, and adds deliveries instead of rows of a view.

    It has a position of its own, which moves in the transaction that adds the deliveries.
    Nothing rebuilds it, so nothing is ever sent because a view was rebuilt. Its handlers call
    `rows.note`, and its `write` acts on `rows.noted`.
    """

    tables = ()

    def create(self, conn: Connection[DictRow]) -> None:
        """Begins at the head of the log, so that nobody is told about what is long past."""
        positions.start(conn, self.name, event_log.head(conn))
