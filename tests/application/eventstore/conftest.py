"""The network between the event store and its database."""

from collections.abc import Iterator

import pytest

from tests.support.database_proxy import Proxy


@pytest.fixture
def proxy(conninfo: str) -> Iterator[Proxy]:
    """Passes on what is sent to the database and back, or loses it."""
    proxy = Proxy(conninfo)
    yield proxy
    proxy.close()
