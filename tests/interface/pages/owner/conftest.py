"""An owner with a calendar."""

import pytest

from tests.support.owner import Owner


@pytest.fixture
def calendar_id(owner: Owner) -> str:
    """A calendar of the owner: every day from 9 to 5 UTC, half an hour each."""
    return owner.new_calendar()
