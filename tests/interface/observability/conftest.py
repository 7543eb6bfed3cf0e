"""The network between a service and its database."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.database_proxy import Proxy


@pytest.fixture(scope="module")
def network(new_database: Callable[[], str]) -> Iterator[Proxy]:
    """The way to a database of its own."""
    proxy = Proxy(new_database())
    yield proxy
    proxy.close()
