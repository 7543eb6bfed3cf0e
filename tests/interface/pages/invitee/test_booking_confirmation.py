"""The invitee's own booking, and the way back to it."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from icalendar import Calendar

from domain.booking import Booking
from domain.slot import Slot
from interface.bootstrap import Services
from tests.conftest import Clock
from tests.support.examples import TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.invitee_browser import ADA, NINE, TEN, Invited, manage_token, text_of


def test_a_booking_leads_to_its_own_page(invited: Invited, services: Services) -> None:
    answer = invited.post(invited.form())
    assert answer.status_code == 303
    page = invited.browser.get(answer.headers["Location"])
    assert page.status_code == 200
    shown = text_of(page)
    assert "You're booked" in shown
    assert "Tuesday, November 24, 2026" in shown
    for words in ("Intro call with Olivia Owner", "Europe/London", "Room 1", "ada@example.org"):
        assert words in shown
    (booking,) = invited.bookings()
    assert booking["start"] == NINE
    assert booking["invitee"] == ADA | {"time_zone": "Europe/London"}
    manage = services.tokens.for_managing(services.tokens.booking_id(manage_token(answer)))
    assert manage == manage_token(answer)


def test_the_cookie_of_a_booking_goes_nowhere_but_to_its_link(invited: Invited) -> None:
    answer = invited.post(invited.form())
    (cookie,) = answer.headers.getlist("Set-Cookie")
    parts = set(cookie.split("; "))
    assert {f"Path={invited.path}", "HttpOnly", "Secure", "SameSite=Lax"} <= parts
    assert not any(part.startswith("Domain") for part in parts)


def test_both_zones_are_shown_where_their_clocks_differ(
    new_invited: Callable[..., Invited],
) -> None:
    invited = new_invited(
        time_zone="Europe/Paris", availability={"weekly": {"tuesday": [["09:00", "17:00"]]}}
    )
    other = text_of(invited.browser.get(invited.post(invited.form(zone="UTC")).headers["Location"]))
    assert "9:00 AM–9:30 AM UTC" in other
    assert "Olivia Owner's time: Tuesday, November 24, 2026, 10:00 AM" in other


def test_a_booking_goes_to_calendars_and_takes_nothing_else_along(
    invited: Invited, services: Services
) -> None:
    answer = invited.post(invited.form() | {"notes": "Secret plans."})
    path = answer.headers["Location"]
    page = unescape(invited.browser.get(path).get_data(as_text=True))
    links = re.findall(r'<a [^>]*href="(https://[^"]+)"([^>]*)>', page)
    assert [urlsplit(link).hostname for link, _ in links] == [
        "calendar.google.com",
        "outlook.live.com",
    ]
    for link, attributes in links:
        assert 'rel="noreferrer noopener"' in attributes
        given = parse_qs(urlsplit(link).query)
        assert "Intro call with Olivia Owner" in (given.get("text") or given["subject"])
        for secret in (manage_token(answer), invited.link["token"], "ada", "Ada", "Secret"):
            assert secret not in link
    assert parse_qs(urlsplit(links[0][0]).query)["dates"] == ["20261124T090000Z/20261124T093000Z"]
    file = invited.browser.get(f"{path}/booking.ics")
    assert file.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert file.headers["Content-Disposition"] == 'attachment; filename="booking.ics"'
    event = event_in(file.get_data())
    booking_id = services.tokens.booking_id(manage_token(answer))
    assert event["UID"] == f"{booking_id}@book.example.org"
    assert event["DTSTART"].dt == TOMORROW_AT_NINE
    assert event["DTEND"].dt == TOMORROW_AT_NINE + timedelta(minutes=30)
    assert f"https://book.example.org{path}" in event["DESCRIPTION"]


def test_a_cancelled_booking_is_shown_as_such(
    invited: Invited, services: Services, clock: Clock
) -> None:
    answer = invited.post(invited.form())
    booking = services.event_store.get(Booking, services.tokens.booking_id(manage_token(answer)))
    booking.reschedule(
        Slot(TOMORROW_AT_TEN, TOMORROW_AT_TEN + timedelta(minutes=30)),
        actor="invitee",
        now=clock(),
    )
    booking.cancel(personal_data=None, actor="invitee", now=clock())
    services.event_store.save(booking)
    path = answer.headers["Location"]
    page = invited.browser.get(path)
    assert page.status_code == 200
    assert "This booking was cancelled" in text_of(page)
    assert "You're booked" not in text_of(page)
    assert "10:00" in text_of(page)
    event = event_in(invited.browser.get(f"{path}/booking.ics").get_data())
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 2)
    assert event["DTSTART"].dt == TOMORROW_AT_TEN


def test_hostile_words_stay_words(new_invited: Callable[..., Invited]) -> None:
    hostile = "<script>alert(1)</script>\"'>"
    invited = new_invited(name=hostile, location=hostile, description=hostile)
    answer = invited.post(invited.form() | {"name": hostile})
    booked = invited.browser.get(answer.headers["Location"])
    for page in (invited.elsewhere(), booked):
        shown = page.get() if isinstance(page, Invited) else page
        assert "<script>alert" not in shown.get_data(as_text=True)


def test_the_browser_that_booked_comes_back_to_its_booking(invited: Invited) -> None:
    other_tab = invited.form(TEN)
    first = invited.post(invited.form())
    assert invited.get().headers["Location"] == first.headers["Location"]
    assert invited.get("?day=2026-11-24").headers["Location"] == first.headers["Location"]
    part = invited.browser.get(invited.path, headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (204, first.headers["Location"])
    second = invited.post(other_tab)
    assert (second.status_code, second.headers["Location"]) == (303, first.headers["Location"])
    assert len(invited.bookings()) == 1


def test_a_cookie_of_another_booking_opens_nothing(
    invited: Invited, new_invited: Callable[..., Invited]
) -> None:
    cookie = manage_token(invited.post(invited.form()))
    other = new_invited()
    for value in (cookie, "nonsense"):
        other.browser.set_cookie("admitone-booked", value, domain="localhost", path="/")
        assert other.get().status_code == 200


def event_in(file: bytes) -> Any:
    """The one appointment of a file."""
    (event,) = Calendar.from_ical(file).walk("VEVENT")
    return event
