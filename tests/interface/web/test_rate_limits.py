"""Rate limits at the API and the pages: guesses are slowed down, and nobody else is."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from threading import Event
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.people.rate_limits import (
    FORGED_TOKENS,
    FREE_PASSWORDS,
    INVALID_REDEMPTIONS,
    PASSWORDS_BY_ACCOUNT,
    PASSWORDS_BY_CLIENT,
    WRONG_KEYS,
)
from domain.errors import Unavailable
from interface.bootstrap import Services
from interface.runtime.retention_loop import delete_due
from tests.application.conftest import rows_of
from tests.interface.pages.page_text import words
from tests.support.clock import Clock
from tests.support.examples import NINE, NOW, redeem_json
from tests.support.http_desk import from_another_address, refusal
from tests.support.invitee_browser import InviteeBrowser
from tests.support.owner import Owner
from tests.support.patience import give_counts_a_minute
from tests.support.signed_in_browser import SignedIn
from tests.support.waiting import at_once, not_while_unavailable

FORGED = "/api/v1/booking-links/forged"
TOO_MANY = (429, "too-many-requests")
PASSWORD = "correct horse battery"  # noqa: S105
WRONG = "wrong"
TEN = "2026-11-24T10:00:00Z"


def wait_of(answer: Any) -> int:
    """The seconds after which a refusal says to try again."""
    return int(answer.headers["Retry-After"])


def exhaust(times: int, call: Callable[[], Any], *, status: int) -> None:
    """Fails that often with this status."""
    assert Counter(call().status_code for _ in range(times)) == {status: times}


def too_many_forged(owner: Owner) -> None:
    """Uses up what forged tokens the address of the tests' clients has."""
    exhaust(FORGED_TOKENS.failures, lambda: owner.client.get(FORGED), status=404)


@pytest.fixture(autouse=True)
def _counts_wait_for_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    give_counts_a_minute(monkeypatch)


@pytest.fixture
def with_password(owner: Owner, services: Services) -> Owner:
    """An owner who has a password."""
    services.sessions.set_password(owner.account, PASSWORD, now=NOW)
    return owner


def sign_in(
    app: Flask, email: str, password: str = WRONG, base: dict[str, str] | None = None
) -> Any:
    """Signs in at a browser of its own."""
    form = {"email": email, "password": password}
    return app.test_client().post("/", data=form, environ_base=base or {})


def test_forged_tokens_are_refused_beyond_the_limit_until_the_window_ends(
    owner: Owner, clock: Clock
) -> None:
    too_many_forged(owner)
    clock.advance(seconds=60)
    answer = owner.client.get(FORGED)
    assert refusal(answer) == TOO_MANY
    assert wait_of(answer) == 540
    for refused in (
        owner.client.get(f"{FORGED}/slots"),
        owner.client.post(f"{FORGED}/redeem", json=redeem_json(NINE)),
    ):
        assert refusal(refused) == TOO_MANY
    elsewhere = owner.client.get(FORGED, environ_base=from_another_address())
    assert refusal(elsewhere) == (404, "link-not-found")
    clock.advance(seconds=540)
    assert refusal(owner.client.get(FORGED)) == (404, "link-not-found")


@pytest.mark.parametrize(
    ("path", "status"), [("/b/forged", 404), ("/m/forged", 404), ("/sign-in/forged", 410)]
)
def test_forged_tokens_of_pages_are_refused_with_a_page(app: Flask, path: str, status: int) -> None:
    browser = app.test_client()
    exhaust(FORGED_TOKENS.failures, lambda: browser.get(path), status=status)
    answer = browser.get(path)
    assert answer.status_code == 429
    assert wait_of(answer) == 600
    assert "Too many attempts have failed. Try again later." in words(answer)
    assert "You can try again in 10 minutes." in words(answer)
    german = words(browser.get(path, headers={"Accept-Language": "de"}))
    assert "Zu viele Versuche sind fehlgeschlagen." in german
    assert "In 10 Minuten können Sie es wieder versuchen." in german


def test_api_and_pages_count_forged_tokens_together(owner: Owner) -> None:
    too_many_forged(owner)
    for path in ("/b/forged", "/m/forged", "/m/forged/booking.ics", "/sign-in/forged"):
        assert owner.client.get(path).status_code == 429
    assert owner.client.post("/sign-in/forged").status_code == 429
    assert owner.client.post("/b/forged", data={}).status_code == 429


def test_a_valid_token_is_accepted_from_an_address_that_is_limited(
    invitee: InviteeBrowser, services: Services
) -> None:
    owner, calendar = invitee.owner, invitee.link["calendar_id"]
    form, other = invitee.form(), owner.new_link(calendar)
    too_many_forged(owner)
    for path in ("", "/slots"):
        address = f"/api/v1/booking-links/{other['token']}{path}"
        assert owner.client.get(address).status_code == 200
    assert invitee.get().status_code == 200
    answer = invitee.post(form)
    assert answer.status_code == 303
    assert invitee.browser.get(answer.headers["Location"]).status_code == 200
    owner.book(other, TEN)
    sign_in_token = services.accounts.sign_in_token(owner.account)
    assert owner.client.post(f"/sign-in/{sign_in_token}").status_code == 303


def test_a_hundred_people_in_one_office_race_for_one_link(owner: Owner) -> None:
    link = owner.new_link()
    answers = at_once([lambda: not_while_unavailable(lambda: owner.redeem(link))] * 100)
    won = [answer for answer in answers if answer.status_code == 201]
    assert len(won) == 1
    lost = Counter(refusal(answer) for answer in answers if answer is not won[0])
    assert lost == {(410, "link-redeemed"): 99}


def test_the_race_is_answered_truly_even_where_guesses_are_limited(owner: Owner) -> None:
    link = owner.new_link()
    too_many_forged(owner)
    answers = at_once([lambda: owner.redeem(link).status_code] * 20)
    assert Counter(answers) == {201: 1, 410: 19}


def test_what_a_program_does_with_its_key_is_not_counted(owner: Owner, conninfo: str) -> None:
    path = f"/calendars/{owner.new_calendar()}/links"
    exhaust(20, lambda: owner.post(path, {}), status=201)
    assert rows_of(conninfo, "rate_limits") == ""


def test_ordinary_requests_neither_read_nor_write_a_limit(
    invitee: InviteeBrowser, person: SignedIn, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the table of limits was used")

    for method in ("_count", "_read"):
        monkeypatch.setattr(services.rate_limits, method, fail)
    owner, link = invitee.owner, invitee.owner.new_link(invitee.link["calendar_id"])
    assert invitee.post(invitee.form()).status_code == 303
    assert refusal(owner.redeem(link)) == (409, "slot-taken")
    owner.book(link, TEN)
    assert refusal(owner.redeem(link)) == (410, "link-redeemed")
    assert person.get("/links").status_code == 200
    assert owner.get("/links").status_code == 200


def test_wrong_keys_are_refused_beyond_the_limit_and_right_ones_are_accepted(owner: Owner) -> None:
    wrong = {"Authorization": f"Bearer {owner.key}x"}

    def guess() -> Any:
        return owner.client.get("/api/v1/links", headers=wrong)

    exhaust(WRONG_KEYS.failures, guess, status=401)
    answer = guess()
    assert refusal(answer) == TOO_MANY
    assert wait_of(answer) == 600
    assert owner.get("/links").status_code == 200
    without_key = owner.client.get("/api/v1/links")
    assert refusal(without_key) == (401, "unauthorized")


def test_requests_without_a_key_are_no_guesses(owner: Owner, conninfo: str) -> None:
    for headers in ({}, {"Authorization": "Basic b2xpdmlhOnB3"}):
        assert owner.client.get("/api/v1/links", headers=headers).status_code == 401
    assert rows_of(conninfo, "rate_limits") == ""


def test_invalid_redemptions_are_refused_beyond_the_limit_and_valid_ones_are_accepted(
    owner: Owner,
) -> None:
    link = owner.new_link()

    def fail() -> Any:
        return owner.redeem(link, invitee={"name": "", "email": "x"})

    exhaust(INVALID_REDEMPTIONS.failures, fail, status=422)
    answer = fail()
    assert refusal(answer) == TOO_MANY
    assert wait_of(answer) == 600
    assert owner.redeem(link).status_code == 201


def test_an_invitee_whose_address_is_limited_can_still_correct_the_form(
    invitee: InviteeBrowser, services: Services
) -> None:
    form = invitee.form()

    def fail() -> Any:
        return invitee.post(form | {"email": "ada"})

    exhaust(INVALID_REDEMPTIONS.failures, fail, status=422)
    answer = fail()
    assert answer.status_code == 429
    assert wait_of(answer) == 600
    assert "Enter one e-mail address, such as name@example.org." in words(answer)
    assert invitee.post(form).status_code == 303


def test_wrong_passwords_are_refused_beyond_the_limit_by_address(
    app: Flask, with_password: Owner, services: Services, clock: Clock
) -> None:
    email = with_password.account.email
    guess_here(services, clock, PASSWORDS_BY_CLIENT.failures - 2)
    exhaust(2, lambda: sign_in(app, "nobody@example.org"), status=422)
    answer = sign_in(app, email, PASSWORD)
    assert answer.status_code == 429
    assert wait_of(answer) == 15 * 60
    assert "You can try again in 15 minutes." in words(answer)
    assert sign_in(app, email, PASSWORD, from_another_address()).status_code == 303
    clock.advance(minutes=15)
    assert sign_in(app, email, PASSWORD).status_code == 303


def guess_here(services: Services, clock: Clock, times: int) -> None:
    """Counts wrong passwords of the address of the tests' clients, each for another account."""
    for number in range(times):
        services.rate_limits.count_wrong_password(
            client="127.0.0.1", email=f"{number}@example.org", now=clock()
        )


def attack(services: Services, email: str, clock: Clock) -> None:
    """Enters wrong passwords for the account from many addresses, up to its limit."""
    for _ in range(PASSWORDS_BY_ACCOUNT.failures):
        services.rate_limits.count_wrong_password(
            client=from_another_address()["REMOTE_ADDR"], email=email, now=clock()
        )


def test_nobody_is_locked_out_by_guesses_from_elsewhere(
    app: Flask, with_password: Owner, services: Services, clock: Clock
) -> None:
    email = with_password.account.email
    attack(services, email.upper(), clock)
    at_home = from_another_address()
    for _ in range(FREE_PASSWORDS - 1):
        assert sign_in(app, email, base=at_home).status_code == 422
    assert sign_in(app, email, PASSWORD, at_home).status_code == 303


def test_a_browser_at_which_an_owner_signed_in_before_is_counted_by_itself(
    app: Flask, services: Services, with_password: Owner, clock: Clock
) -> None:
    email = with_password.account.email
    browser, stranger = app.test_client(), app.test_client()

    def status(who: FlaskClient, email: str, password: str) -> int:
        who.delete_cookie("__Host-admitone")
        return who.post("/", data={"email": email, "password": password}).status_code

    assert status(browser, email, PASSWORD) == 303
    guess_here(services, clock, PASSWORDS_BY_CLIENT.failures)
    attack(services, email, clock)
    assert status(stranger, email, PASSWORD) == 429
    assert status(browser, email, PASSWORD) == 303
    assert status(browser, "nobody@example.org", WRONG) == 429
    wrong = [status(browser, email, WRONG) for _ in range(FREE_PASSWORDS)]
    assert wrong == [422] * FREE_PASSWORDS
    assert status(browser, email, PASSWORD) == 429


def test_guesses_at_an_account_are_slowed_down_from_every_address(
    app: Flask, with_password: Owner, services: Services, clock: Clock
) -> None:
    email = with_password.account.email
    attack(services, email, clock)
    base = from_another_address()
    exhaust(FREE_PASSWORDS, lambda: sign_in(app, email, base=base), status=422)
    assert sign_in(app, email, base=base).status_code == 429
    assert sign_in(app, email, PASSWORD, base).status_code == 429


def test_an_account_that_does_not_exist_is_limited_like_one_that_does(
    app: Flask, with_password: Owner, services: Services, clock: Clock
) -> None:
    seen = []
    for email in (with_password.account.email, "nobody@example.org"):
        attack(services, email, clock)
        base = from_another_address()
        seen.append([sign_in(app, email, base=base).status_code for _ in range(FREE_PASSWORDS + 1)])
    assert seen[0] == seen[1]


def test_an_incomplete_form_is_no_guess(app: Flask, conninfo: str) -> None:
    assert sign_in(app, "olivia@example.org", "").status_code == 422
    assert rows_of(conninfo, "rate_limits") == ""


def test_wrong_passwords_at_a_change_of_password_count_as_well(
    app: Flask, with_password: Owner
) -> None:
    client = app.test_client()
    client.post("/", data={"email": with_password.account.email, "password": PASSWORD})
    page = client.get("/settings/access").get_data(as_text=True)
    token = page.split('name="form_token" value="')[1].split('"')[0]

    def change(current: str) -> Any:
        new = "another long password"
        form = {"current_password": current, "password": new, "password_again": new}
        return client.post("/account/password", data=form | {"form_token": token})

    exhaust(PASSWORDS_BY_CLIENT.failures, lambda: change(WRONG), status=422)
    assert change(PASSWORD).status_code == 429


@pytest.mark.parametrize("error", [Unavailable, psycopg.errors.UndefinedTable])
def test_while_limits_cannot_be_counted_nobody_is_refused(
    app: Flask,
    with_password: Owner,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    too_many_forged(with_password)
    monkeypatch.setattr(services.rate_limits, "_count", fail)
    monkeypatch.setattr(services.rate_limits, "_read", fail)
    assert refusal(with_password.client.get(FORGED)) == (404, "link-not-found")
    email = with_password.account.email
    assert sign_in(app, email).status_code == 422
    assert sign_in(app, email, PASSWORD).status_code == 303


def test_ended_limits_are_deleted_by_the_retention_process(
    owner: Owner, services: Services, clock: Clock, conninfo: str
) -> None:
    owner.client.get(FORGED)
    clock.advance(minutes=5)
    owner.client.get(FORGED, environ_base=from_another_address())
    clock.advance(minutes=6)
    assert "Deleted 1 ended rate limit." in list(delete_due(services, stop=Event()))
    assert len(rows_of(conninfo, "rate_limits").splitlines()) == 1


def test_clients_behind_a_proxy_are_counted_by_the_address_that_it_names(
    services: Services, web_application: Callable[[Services], Flask]
) -> None:
    settings = replace(services.settings, trusted_proxies=(ip_network("192.0.2.0/24"),))
    client = web_application(replace(services, settings=settings)).test_client()
    proxy = {"REMOTE_ADDR": "192.0.2.1"}

    def guess(forwarded_for: str) -> int:
        headers = {"X-Forwarded-For": forwarded_for}
        return client.get(FORGED, headers=headers, environ_base=proxy).status_code

    spoofed = [f"203.0.113.{number}, 198.51.100.1" for number in range(FORGED_TOKENS.failures)]
    assert {guess(forwarded_for) for forwarded_for in spoofed} == {404}
    assert guess("198.51.100.1") == 429
    assert guess("198.51.100.1, 198.51.100.2") == 404
    neighbours = [f"2001:db8::{number}" for number in range(FORGED_TOKENS.failures)]
    assert {guess(forwarded_for) for forwarded_for in neighbours} == {404}
    assert guess("2001:db8::ffff") == 429
    assert guess("2001:db8:0:1::1") == 404


def test_a_client_that_is_no_trusted_proxy_pretends_in_vain(owner: Owner) -> None:
    base = from_another_address()

    def guess(number: int) -> int:
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        return int(owner.client.get(FORGED, headers=headers, environ_base=base).status_code)

    assert {guess(number) for number in range(FORGED_TOKENS.failures)} == {404}
    assert guess(200) == 429
