"""People who use the pages and the API."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask

from interface.bootstrap import Services
from tests.support.audit_trail import BookedLink
from tests.support.invitee_browser import InviteeBrowser
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn, sign_in


@pytest.fixture
def new_invitee_browser(app: Flask, owner: Owner) -> Callable[..., InviteeBrowser]:
    """Makes a calendar with those changes, a link for it, and a browser."""

    def make(**changes: Any) -> InviteeBrowser:
        link = owner.new_link(owner.new_calendar(**changes))
        return InviteeBrowser(owner, link, app.test_client())

    return make


@pytest.fixture
def invitee(new_invitee_browser: Callable[..., InviteeBrowser]) -> InviteeBrowser:
    """An invitee with a link to the example's calendar."""
    return new_invitee_browser(location="Room 1", description="Hello.")


@pytest.fixture
def auditor(new_owner: Callable[..., Owner]) -> Owner:
    """An account with an API key whose only scope is `audit`."""
    return new_owner("Audrey Auditor", roles=("auditor",))


@pytest.fixture
def booked(owner: Owner) -> BookedLink:
    """A link that was used for tomorrow at nine."""
    link = owner.new_link(recipient="Ada", note="Met in Lyon")
    booking = owner.book(link)
    return BookedLink(link["id"], booking["booking_id"], link["calendar_id"], str(owner.account.id))


@pytest.fixture
def sign_in_as(
    app: Flask, new_owner: Callable[..., Owner], services: Services
) -> Callable[..., SignedIn]:
    """Signs in somebody new with these roles, who lives in Paris. Views don't catch up."""

    def sign_in_as(*roles: str) -> SignedIn:
        account = new_owner(f"{roles[0].capitalize()} Person", roles=roles).account
        services.accounts.change(account, name=account.name, time_zone="Europe/Paris")
        token = services.accounts.sign_in_token(account)
        return sign_in(app.test_client(), account, token, lambda: None)

    return sign_in_as


@pytest.fixture
def new_empty_database(new_database: Callable[[], str]) -> Callable[[], str]:
    """Creates databases without any table."""

    def create() -> str:
        conninfo = new_database()
        with psycopg.connect(conninfo, autocommit=True) as conn:
            conn.execute("DROP SCHEMA public CASCADE")
            conn.execute("CREATE SCHEMA public")
        return conninfo

    return create


@pytest.fixture
def empty_database(new_empty_database: Callable[[], str]) -> str:
    """A database without any table."""
    return new_empty_database()
