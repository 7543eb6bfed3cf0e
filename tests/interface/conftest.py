"""People with links, at the pages."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.conftest import Owner
from tests.examples import calendar_json
from tests.invited import Invited


@pytest.fixture
def new_invited(app: Flask, owner: Owner) -> Callable[..., Invited]:
    """Makes a calendar with those changes, a link for it, and a browser."""

    def make(**changes: Any) -> Invited:
        terms = calendar_json(**changes)
        calendar_id = owner.post("/calendars", terms).json["id"]
        link = owner.post(f"/calendars/{calendar_id}/links", {}).json
        return Invited(owner, link, app.test_client())

    return make


@pytest.fixture
def invited(new_invited: Callable[..., Invited]) -> Invited:
    """Somebody with a link for the example's calendar."""
    return new_invited(location="Room 1", description="Hello.")
