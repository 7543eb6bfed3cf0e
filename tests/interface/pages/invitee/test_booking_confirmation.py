"""The page of the invitee's own booking, and the way back to it."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from icalendar import Calendar

from domain.booking_rules import WEEKDAYS
from interface.bootstrap import Services
from interface.smtp_address import SmtpServer
from interface.web import request_context
from tests.support.clock import Clock
from tests.support.desk import Desk
from tests.support.examples import NINE, TEN, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.invitee_browser import ADA, InviteeBrowser, manage_token, text_of


def test_a_booking_leads_to_its_own_page(invitee: InviteeBrowser, services: Services) -> None:
    answer = invitee.post(invitee.form())
    assert answer.status_code == 303
    page = invitee.browser.get(answer.headers["Location"])
    assert page.status_code == 200
    shown = text_of(page)
    assert "You're booked" in shown
    assert "Tuesday, November 24, 2026" in shown
    for words in (
        "Intro call with Olivia Owner",
        "United Kingdom Time – London",
        "Room 1",
        "ada@example.org",
    ):
        assert words in shown
    (booking,) = invitee.bookings()
    assert booking["start"] == NINE
    assert booking["invitee"] == ADA | {"time_zone": "Europe/London"}
    manage = services.tokens.for_managing(services.tokens.booking_id(manage_token(answer)))
    assert manage == manage_token(answer)


def test_a_time_that_occurs_twice_has_its_offset(
    new_invitee_browser: Callable[..., InviteeBrowser], clock: Clock
) -> None:
    start = "2027-04-03T16:00:00Z"  # 02:30 in Adelaide, half an hour before that is 02:00 again
    clock.time = datetime(2027, 3, 30, tzinfo=UTC)
    every_hour = {day: [["00:00", "24:00"]] for day in WEEKDAYS}
    invitee = new_invitee_browser(availability={"weekly": every_hour})
    booked = invitee.post(invitee.form(start, "Australia/Adelaide"))
    shown = text_of(invitee.browser.get(booked.headers["Location"]))
    assert "2:30 AM (GMT+10:30)–2:00 AM (GMT+09:30)" in shown
    assert "You can cancel until Apr 4, 2027, 2:30 AM (GMT+10:30)." in shown


def test_the_page_says_where_the_confirmation_goes_or_that_none_is_sent(
    invitee: InviteeBrowser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = invitee.post(invitee.form()).headers["Location"]
    sentence, none = "A confirmation goes to ada@example.org.", "No confirmation is sent by mail."
    page = text_of(invitee.browser.get(address))
    assert none in page
    assert sentence not in page
    with_mail = replace(services.settings, smtp_url=SmtpServer("localhost", 25))
    monkeypatch.setattr(request_context, "services", lambda: replace(services, settings=with_mail))
    page = text_of(invitee.browser.get(address))
    assert sentence in page
    assert none not in page


def test_the_page_has_its_own_address_to_copy_and_to_scan(
    invitee: InviteeBrowser, services: Services
) -> None:
    path = f"/m/{manage_token(invitee.post(invitee.form()))}"
    page = invitee.browser.get(path).get_data(as_text=True)
    assert f'value="{services.settings.public_url}{path}"' in page
    assert f'src="{path}/qr.svg"' in page
    image = invitee.browser.get(f"{path}/qr.svg")
    assert image.content_type == "image/svg+xml; charset=utf-8"
    assert image.data.startswith(b"<svg")
    assert path.encode() not in image.data
    assert invitee.browser.get("/m/forged/qr.svg").status_code == 404


def test_the_cookie_of_a_booking_is_sent_only_to_its_link(invitee: InviteeBrowser) -> None:
    answer = invitee.post(invitee.form())
    (cookie,) = answer.headers.getlist("Set-Cookie")
    parts = set(cookie.split("; "))
    assert {f"Path={invitee.path}", "HttpOnly", "Secure", "SameSite=Lax"} <= parts
    assert not any(part.startswith("Domain") for part in parts)


def test_both_zones_are_shown_where_their_clocks_differ(
    new_invitee_browser: Callable[..., InviteeBrowser],
) -> None:
    invitee = new_invitee_browser(
        time_zone="Europe/Paris", availability={"weekly": {"tuesday": [["09:00", "17:00"]]}}
    )
    address = invitee.post(invitee.form(zone="UTC")).headers["Location"]
    same_day = text_of(invitee.browser.get(address))
    assert "9:00 AM–9:30 AM UTC" in same_day
    assert "Olivia Owner's time: 10:00 AM–10:30 AM (Central European Time" in same_day
    day_before = text_of(invitee.browser.get(f"{address}?tz=Pacific/Pago_Pago"))
    assert "Olivia Owner's time: Tuesday, November 24, 2026, 10:00 AM" in day_before


def test_links_to_calendar_services_reveal_no_token_or_personal_data(
    invitee: InviteeBrowser, services: Services
) -> None:
    answer = invitee.post(invitee.form() | {"notes": "Secret plans."})
    path = answer.headers["Location"]
    page = unescape(invitee.browser.get(path).get_data(as_text=True))
    links = re.findall(r'<a [^>]*href="(https://[^"]+)"([^>]*)>', page)
    assert [urlsplit(link).hostname for link, _ in links] == [
        "calendar.google.com",
        "outlook.live.com",
        "outlook.office.com",
    ]
    for link, attributes in links:
        assert 'rel="noreferrer noopener"' in attributes
        given = parse_qs(urlsplit(link).query)
        assert "Intro call with Olivia Owner" in (given.get("text") or given["subject"])
        assert (given["location"], given.get("details") or given["body"]) == (
            ["Room 1"],
            ["Hello."],
        )
        for secret in (manage_token(answer), invitee.link["token"], "ada", "Ada", "Secret"):
            assert secret not in link
    file = invitee.browser.get(f"{path}/booking.ics")
    assert file.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert file.headers["Content-Disposition"] == 'attachment; filename="booking.ics"'
    event = event_in(file.get_data())
    booking_id = services.tokens.booking_id(manage_token(answer))
    assert event["UID"] == f"{booking_id}@book.example.org"
    assert event["DTSTART"].dt == TOMORROW_AT_NINE
    assert event["DTEND"].dt == TOMORROW_AT_NINE + timedelta(minutes=30)
    assert f"https://book.example.org{path}" in event["DESCRIPTION"]


def test_a_cancelled_booking_is_shown_as_such(
    invitee: InviteeBrowser, services: Services, desk: Desk
) -> None:
    answer = invitee.post(invitee.form())
    booking_id = services.tokens.booking_id(manage_token(answer))
    desk.reschedule(booking_id, TOMORROW_AT_TEN, by_invitee=True)
    desk.cancel(booking_id, by_invitee=True)
    path = answer.headers["Location"]
    page = invitee.browser.get(path)
    assert page.status_code == 200
    assert "This booking was cancelled" in text_of(page)
    assert "You're booked" not in text_of(page)
    assert "10:00" in text_of(page)
    event = event_in(invitee.browser.get(f"{path}/booking.ics").get_data())
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 2)
    assert event["DTSTART"].dt == TOMORROW_AT_TEN


def test_a_booking_that_is_over_offers_no_calendar_and_no_change(
    invitee: InviteeBrowser, clock: Clock
) -> None:
    address = invitee.post(invitee.form()).headers["Location"]
    clock.advance(days=2)
    shown = text_of(invitee.browser.get(address))
    assert "This booking is over" in shown
    assert "Add to calendar" not in shown
    assert "Change your booking" not in shown


def test_markup_in_texts_is_escaped(new_invitee_browser: Callable[..., InviteeBrowser]) -> None:
    hostile = "<script>alert(1)</script>\"'>"
    invitee = new_invitee_browser(name=hostile, location=hostile, description=hostile)
    answer = invitee.post(invitee.form() | {"name": hostile})
    booked = invitee.browser.get(answer.headers["Location"])
    for page in (invitee.elsewhere(), booked):
        shown = page.get() if isinstance(page, InviteeBrowser) else page
        assert "<script>alert" not in shown.get_data(as_text=True)


def test_the_browser_that_booked_comes_back_to_its_booking(invitee: InviteeBrowser) -> None:
    other_tab = invitee.form(TEN)
    first = invitee.post(invitee.form())
    assert invitee.get().headers["Location"] == first.headers["Location"]
    assert invitee.get("?day=2026-11-24").headers["Location"] == first.headers["Location"]
    part = invitee.browser.get(invitee.path, headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (204, first.headers["Location"])
    second = invitee.post(other_tab)
    assert (second.status_code, second.headers["Location"]) == (303, first.headers["Location"])
    assert len(invitee.bookings()) == 1


def test_a_cookie_of_another_booking_opens_nothing(
    invitee: InviteeBrowser, new_invitee_browser: Callable[..., InviteeBrowser]
) -> None:
    cookie = manage_token(invitee.post(invitee.form()))
    other = new_invitee_browser()
    for value in (cookie, "nonsense"):
        other.browser.set_cookie("admitone-booked", value, domain="localhost", path="/")
        assert other.get().status_code == 200


def event_in(file: bytes) -> Any:
    """The one appointment of a file."""
    (event,) = Calendar.from_ical(file).walk("VEVENT")
    return event
