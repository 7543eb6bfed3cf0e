"""Of what comes back from the provider only a fresh answer to this sign-in counts."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from application.identity_provider import FAILURE_LIFETIME, METADATA_LIFETIME
from application.people.rate_limits import WRONG_ANSWERS
from interface.bootstrap import Services
from interface.pages.shared import identity_provider as page
from interface.pages.shared.identity_provider import ERRAND_LIFETIME
from tests.interface.pages.identity_provider.provider_pages import (
    CALLBACK,
    SECONDS_NOW,
    come_back,
    sent_to,
    text,
    with_claims,
    without,
)
from tests.support.clock import Clock
from tests.support.examples import NOW
from tests.support.identity_provider import CLIENT_ID, Provider


def test_the_provider_is_asked_with_pkce_state_and_nonce_that_are_new_each_time(
    browser: FlaskClient, provider: Provider
) -> None:
    first, second = (parse_qs(urlsplit(sent_to(browser)).query) for _ in range(2))
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name][0]) >= 43
        assert first[name] != second[name]
    assert first["code_challenge_method"] == ["S256"]
    assert first["redirect_uri"] == ["https://book.example.org" + CALLBACK]
    assert first["scope"] == ["openid email profile"]
    # The provider was asked for metadata and keys once.
    assert provider.asked == ["/.well-known/openid-configuration", "/jwks"]


def is_refused(answer: Any) -> bool:
    assert "admitone=" not in str(answer.headers.getlist("Set-Cookie"))
    refused = "The answer of the sign-in service could not be accepted." in text(answer)
    assert refused == (answer.status_code == 422)
    return refused


def unsigned(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "none"}, claims, OctKey.generate_key(), algorithms=["none"])


def with_the_public_key_as_secret(claims: dict[str, Any], key: RSAKey) -> str:
    header = {"alg": "HS256", "kid": key.kid}
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    mac = hmac.digest(key.as_pem(private=False), b".".join(parts), "sha256")
    return b".".join([*parts, urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def by_a_key_of_somebody_else(claims: dict[str, Any], key: RSAKey) -> str:
    other = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, other)


@pytest.mark.parametrize(
    "sign",
    [
        with_claims(nonce="another"),
        without("nonce"),
        with_claims(aud="another-client"),
        with_claims(aud=[CLIENT_ID, "another-client"]),
        with_claims(azp="another-client"),
        with_claims(iss="http://127.0.0.1:1"),
        with_claims(exp=SECONDS_NOW - 61),
        with_claims(iat=SECONDS_NOW + 61),
        without("exp"),
        without("sub"),
        with_claims(sub=""),
        with_claims(sub=["ada"]),
        unsigned,
        with_the_public_key_as_secret,
        by_a_key_of_somebody_else,
        lambda claims, key: "no.token",
    ],
)
@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_an_id_token_that_is_not_for_this_sign_in_is_refused(
    browser: FlaskClient, provider: Provider, services: Services, sign: Any
) -> None:
    provider.sign = sign
    assert is_refused(come_back(browser, provider))
    assert services.accounts.all() == []


def test_a_code_counts_only_in_the_browser_that_was_sent_for_it_and_only_once(
    app: Flask, browser: FlaskClient, provider: Provider
) -> None:
    back = provider.sign_in(sent_to(browser), "ada").removeprefix("https://book.example.org")
    assert is_refused(app.test_client().get(back))  # somebody else's browser
    other = app.test_client()
    sent_to(other)
    assert is_refused(other.get(back))  # the state of another sign-in
    assert browser.get(back).status_code == 303


@pytest.mark.parametrize("first", ["&iss=https://evil.example", ""])
def test_what_a_browser_was_sent_for_is_used_up_by_whatever_comes_back(
    browser: FlaskClient, provider: Provider, clock: Clock, first: str
) -> None:
    back = provider.sign_in(sent_to(browser), "ada").removeprefix("https://book.example.org")
    errand = browser.get_cookie("__Host-admitone-provider")
    assert errand is not None
    assert browser.get(back + first).status_code == (422 if first else 303)
    assert browser.get_cookie("__Host-admitone-provider") is None
    provider.asked.clear()
    for later in (timedelta(0), ERRAND_LIFETIME):
        clock.time = NOW + later
        browser.set_cookie("__Host-admitone-provider", errand.value, secure=True)
        again = browser.get(back)
        assert again.status_code == 422
        assert "could not be accepted" in text(again)
    assert provider.asked == []


def test_without_a_code_the_provider_is_not_asked(browser: FlaskClient, provider: Provider) -> None:
    state = parse_qs(urlsplit(sent_to(browser)).query)["state"][0]
    provider.asked.clear()
    assert is_refused(browser.get(f"{CALLBACK}?state={state}&code="))
    sent = parse_qs(urlsplit(sent_to(browser)).query)["state"][0]
    assert is_refused(browser.get(f"{CALLBACK}?state={sent}"))
    assert provider.asked == []


def test_after_too_many_answers_that_prove_nothing_the_provider_is_not_asked(
    browser: FlaskClient, provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "WRONG_ANSWERS", replace(WRONG_ANSWERS, failures=2))
    for _ in range(2):
        state = parse_qs(urlsplit(sent_to(browser)).query)["state"][0]
        assert is_refused(browser.get(f"{CALLBACK}?state={state}&code=guessed"))
    back = provider.sign_in(sent_to(browser), "ada").removeprefix("https://book.example.org")
    provider.asked.clear()
    refused = browser.get(back)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "600")
    assert provider.asked == []
    clock.time += WRONG_ANSWERS.window
    assert come_back(browser, provider).status_code == 303


def test_answers_without_the_cookie_keep_nobody_from_signing_in(
    app: Flask, browser: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other site can make a browser send these."""
    monkeypatch.setattr(page, "WRONG_ANSWERS", replace(WRONG_ANSWERS, failures=1))
    assert is_refused(app.test_client().get(f"{CALLBACK}?state=x&code=x"))
    assert come_back(browser, provider).status_code == 303


def test_who_takes_longer_than_ten_minutes_or_changes_their_mind_begins_anew(
    browser: FlaskClient, provider: Provider
) -> None:
    sent_to(browser)
    assert is_refused(browser.get(f"{CALLBACK}?error=access_denied&state=x"))
    assert is_refused(browser.get(CALLBACK))


def test_after_the_provider_has_changed_its_key_people_sign_in_at_once(
    browser: FlaskClient, provider: Provider
) -> None:
    sent_to(browser)
    provider.new_key()
    assert come_back(browser, provider).status_code == 303
    assert provider.asked.count("/jwks") == 2


def test_metadata_is_read_again_after_an_hour(
    browser: FlaskClient, provider: Provider, clock: Clock
) -> None:
    sent_to(browser)
    clock.time += METADATA_LIFETIME + timedelta(seconds=1)
    sent_to(browser)
    assert provider.asked.count("/.well-known/openid-configuration") == 2


def test_a_provider_that_is_out_of_reach_says_so_and_others_still_sign_in(
    web_application: Callable[[Services], Flask], start: Callable[..., Services]
) -> None:
    for changes in ({"outgoing_networks": ()}, {"oidc_issuer": "http://127.0.0.1:1"}):
        browser = web_application(start(**changes)).test_client()
        answer = browser.get("/sign-in/provider")
        assert answer.status_code == 503
        assert "The sign-in service doesn't answer right now." in text(answer)
        assert 'name="password"' in text(answer)


METADATA = "/.well-known/openid-configuration"


def test_what_is_known_of_a_provider_counts_on_while_it_does_not_answer(
    browser: FlaskClient, provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_to(browser)
    clock.time += METADATA_LIFETIME + timedelta(seconds=1)
    monkeypatch.setattr(provider, "fails_at", {METADATA})
    provider.asked.clear()
    for _ in range(2):
        assert come_back(browser, provider).status_code == 303
    assert provider.asked.count(METADATA) == 1
    monkeypatch.setattr(provider, "fails_at", set())
    clock.time += FAILURE_LIFETIME
    for _ in range(2):
        sent_to(browser)
    assert provider.asked.count(METADATA) == 2


def test_a_provider_that_has_just_failed_is_not_asked_again_for_some_seconds(
    browser: FlaskClient, provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider, "fails_at", {METADATA})
    for _ in range(3):
        assert browser.get("/sign-in/provider").status_code == 503
    assert provider.asked == [METADATA]
    monkeypatch.setattr(provider, "fails_at", set())
    clock.time += FAILURE_LIFETIME
    assert come_back(browser, provider).status_code == 303
