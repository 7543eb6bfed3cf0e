"""What would let somebody else in takes a fresh proof of who is at the browser."""

import html
import re
from typing import Any

import pytest
from flask import Flask

from application.people.authentication import CONFIRMED_BY_LINK_FOR, CONFIRMED_FOR
from application.people.rate_limits import PASSWORDS_BY_CLIENT, WRONG_PASSKEYS
from interface.bootstrap import Services
from tests.support.authenticator import Authenticator
from tests.support.clock import Clock
from tests.support.examples import NOW
from tests.support.signed_in_browser import SignedIn, signed_in

PASSWORD, WRONG = "correct horse battery", "guess"
KEY = {"key_name": "Website", "scopes": ["links", "calendars"]}
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def hidden(answer: Any) -> dict[str, list[str]]:
    """The hidden fields of the last form of a page."""
    found: dict[str, list[str]] = {}
    for name, value in _HIDDEN.findall(text(answer).rpartition("<form")[2]):
        found.setdefault(name, []).append(value)
    return found


def asks(answer: Any) -> bool:
    """True if the page asks who is there instead of doing anything."""
    is_asking = "Confirm that it's you" in text(answer)
    assert is_asking == (answer.status_code == 403)
    return is_asking


@pytest.fixture
def stale(person: SignedIn, services: Services, clock: Clock) -> SignedIn:
    """Signed in with a password, ten minutes ago."""
    services.sessions.set_password(person.account, PASSWORD, now=NOW)
    person.client.post("/", data={"email": person.account.email, "password": PASSWORD})
    clock.time += CONFIRMED_FOR
    return signed_in(person.client, person.account, person.catch_up)


def goes_on(stale: SignedIn, page: Any, **proof: str) -> Any:
    """Gives the proof that the page asks for."""
    return stale.client.post("/account/confirm", data=hidden(page) | proof)


def test_after_ten_minutes_a_password_is_asked_for_and_what_was_typed_is_kept(
    stale: SignedIn, services: Services
) -> None:
    page = stale.post("/account/keys", KEY)
    assert asks(page)
    wrong = goes_on(stale, page, confirm_password=WRONG)
    assert wrong.status_code == 422
    assert "That isn't your current password." in text(wrong)
    right = goes_on(stale, wrong, confirm_password=PASSWORD)
    # The browser sends the same form there that it has sent here.
    assert (right.status_code, right.headers["Location"]) == (307, "/account/keys")
    assert stale.client.post("/account/keys", data=hidden(wrong)).status_code == 201
    assert services.api_keys.of(stale.account)[0].scopes == ("links", "calendars")
    assert stale.post("/account/keys", KEY).status_code == 201


def test_a_passkey_does_as_well(
    stale: SignedIn, services: Services, clock: Clock, app: Flask
) -> None:
    device = Authenticator()
    made = device.make(services.passkeys.begin_to_add(stale.account, now=clock()))
    services.passkeys.add(stale.account, made, name="Phone", now=clock())
    page = stale.post("/account/keys", KEY)
    assert "Use a passkey" in text(page)
    options = stale.post("/account/confirm/options").get_json()
    answer = goes_on(stale, page, confirm_passkey=device.sign(options))
    assert answer.status_code == 307
    assert stale.post("/account/keys", KEY).status_code == 201
    # With a passkey, people who have forgotten their password set a new one.
    assert 'name="current_password"' not in text(stale.get("/settings/access"))

    clock.time += CONFIRMED_FOR
    assert 'name="current_password"' in text(stale.get("/settings/access"))
    page = stale.get("/account/password")
    assert asks(page)
    for _ in range(WRONG_PASSKEYS.failures):
        assert goes_on(stale, page, confirm_passkey="{}").status_code == 422
    assert goes_on(stale, page, confirm_passkey="{}").status_code == 429
    options = stale.post("/account/confirm/options").get_json()
    answer = goes_on(stale, page, confirm_passkey=device.sign(options))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/password")
    assert stale.get("/account/password").headers["Location"] == "/settings/access"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/account/keys", KEY),
        ("/account/passkeys", {"name": "Phone"}),
        ("/account/passkeys/00000000-0000-4000-8000-000000000000/remove", {}),
        ("/accounts", {"email": "eve@example.org", "roles": ["admin"]}),
        ("/accounts/{account}/roles", {"roles": ["owner"]}),
        ("/accounts/{account}/sign-in-link", {}),
    ],
)
def test_each_way_to_let_somebody_else_in_asks(
    stale: SignedIn, services: Services, path: str, form: dict[str, Any]
) -> None:
    services.accounts.change_roles(stale.account, ["admin"])
    page = stale.post(path.format(account=stale.account.id), form)
    assert asks(page)
    assert services.accounts.by_id(stale.account.id).roles == ("admin",)
    assert len(services.accounts.all()) == 1
    kept = hidden(page)
    assert {name: kept[name] for name in form} == {
        name: value if isinstance(value, list) else [value] for name, value in form.items()
    }


def test_a_sign_in_link_is_a_proof_for_an_hour(person: SignedIn, clock: Clock) -> None:
    clock.time += CONFIRMED_BY_LINK_FOR
    clock.advance(seconds=-1)
    assert person.get("/account/passkeys/new").status_code == 200
    clock.advance(seconds=1)
    page = person.get("/account/passkeys/new")
    assert asks(page)
    assert "You have neither a password nor a passkey." in text(page)
    form = {"password": "staple correct horse", "password_again": "staple correct horse"}
    assert asks(person.post("/account/password", form))
    assert goes_on(person, page, confirm_password="").status_code == 422


def test_passwords_are_never_written_into_the_page_that_asks(
    person: SignedIn, clock: Clock
) -> None:
    clock.time += CONFIRMED_BY_LINK_FOR
    form = {"password": "staple correct horse", "password_again": "staple correct horse"}
    assert "staple" not in text(person.post("/account/password", form))


def test_signing_out_everywhere_does_not_prove_who_is_there(stale: SignedIn) -> None:
    stale.post("/account/sign-out-everywhere")
    again = signed_in(stale.client, stale.account, stale.catch_up)
    assert asks(again.post("/account/keys", KEY))


def test_wrong_passwords_count_as_those_at_sign_in(stale: SignedIn) -> None:
    page = stale.post("/account/keys", KEY)
    for _ in range(PASSWORDS_BY_CLIENT.failures):
        assert goes_on(stale, page, confirm_password=WRONG).status_code == 422
    assert goes_on(stale, page, confirm_password=PASSWORD).status_code == 429


def test_confirming_leads_to_our_own_pages_only(stale: SignedIn) -> None:
    for path in ("//evil.example", "https://evil.example", "/\t/evil.example"):
        form = {"confirm_path": path, "confirm_password": PASSWORD}
        assert stale.post("/account/confirm", form).headers["Location"] == "/"
