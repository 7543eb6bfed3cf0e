"""The booking form books once, or gives the true reason and keeps what was typed."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from application.commands.redemption import RedemptionCommands
from domain.errors import Busy
from interface.bootstrap import Services
from tests.support.examples import NINE, TEN, redeem_json
from tests.support.invitee_browser import ADA, BOB, InviteeBrowser, tells_nothing, text_of
from tests.support.signed_in_browser import SignedIn


def test_sending_a_form_twice_books_once_and_answers_alike(invitee: InviteeBrowser) -> None:
    form = invitee.form()
    first, second = invitee.elsewhere().post(form), invitee.elsewhere().post(form)
    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert len(invitee.bookings()) == 1


def test_a_form_changed_and_sent_again_after_going_back_leads_to_the_booking(
    invitee: InviteeBrowser,
) -> None:
    form = invitee.form()
    first = invitee.elsewhere().post(form)
    for changed in ({"name": "Ada King"}, {"start": TEN}):
        again = invitee.elsewhere().post(form | changed)
        assert (again.status_code, again.headers["Location"]) == (303, first.headers["Location"])
    (booking,) = invitee.bookings()
    assert (booking["start"], booking["invitee"]["name"]) == (NINE, "Ada Lovelace")


def test_the_form_is_filled_in_with_what_the_owner_gave_and_can_be_changed(
    invitee: InviteeBrowser,
) -> None:
    prefill = {"name": 'Ada "<b>" King', "email": "ada@example.org"}
    link = invitee.owner.new_link(invitee.link["calendar_id"], prefill=prefill)
    opened = InviteeBrowser(invitee.owner, link, invitee.browser)
    days = opened.get().get_data(as_text=True)
    page = opened.get(f"?start={NINE}").get_data(as_text=True)
    shown = dict(re.findall(r'<input id="(\w+)"[^>]* value="([^"]*)"', page))
    assert {name: unescape(shown[name]) for name in prefill} == prefill
    assert "<b>" not in page
    addresses = re.findall(r'(?:href|action)="([^"]*)"', days + page)
    assert not any("Ada" in address or "ada" in address for address in addresses)
    answer = opened.post(opened.form() | {"name": ""})
    assert (answer.status_code, 'value="Ada ' in answer.text) == (422, False)
    opened.post(opened.form() | {"name": "Grace Hopper"})
    assert invitee.bookings()[0]["invitee"]["name"] == "Grace Hopper"
    ended = opened.elsewhere().get(f"?start={NINE}")
    assert (ended.status_code, "King" in ended.text) == (410, False)


def test_the_second_person_is_told_that_somebody_booked_in_the_meantime(
    invitee: InviteeBrowser,
) -> None:
    slower = invitee.elsewhere()
    form = slower.form()
    assert invitee.post(invitee.form()).status_code == 303
    for start in (NINE, TEN):
        answer = slower.post(form | BOB | {"start": start})
        assert answer.status_code == 410
        assert "Someone else used this link while you were choosing a time." in text_of(answer)
        tells_nothing(answer)


def test_a_link_revoked_while_choosing_is_no_longer_active(invitee: InviteeBrowser) -> None:
    form = invitee.form() | BOB
    invitee.revoke()
    answer = invitee.post(form)
    assert answer.status_code == 410
    assert "This link is no longer active." in text_of(answer)
    tells_nothing(answer)
    assert "You have not been booked. Ask Olivia Owner for a new link." in text_of(answer)
    assert invitee.get().status_code == 410


def test_a_time_lost_to_somebody_else_keeps_the_form_and_offers_what_is_near(
    invitee: InviteeBrowser, new_invitee_browser: Callable[..., InviteeBrowser]
) -> None:
    form = invitee.form(TEN) | {"notes": "About engines."}
    rival = new_invitee_browser()
    assert rival.post(rival.form(TEN)).status_code == 303
    # The views have not caught up: they still show the time as free.
    answer = invitee.post(form)
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
    booked = invitee.post(form | again | {"start": offered[0]})
    assert booked.status_code == 303
    assert {booking["start"] for booking in invitee.bookings()} == {TEN, offered[0]}


def test_a_time_outside_the_rules_keeps_the_form(invitee: InviteeBrowser) -> None:
    answer = invitee.post(invitee.form() | {"start": "2026-11-24T09:07:00Z"})
    assert answer.status_code == 422
    assert "That time can no longer be booked." in text_of(answer)
    assert 'value="Ada Lovelace"' in answer.get_data(as_text=True)
    assert invitee.bookings() == []


def test_a_name_that_would_be_shown_backwards_is_booked_as_it_was_typed(
    invitee: InviteeBrowser,
) -> None:
    invitee.post(invitee.form() | {"name": "Ada \u202elairotut\u202c"})
    assert [booking["invitee"]["name"] for booking in invitee.bookings()] == ["Ada lairotut"]


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
    invitee: InviteeBrowser, field: str, value: str, sentence: str
) -> None:
    answer = invitee.post(invitee.form() | {field: value})
    assert answer.status_code == 422
    page = answer.get_data(as_text=True)
    beside = re.search(rf'<small id="{field}-help" class="error">([^<]*)', page)
    assert beside is not None
    assert sentence in beside[1]
    for name, typed in ADA.items():
        assert name == field or f'value="{typed}"' in page
    assert invitee.bookings() == []


def test_a_link_scanner_books_nothing(invitee: InviteeBrowser) -> None:
    for _ in range(2):
        assert invitee.get().status_code == 200
        assert invitee.browser.head(invitee.path).status_code == 200
        answer = invitee.browser.post(invitee.path)
        assert answer.status_code == 422
        assert "Choose a time." in text_of(answer)
    empty = dict.fromkeys(invitee.form(), "") | {"start": NINE}
    assert invitee.post(empty).status_code == 422
    assert invitee.bookings() == []
    assert invitee.get().status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_site_books_nothing(
    invitee: InviteeBrowser, headers: dict[str, str]
) -> None:
    assert invitee.post(invitee.form(), **headers).status_code == 403
    assert invitee.bookings() == []


def test_an_owner_who_is_signed_in_can_book_with_the_form_of_the_page(
    invitee: InviteeBrowser, person: SignedIn
) -> None:
    signed_in = InviteeBrowser(invitee.owner, invitee.link, person.client)
    form = signed_in.form()
    assert signed_in.post(form | {"form_token": ""}).status_code == 403
    assert signed_in.post(form).status_code == 303


def test_when_too_many_book_the_form_is_kept_for_another_try(
    invitee: InviteeBrowser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = invitee.form()

    def busy(*_: Any, **__: Any) -> None:
        raise Busy

    with monkeypatch.context() as patched:
        patched.setattr(RedemptionCommands, "redeem", busy)
        answer = invitee.post(form)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    page = answer.get_data(as_text=True)
    assert "Nothing is lost: try again shortly." in text_of(answer)
    kept = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert kept == {name: form[name] for name in kept}
    assert kept["idempotency_key"] == form["idempotency_key"]
    assert invitee.post(form).status_code == 303


def test_every_form_has_a_key_of_its_own(invitee: InviteeBrowser) -> None:
    keys = {invitee.form()["idempotency_key"] for _ in range(3)}
    assert len(keys) == 3
    assert all(len(key) >= 20 for key in keys)


def test_the_idempotency_key_of_an_api_client_does_not_open_its_booking(
    invitee: InviteeBrowser,
) -> None:
    invitee.owner.catch_up()
    token = invitee.link["token"]
    headers = {"Idempotency-Key": "1"}
    body = redeem_json(NINE)
    path = f"/api/v1/booking-links/{token}/redeem"
    assert invitee.browser.post(path, json=body, headers=headers).status_code == 201
    answer = invitee.elsewhere().post(BOB | {"start": TEN, "idempotency_key": "1"})
    assert answer.status_code == 410
    tells_nothing(answer)
