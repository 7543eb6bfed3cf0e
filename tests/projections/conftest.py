import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from tests.projections.unreadable_events import Views, apply_all, rows
from tests.support.desk import Desk
from tests.support.every_event import everything_happens


@pytest.fixture
def right(desk: Desk, conn: Connection[DictRow]) -> Views:
    """What the views of a log show in which everything happened."""
    everything_happens(desk)
    apply_all(conn)
    return rows(conn)
