"""The pages of accounts, and which pages each role sees."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from interface.bootstrap import Services
from tests.support.signed_in_browser import SignedIn, sign_in


@pytest.fixture
def admin(sign_in_as: Callable[..., SignedIn]) -> SignedIn:
    """An admin, signed in."""
    return sign_in_as("admin")


@pytest.fixture
def path(services: Services) -> str:
    """The page of an auditor's account."""
    account = services.accounts.create(
        email="ada@example.org", name="Ada Auditor", roles=("auditor",)
    )
    return f"/accounts/{account.id}"


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def test_an_account_is_created_and_its_sign_in_link_is_shown_once(
    admin: SignedIn, app: Flask, services: Services
) -> None:
    form = {"email": "ada@example.org", "name": "Ada", "roles": ["owner", "auditor"]}
    answer = admin.post("/accounts", form)
    assert answer.status_code == 201
    link = re.search(r"/sign-in/([^\"]+)\"", text(answer))
    assert link
    account = services.accounts.by_email("ada@example.org")
    assert (account.name, account.roles) == ("Ada", ("owner", "auditor"))
    assert "/sign-in/" not in text(admin.get(f"/accounts/{account.id}"))
    sign_in(app.test_client(), account, link[1], admin.catch_up)
    assert "ada@example.org" in text(admin.get("/accounts"))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"email": ""}, "Enter an e-mail address."),
        ({"email": "nonsense"}, "Enter one e-mail address"),
        ({"email": "taken@example.org"}, "An account with this address already exists."),
        ({"roles": []}, "Select at least one role."),
    ],
)
def test_what_is_wrong_with_a_new_account_is_said(
    admin: SignedIn, services: Services, wrong: dict[str, Any], sentence: str
) -> None:
    services.accounts.create(email="taken@example.org", name=None, roles=("owner",))
    before = services.accounts.all()
    answer = admin.post("/accounts", {"email": "ada@example.org", "roles": ["owner"]} | wrong)
    assert answer.status_code == 422
    assert sentence in text(answer)
    assert services.accounts.all() == before


def test_access_is_ended_and_given_back(admin: SignedIn, services: Services, path: str) -> None:
    for action, notice, is_disabled in (
        ("disable", "Account disabled.", True),
        ("enable", "Account enabled.", False),
        ("sign-out", "Signed out everywhere.", False),
    ):
        answer = admin.post(f"{path}/{action}")
        assert notice in text(admin.get(answer.headers["Location"]))
        account = services.accounts.by_email("ada@example.org")
        assert (account.disabled_at is not None) == is_disabled
    assert "/sign-in/" in text(admin.post(f"{path}/sign-in-link"))


def test_roles_are_changed(admin: SignedIn, services: Services, path: str) -> None:
    answer = admin.post(f"{path}/roles", {"roles": ["owner", "operator"]})
    assert answer.status_code == 303
    assert services.accounts.by_email("ada@example.org").roles == ("operator", "owner")
    assert admin.post(f"{path}/roles", {"roles": []}).status_code == 422


@pytest.mark.parametrize(("action", "form"), [("disable", {}), ("roles", {"roles": ["owner"]})])
def test_the_last_admin_is_told_why_they_stay(
    admin: SignedIn, action: str, form: dict[str, Any]
) -> None:
    answer = admin.post(f"/accounts/{admin.account.id}/{action}", form)
    assert answer.status_code == 409
    assert "This is the only admin left." in text(answer)
    assert admin.get("/accounts").status_code == 200


OWNERS = (
    *("/settings/calendars", "/links", "/bookings", "/settings/calendars/new"),
    *("/settings/schedules", "/settings/connections"),
)
SETTINGS = ("/settings", "/settings/account", "/settings/access", "/settings/notifications")


@pytest.mark.parametrize(
    ("role", "first", "pages"),
    [
        ("owner", None, {*OWNERS, *SETTINGS}),
        ("auditor", "/audit", {"/audit", *SETTINGS}),
        ("operator", "/operations", {"/operations", *SETTINGS}),
        ("admin", None, {*OWNERS, "/audit", "/operations", "/accounts", *SETTINGS}),
    ],
)
def test_each_role_sees_its_own_pages_and_begins_at_them(
    sign_in_as: Callable[..., SignedIn], role: str, first: str | None, pages: set[str]
) -> None:
    someone = sign_in_as(role)
    assert someone.get("/").headers.get("Location") == first
    everything = {*OWNERS, "/audit", "/operations", "/accounts", *SETTINGS}
    shown = {page for page in everything if someone.get(page).status_code == 200}
    assert shown == pages
    assert {someone.get(page).status_code for page in everything - pages} <= {403}
    menu = set(re.findall(r'<li><a href="(/[^"]+)"', text(someone.get("/settings/access"))))
    assert "/settings/account" in menu
    assert menu <= pages


def test_whoever_is_signed_in_can_use_a_sign_in_link(person: SignedIn, services: Services) -> None:
    before = services.sessions.all(person.account, now=services.now())
    token = services.accounts.sign_in_token(person.account)
    assert person.client.post(f"/sign-in/{token}").status_code == 303
    (after,) = services.sessions.all(person.account, now=services.now())
    assert [after.id] != [each.id for each in before]
    assert person.client.get("/settings/access").status_code == 200


def test_one_of_several_browsers_is_signed_out(person: SignedIn, services: Services) -> None:
    current = services
    other = current.sessions.start(person.account, now=current.now(), browser="Safari, iPhone")
    page = text(person.get("/settings/access"))
    assert "Safari, iPhone" in page
    assert "This browser" in page
    answer = person.post(f"/account/sessions/{other.id}/end")
    assert "Signed out of that browser." in text(person.get(answer.headers["Location"]))
    assert "Safari, iPhone" not in text(person.get("/settings/access"))
    assert person.post(f"/account/sessions/{other.id}/end").status_code == 404
