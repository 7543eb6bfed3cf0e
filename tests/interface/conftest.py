"""People with links at the pages, and people at the command line."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from interface.bootstrap import Services
from tests.conftest import Owner
from tests.support.audit_trail import Story
from tests.support.calls import booked, new_link
from tests.support.examples import calendar_json
from tests.support.invitee_browser import Invited
from tests.support.signed_in_browser import SignedIn, sign_in


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


@pytest.fixture
def auditor(new_owner: Callable[..., Owner]) -> Owner:
    """Somebody with a key whose only scope is `audit`."""
    return new_owner("Audrey Auditor", roles=("auditor",))


@pytest.fixture
def story(owner: Owner) -> Story:
    """A link that was used, and all that it took."""
    link = new_link(owner, recipient="Ada", note="Met in Lyon")
    booking = booked(owner, link)
    return Story(link["id"], booking["booking_id"], link["calendar_id"], str(owner.account.id))


@pytest.fixture
def enter(app: Flask, new_owner: Callable[..., Owner], services: Services) -> Callable[..., Any]:
    """Signs somebody new in, who has these roles."""

    def enter(*roles: str, name: str = "Ines Inspector") -> SignedIn:
        account = new_owner(name, roles=roles).account
        services.accounts.change(account, name=name, time_zone="Europe/Paris")
        token = services.accounts.sign_in_token(account)
        return sign_in(app.test_client(), account, token, lambda: None)

    return enter


@pytest.fixture
def inspector(enter: Callable[..., SignedIn]) -> SignedIn:
    """An auditor at a browser, whose zone is Paris."""
    return enter("auditor")
