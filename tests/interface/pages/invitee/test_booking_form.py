"""Sending the form: booked once, or told the true reason with nothing typed lost."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from application.commands.redemption import RedemptionCommands
from domain.errors import Busy
from interface.bootstrap import Services
from tests.support.examples import redeem_json
from tests.support.invitee_browser import ADA, NINE, TEN, Invited, tells_nothing, text_of
from tests.support.signed_in_browser import SignedIn


def test_sending_a_form_twice_books_once_and_answers_alike(invited: Invited) -> None:
    form = invited.form()
    first, second = invited.elsewhere().post(form), invited.elsewhere().post(form)
    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert len(invited.bookings()) == 1


def test_a_form_changed_and_sent_again_after_going_back_leads_to_the_booking(
    invited: Invited,
) -> None:
    form = invited.form()
    first = invited.elsewhere().post(form)
    for changed in ({"name": "Ada King"}, {"start": TEN}):
        again = invited.elsewhere().post(form | changed)
        assert (again.status_code, again.headers["Location"]) == (303, first.headers["Location"])
    (booking,) = invited.bookings()
    assert (booking["start"], booking["invitee"]["name"]) == (NINE, "Ada Lovelace")


def test_whoever_was_second_hears_that_somebody_booked_while_they_chose(invited: Invited) -> None:
    slower = invited.elsewhere()
    form = slower.form()
    assert invited.post(invited.form()).status_code == 303
    for start in (NINE, TEN):
        answer = slower.post(form | {"start": start})
        assert answer.status_code == 410
        assert "Someone else used this link while you were choosing a time." in text_of(answer)
        tells_nothing(answer)


def test_a_link_revoked_while_choosing_is_no_longer_active(invited: Invited) -> None:
    form = invited.form()
    invited.revoke()
    answer = invited.post(form)
    assert answer.status_code == 410
    assert "This link is no longer active." in text_of(answer)
    tells_nothing(answer)
    assert "Olivia" not in text_of(answer)
    assert invited.get().status_code == 410


def test_a_time_lost_to_somebody_else_keeps_the_form_and_offers_what_is_near(
    invited: Invited, new_invited: Callable[..., Invited]
) -> None:
    form = invited.form(TEN) | {"notes": "About engines."}
    rival = new_invited()
    assert rival.post(rival.form(TEN)).status_code == 303
    # The views have not caught up: they still show the time as free.
    answer = invited.post(form)
    assert answer.status_code == 409
    page = answer.get_data(as_text=True)
    assert "That time was just taken. Your link still works: pick another time." in text_of(answer)
    for kept in ('value="Ada Lovelace"', 'value="ada@example.org"', "About engines."):
        assert kept in page
    offered = re.findall(r'type="radio" name="start" value="([^"]+)"', page)
    assert TEN not in offered
    assert {"2026-11-24T09:30:00Z", "2026-11-24T10:30:00Z"} <= set(offered)
    assert offered == sorted(offered)
    again = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    booked = invited.post(form | again | {"start": offered[0]})
    assert booked.status_code == 303
    assert {booking["start"] for booking in invited.bookings()} == {TEN, offered[0]}


def test_a_time_outside_the_rules_keeps_the_form(invited: Invited) -> None:
    answer = invited.post(invited.form() | {"start": "2026-11-24T09:07:00Z"})
    assert answer.status_code == 422
    assert "That time can no longer be booked." in text_of(answer)
    assert 'value="Ada Lovelace"' in answer.get_data(as_text=True)
    assert invited.bookings() == []


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", "  ", "Enter your name."),
        ("name", "", "Enter your name."),
        ("name", "x" * 201, "Must not be longer than 200 characters."),
        ("email", "nope", "Enter one e-mail address, such as name@example.org."),
        ("email", "a@b,c@d.e", "Enter one e-mail address, such as name@example.org."),
        ("email", "ada@localhost", "The part after the @ must be a public domain"),
        ("notes", "\x00", "Must not contain control characters."),
        ("start", "soon", "Must be a time"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_typed_is_lost(
    invited: Invited, field: str, value: str, sentence: str
) -> None:
    answer = invited.post(invited.form() | {field: value})
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    beside = re.search(rf'<small id="{field}-help" class="error">([^<]*)', page)
    assert beside is not None
    assert sentence in beside[1]
    for name, typed in ADA.items():
        assert name == field or f'value="{typed}"' in page
    assert invited.bookings() == []


def test_a_scanner_that_opens_and_posts_books_nothing(invited: Invited) -> None:
    for _ in range(2):
        assert invited.get().status_code == 200
        assert invited.browser.head(invited.path).status_code == 200
        answer = invited.browser.post(invited.path)
        assert answer.status_code == 422
        assert "Choose a time." in text_of(answer)
    empty = dict.fromkeys(invited.form(), "") | {"start": NINE}
    assert invited.post(empty).status_code == 422
    assert invited.bookings() == []
    assert invited.get().status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_site_books_nothing(invited: Invited, headers: dict[str, str]) -> None:
    assert invited.post(invited.form(), **headers).status_code == 403
    assert invited.bookings() == []


def test_an_owner_who_is_signed_in_can_book_with_the_form_of_the_page(
    invited: Invited, person: SignedIn
) -> None:
    signed_in = Invited(invited.owner, invited.link, person.client)
    form = signed_in.form()
    assert signed_in.post(form | {"form_token": ""}).status_code == 403
    assert signed_in.post(form).status_code == 303


def test_when_too_many_book_the_form_is_kept_for_another_try(
    invited: Invited, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = invited.form()

    def busy(*_: Any, **__: Any) -> None:
        raise Busy

    with monkeypatch.context() as patched:
        patched.setattr(RedemptionCommands, "redeem", busy)
        answer = invited.post(form)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    page = answer.get_data(as_text=True)
    assert "Nothing is lost: try again shortly." in text_of(answer)
    kept = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert kept == {name: form[name] for name in kept}
    assert kept["idempotency_key"] == form["idempotency_key"]
    assert invited.post(form).status_code == 303


def test_every_form_has_a_key_of_its_own(invited: Invited) -> None:
    keys = {invited.form()["idempotency_key"] for _ in range(3)}
    assert len(keys) == 3
    assert all(len(key) >= 20 for key in keys)


def test_a_program_cannot_guess_its_way_in_with_the_key_of_another_program(
    invited: Invited,
) -> None:
    invited.owner.catch_up()
    token = invited.link["token"]
    headers = {"Idempotency-Key": "1"}
    body = redeem_json(NINE)
    path = f"/api/v1/booking-links/{token}/redeem"
    assert invited.browser.post(path, json=body, headers=headers).status_code == 201
    answer = invited.elsewhere().post(ADA | {"start": TEN, "idempotency_key": "1"})
    assert answer.status_code == 410
    tells_nothing(answer)
