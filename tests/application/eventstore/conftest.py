"""The event store's database, and the network before it."""

from collections.abc import Iterator

import pytest

from application.eventstore.database import Database
from tests.support.database_proxy import Proxy


@pytest.fixture
def database(conninfo: str) -> Iterator[Database]:
    """The database, with up to five connections."""
    database = Database(conninfo, max_pool_size=5)
    yield database
    database.close()


@pytest.fixture
def proxy(conninfo: str) -> Iterator[Proxy]:
    """Passes on what is sent to the database and back, or loses it."""
    proxy = Proxy(conninfo)
    yield proxy
    proxy.close()
