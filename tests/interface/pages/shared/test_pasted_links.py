"""Links that were copied together with what stood behind them."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

import pytest
from flask import Flask

from interface.bootstrap import Services
from tests.support.invitee_browser import InviteeBrowser, manage_token
from tests.support.owner import Owner

BEHIND = [".", ",", ";", ":", "!", "/", "//", ")", ").", "]", ">", ">.", '"', "'", "”", "»", "…"]
BEHIND += [" ", "\u00a0", "\u200b", "\n", "*", "_", "__", "-", "|", "\\", "。", "=", "%"]


@pytest.fixture
def addresses(
    invitee: InviteeBrowser,
    new_invitee_browser: Callable[..., InviteeBrowser],
    services: Services,
    owner: Owner,
) -> list[str]:
    """One valid address of each kind that people get in a message."""
    booked = new_invitee_browser(name="Another call")
    managed = manage_token(booked.post(booked.form()))
    sign_in = services.accounts.sign_in_token(owner.account)
    return [invitee.path, f"/m/{managed}", f"/sign-in/{sign_in}"]


@pytest.mark.parametrize("behind", BEHIND)
def test_what_was_copied_with_a_link_is_taken_off(
    addresses: list[str], app: Flask, behind: str
) -> None:
    browser = app.test_client()
    for address in addresses:
        for method in ("GET", "HEAD"):
            answer = browser.open(f"{address}{quote(behind)}?tz=Europe/Paris", method=method)
            assert answer.status_code == 308, address
            assert answer.headers["Location"] == f"{address}?tz=Europe/Paris"
            assert answer.headers["Cache-Control"] == "no-store"
        assert browser.get(f"{address}{quote(behind)}").headers["Location"] == address
        assert browser.get(address).status_code == 200


def test_a_form_is_not_led_elsewhere(addresses: list[str], app: Flask) -> None:
    for address in addresses:
        for behind in (".", "/"):
            assert app.test_client().post(f"{address}{behind}").status_code in (404, 405, 410)
    assert all(app.test_client().get(address).status_code == 200 for address in addresses)


def test_only_a_token_of_ours_is_led_to_its_address(addresses: list[str], app: Flask) -> None:
    browser = app.test_client()
    link, managed, sign_in = addresses
    wrong = [
        f"{link[:-1]}.",  # the token itself is cut
        f"{link}A",
        f"{link}.A",
        f"{link}/slots",
        f"{link}{'.' * 100}",
        f"/m/{link.removeprefix('/b/')}.",  # a token of another kind
        f"/b/{managed.removeprefix('/m/')}.",
        f"/b/{sign_in.removeprefix('/sign-in/')}.",
        f"/x{link}.",
        "/b/.",
        "/b/",
        f"/b/{'A' * 22}.{'A' * 43}.",
    ]
    for address in wrong:
        assert browser.get(address).status_code in (404, 410), address


def test_a_file_of_a_booking_is_not_taken_for_its_page(addresses: list[str], app: Flask) -> None:
    _, managed, _ = addresses
    assert app.test_client().get(f"{managed}/booking.ics").mimetype == "text/calendar"


def test_the_clean_address_is_below_the_public_path(
    web_application: Callable[[Services], Flask], services: Services, invitee: InviteeBrowser
) -> None:
    settings = replace(services.settings, public_url="https://example.org/book")
    app = web_application(replace(services, settings=settings))
    answer = app.test_client().get(f"/book{invitee.path}.")
    assert answer.headers["Location"] == f"/book{invitee.path}"
