"""The first page of a new owner: from signing in to a link with one form."""

import re
from collections.abc import Callable

from flask import Flask

from interface.bootstrap import Services
from tests.interface.pages.page_text import error_at, the_calendar, words
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn, sign_in

HX = {"HX-Request": "true"}
FORM = {"name": "Olivia", "calendar": "Intro call", "time_zone": "paris"}


def test_one_form_makes_a_calendar_with_office_hours_and_its_first_link(
    person: SignedIn, owner: Owner
) -> None:
    page = person.get("/").get_data(as_text=True)
    assert 'value="Intro call"' in page
    assert 'name="email"' not in page
    answer = person.post("/first-link", FORM, headers=HX)
    assert answer.status_code == 200
    calendar = the_calendar(owner)
    assert (calendar["name"], calendar["time_zone"]) == ("Intro call", "Europe/Paris")
    assert calendar["duration_minutes"] == 30
    assert calendar["availability"]["weekly"]["friday"] == [["09:00", "17:00"]]
    (link,) = owner.get("/links").json["items"]
    assert re.search(
        rf'readonly value="{re.escape(link["url"])}"[^>]*data-copy-now',
        answer.get_data(as_text=True),
    )
    assert "Set a password" in words(answer)
    assert "Hello, Olivia" in words(person.get("/"))


def test_without_a_script_the_form_leads_to_the_link(person: SignedIn, owner: Owner) -> None:
    answer = person.post("/first-link", FORM)
    assert answer.status_code == 303
    (link,) = owner.get("/links").json["items"]
    assert link["url"] in person.get(answer.headers["Location"]).get_data(as_text=True)


def test_what_is_missing_is_named_and_nothing_is_made(person: SignedIn, owner: Owner) -> None:
    answer = person.post("/first-link", {"name": " ", "calendar": "", "time_zone": "nowhere"})
    assert answer.status_code == 422
    assert error_at(answer, "name") == "Enter your name."
    assert error_at(answer, "calendar") == "Enter a name."
    assert "time zone" in error_at(answer, "time_zone")
    assert owner.get("/calendars").json["items"] == []


def test_a_form_that_is_sent_again_makes_no_second_calendar(person: SignedIn, owner: Owner) -> None:
    person.post("/first-link", FORM)
    again = person.post("/first-link", FORM)
    assert (again.status_code, again.headers["Location"]) == (303, "/")
    the_calendar(owner)


def test_an_owner_without_a_public_address_is_asked_for_one(
    app: Flask, services: Services, catch_up: Callable[[], None], person: SignedIn
) -> None:
    account = services.accounts.create(email="owner@localhost", name="Owner", roles=["owner"])
    token = services.accounts.sign_in_token(account)
    first = sign_in(app.test_client(), account, token, catch_up)
    assert 'name="email"' in first.get("/").get_data(as_text=True)
    taken = first.post("/first-link", FORM | {"email": person.account.email})
    assert error_at(taken, "email") == "An account with this address already exists."
    assert first.post("/first-link", FORM | {"email": "max@example.org"}).status_code == 303
    assert services.accounts.by_id(account.id).email == "max@example.org"


def test_a_sign_in_link_leads_new_owners_home_and_others_to_choose_a_password(
    app: Flask, services: Services, owner: Owner
) -> None:
    def leads_to() -> str | None:
        token = services.accounts.sign_in_token(owner.account)
        return app.test_client().post(f"/sign-in/{token}").headers["Location"]

    assert leads_to() == "/"
    owner.new_calendar()
    owner.catch_up()
    assert leads_to() == "/settings/access"
