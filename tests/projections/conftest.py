"""Fixtures for the tests of projections."""

import pytest
from psycopg import Connection
from psycopg.rows import DictRow

from tests.projections.unreadable_events import Views, rows
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.projector import apply_all


@pytest.fixture
def right(desk: Desk, conn: Connection[DictRow]) -> Views:
    """The rows of all views for a log with every kind of event."""
    everything_happens(desk)
    apply_all(conn)
    return rows(conn)
