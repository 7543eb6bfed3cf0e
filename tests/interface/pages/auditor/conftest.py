"""An auditor at a browser."""

from collections.abc import Callable

import pytest

from tests.support.signed_in_browser import SignedIn


@pytest.fixture
def auditor(sign_in_as: Callable[..., SignedIn]) -> SignedIn:
    """An auditor, signed in, who lives in Paris."""
    return sign_in_as("auditor")
