"""The account page: name and zone, password, browsers, API keys."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from interface.bootstrap import Services
from tests.support.examples import NOW
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn, sign_in, signed_in

PASSWORD = "correct horse battery"  # noqa: S105
NEW_PASSWORD = "staple correct horse"  # noqa: S105


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def error_at(answer: Any, name: str) -> str:
    """The sentence beside a field."""
    found = re.search(rf'<small id="{name}-help" class="error">([^<]*)<', text(answer))
    return found[1].strip() if found else ""


def signs_in(app: Flask, person: SignedIn, password: str) -> FlaskClient | None:
    """Another browser, if the password signs it in."""
    browser = app.test_client()
    form = {"email": person.account.email, "password": password}
    return browser if browser.post("/", data=form).status_code == 303 else None


@pytest.fixture
def with_password(person: SignedIn, services: Services) -> SignedIn:
    """Signed in, with a password."""
    services.sessions.set_password(person.account, PASSWORD, now=NOW)
    form = {"email": person.account.email, "password": PASSWORD}
    assert person.client.post("/", data=form).status_code == 303
    return signed_in(person.client, person.account, person.catch_up)


def test_name_and_time_zone_are_changed(person: SignedIn, services: Services) -> None:
    answer = person.post("/account", {"name": " Olivia O. ", "time_zone": "new york"})
    assert answer.status_code == 303
    assert "Changes saved." in text(person.get(answer.headers["Location"]))
    account = services.accounts.by_id(person.account.id)
    assert (account.name, account.time_zone) == ("Olivia O.", "America/New_York")
    assert person.post("/account", {"name": "Olivia", "time_zone": ""}).status_code == 303
    assert services.accounts.by_id(person.account.id).time_zone is None


@pytest.mark.parametrize(
    ("path", "address"), [("/bookings?view=week", "/bookings?view=week"), ("//elsewhere.org", "/")]
)
def test_the_browsers_zone_is_proposed_to_somebody_who_has_saved_none(
    person: SignedIn, path: str, address: str
) -> None:
    shown = "data-propose-zone"
    assert shown in text(person.get("/bookings"))
    answer = person.post("/account", {"name": "Olivia", "time_zone": "Asia/Tokyo", "next": path})
    assert answer.headers["Location"] == address
    page = text(person.get("/bookings"))
    assert "Times shown in Japan Time\u00a0– Tokyo." in page
    assert shown not in page


def test_a_wrong_name_or_zone_is_said_and_kept_in_the_form(
    person: SignedIn, services: Services
) -> None:
    answer = person.post("/account", {"name": "", "time_zone": "Atlantis"})
    assert answer.status_code == 422
    assert error_at(answer, "name") == "Enter your name."
    assert "IANA" in error_at(answer, "time_zone")
    assert 'value="Atlantis"' in text(answer)
    assert services.accounts.by_id(person.account.id).name == "Olivia Owner"


def test_an_account_without_a_password_can_set_one(person: SignedIn, app: Flask) -> None:
    page = text(person.get("/settings/access"))
    assert "You don't have a password yet." in page
    assert 'name="current_password"' not in page
    form = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    answer = person.post("/account/password", form)
    assert answer.status_code == 303
    page = text(person.get(answer.headers["Location"]))
    assert "Password changed." in page
    assert "You don't have a password yet." not in page
    assert signs_in(app, person, NEW_PASSWORD)


def test_a_forgotten_password_is_replaced_by_way_of_a_sign_in_link(
    with_password: SignedIn, app: Flask, services: Services
) -> None:
    token = services.accounts.sign_in_token(with_password.account)
    came = sign_in(app.test_client(), with_password.account, token, with_password.catch_up)
    assert 'name="current_password"' not in text(came.get("/settings/access"))
    form = {"password": NEW_PASSWORD, "password_again": NEW_PASSWORD}
    assert came.post("/account/password", form).status_code == 303
    assert signs_in(app, with_password, NEW_PASSWORD)
    assert 'name="current_password"' in text(came.get("/settings/access"))


def test_a_new_password_signs_all_other_browsers_out(with_password: SignedIn, app: Flask) -> None:
    other = signs_in(app, with_password, PASSWORD)
    assert other is not None
    form = {
        "current_password": PASSWORD,
        "password": NEW_PASSWORD,
        "password_again": NEW_PASSWORD,
    }
    before = with_password.client.get_cookie("__Host-admitone")
    assert with_password.post("/account/password", form).status_code == 303
    assert with_password.client.get_cookie("__Host-admitone") != before
    assert with_password.get("/settings/access").status_code == 200
    assert other.get("/settings/access").status_code == 302
    assert signs_in(app, with_password, PASSWORD) is None
    assert signs_in(app, with_password, NEW_PASSWORD)


@pytest.mark.parametrize(
    ("wrong", "field", "sentence"),
    [
        ({"current_password": "guess"}, "current_password", "isn't your current password"),
        ({"current_password": ""}, "current_password", "isn't your current password"),
        ({"password": ""}, "password", "Enter a new password."),
        ({"password": "short", "password_again": "short"}, "password", "12 to 256 characters"),
        (
            {"password": "olivia owner 1", "password_again": "olivia owner 1"},
            "password",
            "easy to guess",
        ),
        ({"password_again": "another"}, "password_again", "don't match"),
    ],
)
def test_a_password_is_not_changed_by_mistake_or_by_somebody_else(
    with_password: SignedIn, app: Flask, wrong: dict[str, str], field: str, sentence: str
) -> None:
    right = {
        "current_password": PASSWORD,
        "password": NEW_PASSWORD,
        "password_again": NEW_PASSWORD,
    }
    answer = with_password.post("/account/password", right | wrong)
    assert answer.status_code == 422
    assert sentence in error_at(answer, field)
    assert NEW_PASSWORD not in text(answer)
    assert signs_in(app, with_password, PASSWORD)


def test_signing_out_everywhere_leaves_this_browser(with_password: SignedIn, app: Flask) -> None:
    other = signs_in(app, with_password, PASSWORD)
    assert other is not None
    answer = with_password.post("/account/sign-out-everywhere")
    assert "Signed out everywhere else." in text(with_password.get(answer.headers["Location"]))
    assert other.get("/settings/access").status_code == 302


def test_an_api_key_is_shown_once_and_works(person: SignedIn, app: Flask) -> None:
    answer = person.post("/account/keys", {"key_name": "Website", "scopes": ["links"]})
    assert answer.status_code == 201
    shown = re.search(r'<input id="new-key"[^>]* value="(ao_[^"]+)"', text(answer))
    assert shown is not None
    assert 'data-copy="new-key"' in text(answer)

    def call(path: str) -> int:
        headers = {"Authorization": f"Bearer {shown[1]}"}
        return app.test_client().get(f"/api/v1{path}", headers=headers).status_code

    assert [call("/links"), call("/calendars")] == [200, 403]
    page = text(person.get("/settings/access"))
    assert shown[1] not in page
    prefix = shown[1].split("_")[1]
    row = page[page.index('row">Website') : page.index("</tr>", page.index('row">Website'))]
    assert f"ao_{prefix}" in row
    assert "never" not in row  # it was used a moment ago
    address = f"/account/keys/{prefix}/revoke"
    assert "Revoke Website?" in text(person.get(address))
    assert call("/links") == 200
    answer = person.post(address)
    assert "API key revoked." in text(person.get(answer.headers["Location"]))
    assert call("/links") == 401
    assert person.post(address).status_code == 303


def test_a_form_for_a_key_that_is_sent_again_shows_the_same_key(
    person: SignedIn, services: Services
) -> None:
    (form_id,) = re.findall('name="form_id" value="([^"]+)"', text(person.get("/settings/access")))
    form = {"key_name": "CRM", "scopes": ["links"], "form_id": form_id}
    before = len(services.api_keys.all())
    pages = [text(person.post("/account/keys", form)) for _ in range(2)]
    (key, again) = (re.findall(r'value="(ao_[^"]+)"', page)[0] for page in pages)
    assert key == again
    assert len(services.api_keys.all()) == before + 1
    caller = services.api_keys.caller(key, now=NOW)
    assert caller is not None
    assert caller.scopes == {"links"}
    limited = text(person.post("/account/keys", form | {"is_agent": "on", "links_a_day": "3"}))
    assert key not in limited  # nor another key than the form asks for
    assert len(services.api_keys.all()) == before + 2
    person.post(f"/account/keys/{key.split('_')[1]}/revoke")
    revoked = person.post("/account/keys", form)
    assert (
        error_at(revoked, "key_name") == "This key was created before and has since been revoked."
    )
    assert len(services.api_keys.all()) == before + 2


def test_a_new_key_may_do_what_owners_do_unless_more_is_selected(
    sign_in_as: Callable[..., SignedIn],
) -> None:
    page = text(sign_in_as("admin").get("/settings/access"))
    scopes = re.findall(r'name="scopes" value="(\w+)"( checked)?', page)
    assert {scope for scope, checked in scopes if checked} == {"bookings", "calendars", "links"}
    assert ("audit", "") in scopes


def test_a_key_needs_a_name_and_no_more_scopes_than_the_account(
    person: SignedIn, services: Services
) -> None:
    before = services.api_keys.all()
    nothing = person.post("/account/keys")
    assert nothing.status_code == 422
    assert error_at(nothing, "key_name") == "Enter what the key is for."
    assert error_at(nothing, "scopes") == "Select at least one permission."
    too_much = person.post("/account/keys", {"key_name": "Spy", "scopes": ["links", "audit"]})
    assert too_much.status_code == 422
    assert error_at(too_much, "scopes") == "Your account doesn't have these permissions."
    assert 'value="audit"' not in text(too_much)
    assert services.api_keys.all() == before


def test_keys_of_other_accounts_are_neither_shown_nor_revoked(
    person: SignedIn, new_owner: Callable[..., Owner], app: Flask
) -> None:
    other = new_owner("Peter Other")
    prefix = other.key.split("_")[1]
    assert prefix not in text(person.get("/settings/access"))
    assert person.get(f"/account/keys/{prefix}/revoke").status_code == 404
    assert person.post(f"/account/keys/{prefix}/revoke").status_code == 404
    assert other.get("/links").status_code == 200


def test_a_key_for_an_assistant_is_marked_and_may_have_a_limit(
    person: SignedIn, services: Services
) -> None:
    form = {"key_name": "Helper", "scopes": ["links"], "is_agent": "yes"}
    wrong = person.post("/account/keys", form | {"links_a_day": "many"})
    assert (
        error_at(wrong, "links_a_day")
        == "Enter a number from 1 to 10000, or leave the field empty."
    )
    assert 'name="is_agent" value="yes" checked' in wrong.text
    wrong = person.post("/account/keys", form | {"links_at_once": "0"})
    assert (
        error_at(wrong, "links_at_once")
        == "Enter a number from 1 to 1000, or leave the field empty."
    )
    limits = {"links_a_day": "5", "links_at_once": "2"}
    assert person.post("/account/keys", form | limits).status_code == 201
    (key,) = [key for key in services.api_keys.of(person.account) if key.is_agent]
    assert (key.name, key.links_a_day, key.links_at_once) == ("Helper", 5, 2)
    page = person.get("/settings/access").text
    assert '<span class="badge">Assistant</span>' in page
    assert "5 links a day" in page
    assert "2 open links at a time" in page
