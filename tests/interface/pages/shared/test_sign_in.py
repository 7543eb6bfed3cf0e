"""Signing in and out."""

import re
from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask, redirect
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.people.accounts import Account
from interface.bootstrap import Services
from interface.pages.shared.auth import local_path
from interface.web.problems import REFUSAL, TooManySignIns
from tests.application.conftest import rows_of
from tests.support.examples import NOW
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

WEBHOOK = f"/settings/webhooks/{UUID(int=1)}"


def test_a_sign_in_link_shows_first_and_signs_in_once(
    app: Flask, services: Services, owner: Owner
) -> None:
    address = f"/sign-in/{services.accounts.sign_in_token(owner.account)}"
    browser = app.test_client()
    assert "Welcome, Olivia Owner" in browser.get(address).get_data(as_text=True)
    assert browser.get("/").get_data(as_text=True).count("Sign in") > 1
    assert browser.post(address).status_code == 303
    assert "Hello, Olivia Owner" in browser.get("/").get_data(as_text=True)
    assert app.test_client().post(address).status_code == 410
    assert app.test_client().get(address).status_code == 410


@pytest.mark.parametrize(
    ("sent_to", "page"),
    [
        ("/settings/calendars/new", "/settings/calendars/new"),
        ("/links/revoke", "/links/revoke"),
        (f"{WEBHOOK}/delete", f"{WEBHOOK}/delete"),
        (f"{WEBHOOK}/test", WEBHOOK),
    ],
)
def test_a_form_sent_after_the_session_ended_says_so_and_leads_back_to_its_page(
    app: Flask, sent_to: str, page: str
) -> None:
    browser = app.test_client()
    answer = browser.post(sent_to, data={"name": "Intro call"})
    assert answer.status_code == 302
    told = browser.get(answer.headers["Location"]).get_data(as_text=True)
    assert "You were signed out, so nothing was changed." in told
    assert f'name="next" value="{page}"' in told


def test_password_signs_in_and_a_wrong_one_says_so(
    app: Flask, services: Services, owner: Owner
) -> None:
    services.sessions.set_password(owner.account, "correct horse battery", now=NOW)
    browser = app.test_client()
    wrong = browser.post("/", data={"email": owner.account.email, "password": "wrong"})
    assert wrong.status_code == 422
    assert "E-mail address or password is wrong." in wrong.get_data(as_text=True)
    nobody = browser.post("/", data={"email": "nobody@example.org", "password": "wrong"})
    assert re.sub(r'value="[^"]*"', "", nobody.get_data(as_text=True)) == re.sub(
        r'value="[^"]*"', "", wrong.get_data(as_text=True)
    )
    right = browser.post(
        "/",
        data={
            "email": owner.account.email.upper(),
            "password": "correct horse battery",
            "next": "/links",
        },
    )
    assert (right.status_code, right.headers["Location"]) == (303, "/links")
    cookie = right.headers["Set-Cookie"]
    assert cookie.startswith("__Host-admitone=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_a_password_counts_as_it_was_typed(app: Flask, services: Services, owner: Owner) -> None:
    password = " \u202ecorrect horse\t battery "  # noqa: S105
    services.sessions.set_password(owner.account, password, now=NOW)
    browser, form = app.test_client(), {"email": owner.account.email}
    assert browser.post("/", data=form | {"password": password.strip()}).status_code == 422
    assert browser.post("/", data=form | {"password": password}).status_code == 303


def test_when_too_many_people_sign_in_the_page_says_so_and_keeps_the_address(app: Flask) -> None:
    typed = {"email": "ada@example.org", "password": "correct horse battery", "next": "/links"}
    refusal = {REFUSAL: TooManySignIns()}
    answer = app.test_client().post("/", data=typed, environ_overrides=refusal)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    page = answer.get_data(as_text=True)
    assert "Too many people are signing in at this moment. Try again shortly." in page
    assert 'value="ada@example.org"' in page
    assert 'name="next" value="/links"' in page
    assert "correct horse battery" not in page


ELSEWHERE = [
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "javascript:1",
    "evil.example",
    " //evil.example",
    "/\t/evil.example",
    "/\r/evil.example",
    "/\n/evil.example",
    "/\r\nSet-Cookie: a=b",
    "/\x00/evil.example",
    "/ /evil.example",
    "\t//evil.example",
    "/../..//evil.example",
]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_after_signing_in_nobody_is_sent_to_another_site(
    app: Flask, services: Services, owner: Owner, elsewhere: str
) -> None:
    services.sessions.set_password(owner.account, "correct horse battery", now=NOW)
    form = {"email": owner.account.email, "password": "correct horse battery", "next": elsewhere}
    answer = app.test_client().post("/", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.sampled_from("/\\\t\r\n\x00\x0b .%0925cfFaé:@[]?#;\u2028\uff0f")))
def test_whatever_is_asked_for_a_redirect_stays_on_this_site(app: Flask, text: str) -> None:
    with app.test_request_context("/"):
        location = redirect(local_path(f"/{text}"), 303).headers["Location"]
    # As browsers read it: https://url.spec.whatwg.org/#url-parsing
    as_read = re.sub(r"[\t\r\n]", "", location.strip()).replace("\\", "/")
    assert as_read.startswith("/")
    assert not as_read.startswith("//")
    assert "\\" not in location


def test_signing_out_ends_the_session_on_the_server(person: SignedIn) -> None:
    name, value = next(iter(person.client._cookies.values())).key, ""  # type: ignore[union-attr]
    cookie = person.client.get_cookie(name)
    assert cookie is not None
    value = cookie.value
    assert person.post("/sign-out").status_code == 303
    person.client.set_cookie(name, value)
    assert "Sign in" in person.get("/").get_data(as_text=True)


def test_signing_out_after_the_session_ended_asks_nobody_to_sign_in_and_try_again(
    app: Flask,
) -> None:
    answer = app.test_client().post("/sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_forms_from_elsewhere_are_refused(person: SignedIn) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert person.post("/sign-out", headers=headers).status_code == 403
    assert person.client.post("/sign-out").status_code == 403
    assert person.client.post("/sign-out", data={"form_token": "guess"}).status_code == 403
    assert "Hello" in person.get("/").get_data(as_text=True)


def test_every_page_has_strict_headers(person: SignedIn) -> None:
    for path in ("/", "/no-such-page", "/sign-in/nonsense"):
        headers = person.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_browser_is_new_to_each_account_once(
    app: Flask, services: Services, conninfo: str, new_owner: Callable[..., Owner]
) -> None:
    ada, max_ = new_owner("Ada King").account, new_owner("Max Other").account
    shared = app.test_client()

    def notices(account: Account, browser: FlaskClient) -> int:
        """Signs in and returns how many notices the account has got by then."""
        token = services.accounts.sign_in_token(account)
        assert browser.post(f"/sign-in/{token}").status_code == 303
        rows = rows_of(conninfo, "deliveries").splitlines()
        return len([row for row in rows if "new-browser" in row and str(account.id) in row])

    assert notices(ada, shared) == 0
    assert [notices(each, shared) for each in (max_, ada, max_)] == [0, 0, 0]
    assert notices(ada, app.test_client()) == 1
    assert notices(ada, shared) == 1
