"""Accounts are connected with the provider, and people confirm there who they are."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.people.authentication import CONFIRMED_BY_LINK_FOR, CONFIRMED_FOR
from interface.bootstrap import Services
from tests.interface.pages.identity_provider.provider_pages import (
    ADA,
    SECONDS_NOW,
    come_back,
    sent_to,
    text,
    with_claims,
    without,
)
from tests.support.clock import Clock
from tests.support.examples import NOW
from tests.support.identity_provider import Provider
from tests.support.signed_in_browser import SignedIn, sign_in, signed_in


def sent_to_connect(person: SignedIn) -> str:
    """Returns the address to which the page sends the browser to connect the account."""
    page = text(person.post("/account/provider"))
    found = re.search(r'href="(http://127[^"]+)"', page)
    assert found is not None
    assert f'content="0; url={found[1]}"' in page
    return found[1]


def connect(person: SignedIn, provider: Provider, subject: str) -> Any:
    back = provider.sign_in(sent_to_connect(person), subject)
    return person.client.get(back.removeprefix("https://book.example.org"))


def test_who_is_signed_in_connects_the_account_and_disconnects_it(
    person: SignedIn, provider: Provider, services: Services, app: Flask
) -> None:
    assert "Connect with Example ID" in text(person.get("/settings/access"))
    answer = connect(person, provider, "ada")
    assert answer.headers["Location"] == "/settings/access?notice=provider-connected"
    other = app.test_client()
    assert come_back(other, provider).status_code == 303
    assert "Olivia Owner" in text(other.get("/"))
    person.post("/account/provider/disconnect")
    assert come_back(app.test_client(), provider).status_code == 303
    assert services.accounts.by_email(ADA).id != person.account.id
    # Now Ada is connected with an account of her own.
    answer = connect(person, provider, "ada")
    assert (answer.status_code, "sign-in already belongs to another account" in text(answer)) == (
        409,
        True,
    )


def test_connecting_takes_a_fresh_proof_and_a_form_of_ours(person: SignedIn, clock: Clock) -> None:
    assert person.client.post("/account/provider").status_code == 403
    assert person.client.get("/account/provider").status_code == 405
    clock.time += timedelta(hours=1)
    assert "Confirm that it's you" in text(person.post("/account/provider"))


@pytest.mark.parametrize("purpose", ["connect", "confirm"])
def test_only_the_session_that_was_sent_for_it_connects_or_confirms_an_account(
    person: SignedIn, provider: Provider, services: Services, app: Flask, purpose: str
) -> None:
    if purpose == "confirm":
        services.identities.connect(person.account, issuer=provider.url, subject="ada", now=NOW)
    linked = services.identities.is_connected(person.account, provider.url)
    token = services.accounts.sign_in_token(person.account)
    other = sign_in(app.test_client(), person.account, token, lambda: None).client
    for browser in (other, app.test_client()):
        if purpose == "connect":
            address = sent_to_connect(person)
        else:
            address = sent_to(person.client, "/account/confirm/provider")
        back = provider.sign_in(address, "ada").removeprefix("https://book.example.org")
        errand = person.client.get_cookie("__Host-admitone-provider")
        assert errand is not None
        provider.asked.clear()
        browser.set_cookie("__Host-admitone-provider", errand.value, secure=True)
        assert browser.get(back).status_code == 422
        assert provider.asked == []
        assert browser.get_cookie("__Host-admitone-provider") is None
    assert services.identities.is_connected(person.account, provider.url) == linked


def test_an_account_is_connected_only_while_the_proof_is_fresh(
    person: SignedIn, provider: Provider, services: Services, clock: Clock
) -> None:
    clock.time += CONFIRMED_BY_LINK_FOR - timedelta(minutes=1)
    address = sent_to_connect(person)
    clock.time += timedelta(minutes=1)
    back = provider.sign_in(address, "ada").removeprefix("https://book.example.org")
    assert person.client.get(back).status_code == 422
    assert not services.identities.is_connected(person.account, provider.url)


@pytest.mark.parametrize(
    ("sign", "is_proof"),
    [
        (without("auth_time"), False),
        (with_claims(auth_time=SECONDS_NOW - 600), False),
        (with_claims(auth_time=SECONDS_NOW + 3600), False),
        (with_claims(auth_time=""), False),
        (with_claims(auth_time=SECONDS_NOW - 599), True),
    ],
)
def test_signing_in_is_a_fresh_proof_only_if_the_provider_has_asked_who_is_there(
    browser: FlaskClient,
    provider: Provider,
    services: Services,
    clock: Clock,
    sign: Any,
    is_proof: bool,
) -> None:
    provider.sign = sign
    assert come_back(browser, provider).status_code == 303
    person = signed_in(browser, services.accounts.by_email(ADA), lambda: None)
    asks = "Confirm that it's you"
    assert (asks in text(person.post("/account/keys"))) != is_proof
    new = {"password": "correct horse battery", "password_again": "correct horse battery"}
    clock.time += timedelta(seconds=1)  # the proof counts from when it was given
    assert asks in text(person.post("/account/keys"))
    person.post("/account/password", new)
    assert not services.accounts.by_email(ADA).has_password
    assert services.security_log.newest(limit=1)[0].details["how"] == "provider"


@pytest.fixture
def ada(browser: FlaskClient, provider: Provider, services: Services, clock: Clock) -> SignedIn:
    """Signed in by the provider, ten minutes ago."""
    come_back(browser, provider)
    clock.time += CONFIRMED_FOR
    return signed_in(browser, services.accounts.by_email(ADA), lambda: None)


def test_who_signs_in_by_the_provider_confirms_there_as_well(
    ada: SignedIn, provider: Provider, services: Services
) -> None:
    key = {"key_name": "Website", "scopes": ["links"]}
    page = text(ada.post("/account/keys", key))
    assert "Continue with Example ID" in page
    path = re.search(r'href="(/account/confirm/provider[^"]*)"', page)
    assert path is not None
    asked = parse_qs(urlsplit(sent_to(ada.client, path[1])).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["600"])
    answer = come_back(ada.client, provider, path=path[1])
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/keys")
    assert ada.post("/account/keys", key).status_code == 201
    assert [key.name for key in services.api_keys.of(ada.account)] == ["Website"]


@pytest.mark.parametrize(
    "sign",
    [
        without("auth_time"),
        with_claims(auth_time=SECONDS_NOW),
        with_claims(auth_time=SECONDS_NOW + 3600),
        with_claims(auth_time="now"),
    ],
)
def test_a_proof_of_more_than_ten_minutes_ago_is_none(
    ada: SignedIn, provider: Provider, sign: Any
) -> None:
    provider.sign = sign
    answer = come_back(ada.client, provider, path="/account/confirm/provider")
    assert answer.status_code == 422
    assert "Confirm that it's you" in text(ada.post("/account/keys"))


def test_somebody_else_at_the_provider_proves_nothing(ada: SignedIn, provider: Provider) -> None:
    provider.know("eve", email="eve@example.org", email_verified=True)
    answer = come_back(ada.client, provider, "eve", path="/account/confirm/provider")
    assert answer.status_code == 422
    assert "Confirm that it's you" in text(ada.post("/account/keys"))


def test_after_signing_out_people_are_told_that_they_may_be_signed_in_there(
    ada: SignedIn, provider: Provider
) -> None:
    answer = ada.post("/sign-out")
    page = text(ada.client.get(answer.headers["Location"]))
    assert "You may still be signed in at Example ID." in page
    address = sent_to(ada.client, "/sign-in/provider/sign-out")
    assert address.startswith(f"{provider.url}/oauth2/end_session?client_id=admit-one&")
    assert parse_qs(urlsplit(address).query)["post_logout_redirect_uri"] == [
        "https://book.example.org/"
    ]
