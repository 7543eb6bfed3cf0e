"""What the page of a booking says about its mails."""

from dataclasses import replace
from datetime import timedelta

import pytest

from application.deliveries.delivery import Outcome
from interface.bootstrap import Services
from interface.smtp_address import SmtpServer
from interface.web import request_context
from tests.interface.pages.page_text import words
from tests.support.claims import claim_mail, claims_of
from tests.support.desk import Desk
from tests.support.examples import NOW, TOMORROW_AT_NINE
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

NO_MAIL = "No mail goes out: this service has no mail server."


def settle_all(services: Services) -> None:
    """Lets the mail to the owner be given up, and sends all others that are due."""
    while (claimed := claim_mail(services)) is not None:
        if claimed.audience == "owner" and claimed.booking_id is not None:
            outcome = Outcome.parked(claimed, answer="550 No such user")
        else:
            outcome = Outcome.sent(claimed, answer="250 OK", now=NOW + timedelta(minutes=3))
        claims_of(services).settle(outcome)


def test_a_booking_says_what_was_sent_when(
    person: SignedIn, owner: Owner, services: Services
) -> None:
    desk = Desk(services, owner.account.id)
    booking_id = desk.book(desk.new_link(), TOMORROW_AT_NINE + timedelta(days=1))
    owner.catch_up()
    settle_all(services)
    page = words(person.get(f"/bookings/{booking_id}", headers={"Accept-Language": "en-GB"}))
    for line in (
        "Confirmation, to the invitee: sent 23 Nov 2026, 08:03",
        "Confirmation, to you: given up 550 No such user",
        "Reminder, to the invitee: due 24 Nov 2026, 09:00",
        NO_MAIL,
    ):
        assert line in page
    desk.cancel(booking_id)
    desk.forget(booking_id)
    owner.catch_up()
    page = words(person.get(f"/bookings/{booking_id}"))
    assert "Reminder, to the invitee: no longer needed" in page
    assert "550 No such user" not in page


def test_the_list_of_bookings_says_whether_mail_goes_out(
    person: SignedIn, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert NO_MAIL in words(person.get("/bookings"))
    with_mail = replace(services.settings, smtp_url=SmtpServer("localhost", 25))
    monkeypatch.setattr(request_context, "services", lambda: replace(services, settings=with_mail))
    assert NO_MAIL not in words(person.get("/bookings"))
