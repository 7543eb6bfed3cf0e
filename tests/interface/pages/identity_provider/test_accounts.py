"""Accounts and roles of people who sign in at the provider."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.people.accounts import OnlyByProvider
from interface.bootstrap import Services
from tests.interface.pages.identity_provider.provider_pages import ADA, come_back, text
from tests.support.examples import NOW
from tests.support.identity_provider import Provider
from tests.support.signed_in_browser import signed_in


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
