"""Passkeys on pages: signing in with one; adding, naming and removing them."""

import html
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.people.rate_limits import WRONG_PASSKEYS
from interface.bootstrap import Services
from tests.support.authenticator import Authenticator
from tests.support.clock import Clock
from tests.support.signed_in_browser import SignedIn

NO_SUCH_PASSKEY = "/account/passkeys/00000000-0000-4000-8000-000000000000"


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


@pytest.fixture
def device(person: SignedIn) -> Authenticator:
    """A device with a passkey that the person has added on the account page."""
    made = Authenticator()
    options = person.post("/account/passkeys/options").get_json()
    form = {"name": " Phone ", "passkey": made.make(options)}
    answer = person.post("/account/passkeys", form)
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/settings/access?notice=passkey-added",
    )
    return made


def tries(browser: FlaskClient, device: Authenticator, **form: str) -> Any:
    """Signs in with the passkey of a device."""
    options = browser.post("/sign-in/passkey/options").get_json()
    return browser.post("/sign-in/passkey", data={"passkey": device.sign(options)} | form)


def test_a_passkey_signs_in_at_another_browser(
    app: Flask, person: SignedIn, device: Authenticator
) -> None:
    browser = app.test_client()
    assert "Sign in with a passkey" in text(browser.get("/"))
    answer = tries(browser, device, next="/links")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/links")
    assert "Phone" in text(browser.get("/settings/access"))
    assert tries(app.test_client(), device, next="//evil.example").headers["Location"] == "/"


def test_passkeys_that_are_refused_are_counted_and_the_right_one_still_signs_in(
    app: Flask, device: Authenticator
) -> None:
    browser, stranger = app.test_client(), Authenticator(host="book.example.org")
    for _ in range(WRONG_PASSKEYS.failures):
        answer = tries(browser, stranger, next="/links")
        assert answer.status_code == 422
    assert "This passkey was not accepted." in text(answer)
    assert 'name="next" value="/links"' in text(answer)
    assert tries(browser, stranger).status_code == 429
    assert tries(browser, device).status_code == 303


def test_a_passkey_is_renamed_and_removed(
    person: SignedIn, device: Authenticator, app: Flask, services: Services
) -> None:
    (passkey,) = services.passkeys.all(person.account)
    address = f"/account/passkeys/{passkey.id}"
    assert f'href="{address}"' in text(person.get("/settings/access"))
    assert "Enter where the passkey is." in text(person.post(address, {"name": " "}))
    assert person.post(address, {"name": "Old phone"}).status_code == 303
    assert "Old phone" in text(person.get(address))
    answer = person.post(f"{address}/remove")
    assert "Passkey removed." in text(person.get(answer.headers["Location"]))
    assert person.post(f"{address}/remove").status_code == 404
    assert tries(app.test_client(), device).status_code == 422


def test_a_passkey_needs_a_name_and_an_answer_of_the_device(person: SignedIn) -> None:
    options = person.post("/account/passkeys/options").get_json()
    answer = person.post("/account/passkeys", {"passkey": Authenticator().make(options)})
    assert answer.status_code == 422
    assert "Enter where the passkey is." in text(answer)
    answer = person.post("/account/passkeys", {"name": "Phone", "passkey": "{}"})
    assert answer.status_code == 422
    assert "could not be added" in text(answer)
    assert 'value="Phone"' in text(answer)


def test_passkeys_of_other_accounts_are_not_found(person: SignedIn) -> None:
    assert person.get(NO_SUCH_PASSKEY).status_code == 404
    assert person.post(NO_SUCH_PASSKEY, {"name": "Mine"}).status_code == 404


def test_forms_of_other_sites_get_no_challenge_and_sign_nobody_in(
    app: Flask, device: Authenticator
) -> None:
    browser, elsewhere = app.test_client(), {"Origin": "https://evil.example"}
    options = browser.post("/sign-in/passkey/options").get_json()
    form = {"passkey": device.sign(options)}
    for path in ("/sign-in/passkey", "/sign-in/passkey/options", "/account/passkeys/options"):
        assert browser.post(path, data=form, headers=elsewhere).status_code == 403


def test_a_session_by_passkey_ends_like_any_other(
    app: Flask, person: SignedIn, device: Authenticator, services: Services, clock: Clock
) -> None:
    browser = app.test_client()
    tries(browser, device)
    services.accounts.disable(person.account, now=clock())
    assert browser.get("/settings/access").status_code == 302
    assert tries(app.test_client(), device).status_code == 422
