from collections.abc import Iterator

import psycopg
import pytest
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from interface.bootstrap import Services
from tests.projections.unreadable_events import Views, apply_all, rows
from tests.support.desk import Desk
from tests.support.every_event import everything_happens


@pytest.fixture
def desk(services: Services) -> Desk:
    """Gives commands to services on an empty database."""
    return Desk(services)


@pytest.fixture
def conn(conninfo: str) -> Iterator[Connection[DictRow]]:
    """A connection as the runner has one."""
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def right(desk: Desk, conn: Connection[DictRow]) -> Views:
    """What the views of a log show in which everything happened."""
    everything_happens(desk)
    apply_all(conn)
    return rows(conn)
