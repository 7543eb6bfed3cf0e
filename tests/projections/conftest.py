import pytest

from interface.bootstrap import Services
from tests.desk import Desk


@pytest.fixture
def desk(services: Services) -> Desk:
    """Gives commands to services on an empty database."""
    return Desk(services)
