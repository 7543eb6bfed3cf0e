"""Signing in at an identity provider, a real one on this machine (oidc-provider-mock)."""

import hmac
import html
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from application.identity_provider import FAILURE_LIFETIME, METADATA_LIFETIME
from application.people import rate_limits
from application.people.accounts import OnlyByProvider
from application.people.authentication import CONFIRMED_BY_LINK_FOR, CONFIRMED_FOR
from application.people.rate_limits import WRONG_ANSWERS
from interface.bootstrap import Services, build
from interface.pages.shared import identity_provider as page
from interface.pages.shared.identity_provider import ERRAND_LIFETIME
from interface.settings import Settings
from tests.support.clock import Clock
from tests.support.examples import NOW, SECRET
from tests.support.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Provider,
    running_provider,
    signed,
)
from tests.support.signed_in_browser import SignedIn, sign_in, signed_in

CALLBACK = "/sign-in/provider/callback"
ADA = "ada@example.org"


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """Shared by the tests of this file: making its key takes longest."""
    with running_provider(lambda: NOW) as provider:
        yield provider


@pytest.fixture
def provider(running: Provider, clock: Clock) -> Provider:
    """Knows Ada, whose address it has verified."""
    running.now, running.sign = clock, signed
    running.know("ada", email=ADA, email_verified=True, name="Ada Lovelace")
    running.asked.clear()
    return running


@pytest.fixture
def settings(provider: Provider, tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path,
        secret_keys=(SECRET,),
        public_url="https://book.example.org",
        outgoing_networks=(ip_network("127.0.0.1"),),
        oidc_issuer=provider.url,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
        oidc_name="Example ID",
        oidc_domains=("example.org",),
    )


@pytest.fixture
def start(conninfo: str, clock: Clock, settings: Settings) -> Iterator[Callable[..., Services]]:
    """Builds services with these settings changed."""
    built: list[Services] = []

    def start(**changes: Any) -> Services:
        built.append(build(replace(settings, **changes), conninfo, now=clock))
        return built[-1]

    yield start
    for services in built:
        services.close()


@pytest.fixture(autouse=True)
def _counts_wait_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "DATABASE_SECONDS", 60.0)


@pytest.fixture
def services(start: Callable[..., Services]) -> Services:
    return start()


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def sent_to(browser: FlaskClient, path: str = "/sign-in/provider") -> str:
    """Where this page sends the browser."""
    answer = browser.get(path)
    assert answer.status_code == 303, text(answer)
    return answer.headers["Location"]


def come_back(
    browser: FlaskClient, provider: Provider, subject: str = "ada", path: str = ""
) -> Any:
    """Signs in at the provider, and follows it back."""
    back = provider.sign_in(sent_to(browser, path or "/sign-in/provider"), subject)
    assert back.startswith("https://book.example.org" + CALLBACK)
    return browser.get(back.removeprefix("https://book.example.org"))


def test_whoever_is_known_to_the_provider_gets_an_account_and_signs_in_to_it_again(
    browser: FlaskClient, provider: Provider, services: Services, app: Flask
) -> None:
    assert "Continue with Example ID" in text(browser.get("/"))
    answer = come_back(browser, provider, path="/sign-in/provider?next=/links")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/links")
    account = services.accounts.by_email(ADA)
    assert (account.name, account.roles) == ("Ada Lovelace", ("owner",))
    assert "Hello, Ada Lovelace" in text(browser.get("/"))
    # The address may change there, or become somebody else's: the account stays with the person.
    provider.know("ada", email="new@example.org", email_verified=True)
    other = app.test_client()
    assert come_back(other, provider).status_code == 303
    assert "Hello, Ada Lovelace" in text(other.get("/"))
    assert [account.email for account in services.accounts.all()] == [ADA]
    kinds = [(entry.kind, entry.actor) for entry in services.security_log.newest(limit=9)]
    assert kinds == [
        ("session.started", f"account:{account.id}"),
        ("session.started", f"account:{account.id}"),
        ("identity.linked", "identity-provider"),
        ("account.created", "identity-provider"),
    ]
    newest = services.security_log.newest(limit=1)[0]
    assert newest.details["how"] == "provider"
    assert newest.addresses == {"address": "127.0.0.1"}


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


def with_claims(**changes: Any) -> Callable[[dict[str, Any], RSAKey], str]:
    return lambda claims, key: signed(claims | changes, key)


def without(name: str) -> Callable[[dict[str, Any], RSAKey], str]:
    return lambda claims, key: signed(
        {other: value for other, value in claims.items() if other != name}, key
    )


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


SECONDS_NOW = int(NOW.timestamp())


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


# Which account


def test_nobody_gets_an_account_by_getting_its_address(
    browser: FlaskClient, provider: Provider, services: Services
) -> None:
    ada = services.accounts.create(email=ADA, name="Ada", roles=["admin"])
    services.sessions.set_password(ada, "correct horse battery", now=NOW)
    answer = come_back(browser, provider)
    assert answer.status_code == 403
    assert "Sign in to your account as before, and connect it on the page Access." in text(answer)
    provider.know("eve", email="eve@example.org", email_verified=False)
    unverified = come_back(browser, provider, "eve")
    assert "hasn't confirmed that this e-mail address is yours" in text(unverified)
    provider.know("mallory", email="mallory@evil.example", email_verified=True)
    assert "You have no account here yet." in text(come_back(browser, provider, "mallory"))
    assert [account.id for account in services.accounts.all()] == [ada.id]
    failed = [e.details for e in services.security_log.newest(limit=9, kind="sign-in.failed")]
    assert failed == [{"how": "provider"}] * 3


def test_an_account_that_an_admin_has_prepared_is_taken_by_its_address_once(
    browser: FlaskClient, provider: Provider, services: Services, app: Flask
) -> None:
    prepared = services.accounts.create(email=ADA, name="Ada", roles=["auditor"])
    assert come_back(browser, provider).status_code == 303
    assert [(a.id, a.roles) for a in services.accounts.all()] == [(prepared.id, ("auditor",))]
    provider.know("successor", email=ADA, email_verified=True)
    assert come_back(app.test_client(), provider, "successor").status_code == 403


def test_a_disabled_account_stays_closed(
    browser: FlaskClient, provider: Provider, services: Services
) -> None:
    come_back(browser, provider)
    services.accounts.disable(services.accounts.by_email(ADA), now=NOW)
    answer = come_back(browser, provider)
    assert (answer.status_code, "This account is disabled." in text(answer)) == (403, True)


def test_with_a_claim_for_roles_the_provider_gives_and_takes_them(
    web_application: Callable[[Services], Flask], start: Callable[..., Services], provider: Provider
) -> None:
    services = start(
        oidc_role_claim="access.groups", oidc_roles=(("staff", "owner"), ("it", "admin"))
    )
    services.accounts.create(email="admin@example.org", name=None, roles=["admin"])
    browser = web_application(services).test_client()
    known = {"email": ADA, "email_verified": True}
    assert "gives you no role here" in text(come_back(browser, provider))
    assert len(services.accounts.all()) == 1
    for groups, roles in (
        (["staff", "guests"], ("owner",)),
        ("it", ("admin",)),
        (["staff", "it"], ("admin", "owner")),
        ([{}, 7, "unknown"], ()),
    ):
        provider.know("ada", **known, access={"groups": groups})
        answer = come_back(browser, provider)
        assert services.accounts.by_email(ADA).roles == roles
        assert answer.status_code == (303 if roles else 403)


def test_the_last_admin_stays_one_whatever_the_provider_says(
    web_application: Callable[[Services], Flask], start: Callable[..., Services], provider: Provider
) -> None:
    services = start(oidc_role_claim="groups", oidc_roles=(("staff", "owner"),))
    services.accounts.create(email=ADA, name=None, roles=["admin"])
    provider.know("ada", email=ADA, email_verified=True, groups=["staff"])
    for _ in range(2):
        come_back(web_application(services).test_client(), provider)
        assert services.accounts.by_email(ADA).roles == ("admin", "owner")
    assert len(services.security_log.newest(limit=9, kind="account.roles-changed")) == 1


# Connecting


def sent_to_connect(person: SignedIn) -> str:
    """Where the page sends the browser to connect the account."""
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


# A fresh proof


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


# Signing out


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


# By the provider only


@pytest.fixture
def only(
    web_application: Callable[[Services], Flask], start: Callable[..., Services]
) -> tuple[Services, FlaskClient]:
    services = start(oidc_only=True)
    return services, web_application(services).test_client()


def test_where_people_sign_in_by_the_provider_only_nothing_else_opens_an_account(
    only: tuple[Services, FlaskClient], services: Services, provider: Provider
) -> None:
    ada = services.accounts.create(email=ADA, name="Ada", roles=["owner", "admin"])
    services.sessions.set_password(ada, "correct horse battery", now=NOW)
    link = services.accounts.sign_in_token(ada)
    services.identities.connect(ada, issuer=provider.url, subject="ada", now=NOW)
    restricted, browser = only
    page = text(browser.get("/"))
    assert 'type="password"' not in page
    assert "passkey" not in page
    password = browser.post("/", data={"email": ADA, "password": "correct horse battery"})
    assert (password.status_code, "only through the sign-in service" in text(password)) == (
        403,
        True,
    )
    assert browser.post(f"/sign-in/{link}").status_code == 410
    assert browser.post("/sign-in/passkey/options").status_code == 422
    with pytest.raises(OnlyByProvider):
        restricted.accounts.sign_in_token(ada)
    assert come_back(browser, provider).status_code == 303
    person = signed_in(browser, ada, lambda: None)
    page = text(person.get("/settings/access"))
    assert 'type="password"' not in page
    assert "Disconnect" not in page
    for path in ("/account/password", "/account/provider/disconnect"):
        assert person.post(path, {"password": "x", "password_again": "x"}).status_code == 403
    assert "Create sign-in link" not in text(person.get(f"/accounts/{ada.id}"))
    created = person.post("/accounts", {"email": "bob@example.org", "roles": "owner"})
    assert created.status_code == 201
    assert "/sign-in/" not in text(created)


def test_a_link_that_breaks_the_glass_works_all_the_same_and_is_recorded(
    only: tuple[Services, FlaskClient],
) -> None:
    services, browser = only
    admin = services.accounts.create(email="admin@example.org", name=None, roles=["admin"])
    address = services.sign_in_url(admin, breaks_glass=True).removeprefix(
        "https://book.example.org"
    )
    assert browser.post(address).status_code == 303
    entries = services.security_log.newest(limit=2)
    assert [(entry.kind, entry.details.get("kind")) for entry in reversed(entries)] == [
        ("sign-in.link-created", "break-glass"),
        ("session.started", None),
    ]
    assert browser.post(address).status_code == 410
