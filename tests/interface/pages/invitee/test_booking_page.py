"""The booking page shows days and times, or the reason why there are none."""

import gzip
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from application.eventstore.database import Database
from interface.bootstrap import Services
from tests.support.clock import Clock
from tests.support.examples import NINE, TEN
from tests.support.invitee_browser import (
    ADA,
    BOB,
    InviteeBrowser,
    manage_token,
    tells_nothing,
    text_of,
)

STATIC = Path(__file__).parents[4] / "interface/pages/static"
LARGEST_FIRST_PAINT = 60_000


def times_in(answer: Any) -> list[str]:
    return re.findall(r"start=(\d{4}-[\d\-T%A:]+Z)", unescape(answer.get_data(as_text=True)))


def test_a_link_shows_what_can_be_booked_with_whom_and_when(invitee: InviteeBrowser) -> None:
    answer = invitee.get()
    assert answer.status_code == 200
    shown = text_of(answer)
    for words in ("Intro call", "with Olivia Owner", "30 minutes", "Room 1", "Hello."):
        assert words in shown
    assert "Times shown in UTC" in shown
    page = answer.get_data(as_text=True)
    assert 'data-ask-zone="UTC"' in page
    assert "Tuesday, November 24, 2026, 16 available times" in page


def test_addresses_in_description_and_location_are_links(invitee: InviteeBrowser) -> None:
    owner = invitee.owner
    calendar_id = owner.new_calendar(
        location="https://meet.example.org/x?a=1&b=2 <i>", description="See www.example.org"
    )
    link = owner.new_link(calendar_id)
    page = InviteeBrowser(owner, link, invitee.browser).get().get_data(as_text=True)
    for address in ("https://meet.example.org/x?a=1&amp;b=2", "https://www.example.org"):
        assert f'<a href="{address}" rel="noopener" target="_blank">' in page
    assert "<i>" not in page


def test_a_program_that_has_only_the_link_finds_the_api_behind_it(
    invitee: InviteeBrowser, services: Services
) -> None:
    token = invitee.link["token"]
    address = f"/api/v1/booking-links/{token}"
    head = services.event_store.head()
    page = invitee.get()
    assert f'<link rel="alternate" type="application/json" href="{address}">' in page.text
    assert page.headers["Link"].startswith(f'<{address}>; rel="alternate"; type="application/json"')
    assert page.headers["Vary"] == "Accept"
    client = invitee.owner.client
    for accepted in ("application/json", "text/html;q=0.5, application/json"):
        answer = client.get(f"/b/{token}", headers={"Accept": accepted})
        assert answer.json == client.get(address).json
        assert answer.content_type == "application/json"
    assert client.get(f"/b/{token}", headers={"Accept": "*/*"}).mimetype == "text/html"
    assert services.event_store.head() == head
    invitee.owner.revoke(invitee.link)
    for path in (f"/b/{token}", "/b/nothing"):
        answer = client.get(path, headers={"Accept": "application/json"})
        assert answer.json == client.get(path.replace("/b", "/api/v1/booking-links", 1)).json
        assert answer.mimetype == "application/problem+json"
    told = client.get("/llms.txt")
    assert (told.mimetype, "/api/v1/booking-links/TOKEN/redeem" in told.text) == (
        "text/plain",
        True,
    )


def test_a_link_shows_only_the_times_that_it_offers_with_its_duration(
    invitee: InviteeBrowser,
) -> None:
    offer = {"slots": [TEN, "2026-12-22T16:30:00Z"], "duration_minutes": 30}
    link = invitee.owner.new_link(invitee.link["calendar_id"], offer=offer)
    limited = InviteeBrowser(invitee.owner, link, invitee.browser)
    assert times_in(limited.get()) == [TEN]
    assert limited.get().text.count(", 1 available time") == 1
    assert times_in(limited.get("?day=2026-12-22")) == ["2026-12-22T16:30:00Z"]
    assert "That time is no longer available." in text_of(limited.get(f"?start={NINE}"))
    longer = {"from": "2026-11-25", "to": "2026-11-25", "duration_minutes": 450}
    link = invitee.owner.new_link(invitee.link["calendar_id"], offer=longer)
    limited = InviteeBrowser(invitee.owner, link, invitee.browser)
    assert times_in(limited.get()) == ["2026-11-25T09:00:00Z", "2026-11-25T09:30:00Z"]
    assert "7 hours 30 minutes" in text_of(limited.get())
    form = text_of(limited.get("?start=2026-11-25T09:30:00Z")).replace("\u202f", " ")
    assert "Wednesday, November 25, 2026 9:00 AM 9:30 AM Other days" in form


def test_times_are_those_of_the_zone_that_was_asked_for(invitee: InviteeBrowser) -> None:
    answer = invitee.get("?tz=America/New_York&day=2026-11-24")
    assert "Times shown in Eastern Time – New York" in text_of(answer)
    assert "data-ask-zone" not in answer.get_data(as_text=True)
    assert times_in(answer)[0] == NINE
    assert "4:00 AM" in text_of(answer)


def test_a_zone_nobody_knows_is_said_and_the_calendars_own_is_kept(invitee: InviteeBrowser) -> None:
    answer = invitee.get("?tz=Nowhere/Land")
    assert answer.status_code == 200
    assert "Time zone not found." in text_of(answer)
    assert "Times shown in UTC" in text_of(answer)
    assert "data-ask-zone" not in answer.get_data(as_text=True)


def test_the_page_begins_in_the_week_of_the_first_free_day(
    new_invitee_browser: Callable[..., InviteeBrowser],
) -> None:
    far = {"weekly": {}, "overrides": {"2027-03-03": [["09:00", "10:00"]]}}
    invitee = new_invitee_browser(availability=far, booking_window_days=200)
    answer = invitee.get()
    assert "Wednesday, March 3, 2027" in text_of(answer)
    assert times_in(answer) == ["2027-03-03T09:00:00Z", "2027-03-03T09:30:00Z"]
    empty = invitee.get("?from=2026-12-01")
    assert "Next available times: Wednesday, March 3, 2027" in text_of(empty)


def test_where_nothing_is_free_the_host_is_to_be_asked(
    new_invitee_browser: Callable[..., InviteeBrowser],
) -> None:
    answer = new_invitee_browser(availability={"weekly": {}}).get()
    assert answer.status_code == 200
    assert "No times are available at the moment. Please contact Olivia Owner." in text_of(answer)


@pytest.mark.parametrize(
    "query",
    [
        "?from=yesterday&day=never&start=now",
        "?from=2199-12-31",
        "?from=2000-01-01&day=2199-12-31",
        "?start=2199-12-31T23:59:59Z",
        "?day=2026-11-24&tz=Pacific/Kiritimati",
        "?tz=../../etc/passwd",
        "?tz=",
    ],
)
def test_an_invalid_query_still_shows_times(invitee: InviteeBrowser, query: str) -> None:
    answer = invitee.get(query)
    assert answer.status_code == 200
    assert "Times shown in" in text_of(answer)


def test_a_clock_that_shows_a_time_twice_tells_the_two_apart(
    new_invitee_browser: Callable[..., InviteeBrowser],
) -> None:
    invitee = new_invitee_browser(
        time_zone="America/New_York",
        availability={"weekly": {"sunday": [["00:00", "24:00"]]}},
        booking_window_days=365,
    )
    shown = text_of(invitee.get("?tz=America/New_York&day=2027-11-07"))
    assert "1:30 AM (GMT-04:00)" in shown
    assert "1:30 AM (GMT-05:00)" in shown
    invitee.owner.book(invitee.owner.new_link(invitee.link["calendar_id"]), "2027-11-07T06:30:00Z")
    shown = text_of(invitee.get("?tz=America/New_York&day=2027-11-07"))
    assert "1:30 AM (GMT-04:00)" in shown
    assert "1:30 AM (GMT-05:00)" not in shown


def test_another_browser_is_told_that_the_link_was_used(invitee: InviteeBrowser) -> None:
    invitee.post(invitee.form())
    answer = invitee.elsewhere().get()
    assert answer.status_code == 410
    shown = text_of(answer)
    assert "This link has already been used. Ask Olivia Owner for a new one." in shown
    tells_nothing(answer)


def test_an_expired_link_says_when_in_the_readers_zone(
    invitee: InviteeBrowser, clock: Clock
) -> None:
    form = invitee.form()
    clock.advance(days=90)
    answer = invitee.get("?tz=Pacific/Auckland")
    assert answer.status_code == 410
    expired = "This link expired on Sunday, February 21, 2027 ."
    assert f"{expired} Ask Olivia Owner for a new one." in text_of(answer)
    assert 'data-ask-zone="UTC"' in invitee.elsewhere().get().get_data(as_text=True)
    late = invitee.post(form | BOB)
    assert late.status_code == 410
    assert f"{expired} You have not been booked. Ask Olivia Owner for a new" in text_of(late)
    tells_nothing(late)


@pytest.mark.parametrize("token", ["x", "a.b", "%F0%9F%8E%9F", "i_xn8zBsQxOWKBPDpE62sQ.7tm9haTG"])
def test_an_unknown_token_is_not_found(app: Flask, token: str) -> None:
    for answer in (
        app.test_client().get(f"/b/{token}"),
        app.test_client().post(f"/b/{token}", data=ADA | {"start": NINE}),
    ):
        assert answer.status_code == 404
        assert "We couldn't find this link. Check it was copied in full." in text_of(answer)
    for path in (f"/m/{token}", f"/m/{token}/booking.ics"):
        assert app.test_client().get(path).status_code == 404


def test_an_address_of_a_time_that_is_gone_shows_the_others(
    invitee: InviteeBrowser, new_invitee_browser: Callable[..., InviteeBrowser]
) -> None:
    rival = new_invitee_browser()
    rival.post(rival.form(TEN))
    answer = invitee.get(f"?start={TEN}")
    assert answer.status_code == 200
    assert "That time is no longer available. Please choose another." in text_of(answer)


def chosen_in(answer: Any) -> list[str]:
    return re.findall(r'name="start" value="([^"]*)"[^>]* checked', answer.get_data(as_text=True))


def test_the_form_offers_the_other_times_of_its_day(invitee: InviteeBrowser) -> None:
    answer = invitee.get(f"?start={TEN}")
    offered = re.findall(r'name="start" value="([^"]*)"', answer.get_data(as_text=True))
    assert len(offered) == 16
    assert chosen_in(answer) == [TEN]


def test_other_days_keep_what_was_typed_and_the_time_that_was_chosen(
    invitee: InviteeBrowser,
) -> None:
    typed = invitee.form(TEN) | {"notes": "About <engines>."}
    pages = [
        invitee.choose_again(typed),
        invitee.choose_again(typed | {"day": "2026-11-26", "shown_from": "2026-11-22"}),
        invitee.choose_again(typed | {"from": "2026-12-20"}),
        invitee.choose_again(typed | {"tz": "Asia/Tokyo", "shown_day": "2026-11-26"}),
        invitee.choose_again(typed | {"day": "never"}),
        invitee.choose_again({}),
    ]
    for page in pages:
        assert page.status_code == 200
    for page in pages[:-1]:
        text = page.get_data(as_text=True)
        for kept in ('value="Ada Lovelace"', 'value="ada@example.org"', "About &lt;engines&gt;."):
            assert kept in text
        assert typed["idempotency_key"] in text
        assert chosen_in(page) == [TEN]
    assert "Thursday, November 26, 2026" in text_of(pages[1])
    assert "Times shown in Japan Time – Tokyo" in text_of(pages[3])
    booked = invitee.post(typed | {"start": "2026-11-26T09:00:00Z"})
    assert booked.status_code == 303
    again = invitee.browser.get(f"{invitee.path}/times")
    assert (again.status_code, again.headers["Location"]) == (302, invitee.path)


def test_other_days_of_a_link_that_ended_say_why(invitee: InviteeBrowser) -> None:
    typed = invitee.form()
    invitee.revoke()
    assert invitee.choose_again(typed).status_code == 410


def test_a_link_says_that_it_works_once_and_until_when(
    invitee: InviteeBrowser, clock: Clock
) -> None:
    assert "This link works once, until Sun, Feb 21, 2027." in text_of(invitee.get())
    clock.advance(days=89)
    soon = text_of(invitee.get()).replace("\u202f", " ")
    assert "This link works once, until Feb 21, 2027, 8:00 AM." in soon


def test_zone_clock_and_language_are_kept_once_they_are_named(invitee: InviteeBrowser) -> None:
    named = invitee.get("?tz=America/New_York&hours=24&lang=de")
    cookies = [cookie.partition(";") for cookie in named.headers.getlist("Set-Cookie")]
    assert [value for value, _, _ in cookies] == [
        "admitone-language=de",
        "admitone-hours=24",
        "admitone-zone=America/New_York",
    ]
    assert all("Max-Age=31536000; " in rest for _, _, rest in cookies)
    assert all("; Path=/; SameSite=Lax" in rest for _, _, rest in cookies)
    kept = invitee.get("?day=2026-11-24")
    assert "Zeitzone: Nordamerikanische Ostküstenzeit – New York" in text_of(kept)
    assert "04:00" in text_of(kept)
    assert "data-ask-zone" not in kept.get_data(as_text=True)
    assert "Set-Cookie" not in kept.headers
    english = invitee.get("?day=2026-11-24&lang=en")
    assert "04:00" in text_of(english)
    assert "Use the 12-hour clock" in text_of(english)
    twelve = text_of(invitee.get("?day=2026-11-24&hours=12")).replace("\u202f", " ")
    assert "4:00 AM" in twelve


@pytest.mark.parametrize("query", ["?hours=13&lang=xx", "?hours=&lang=", "?lang=../de&hours=24.0"])
def test_unknown_choices_change_nothing(invitee: InviteeBrowser, query: str) -> None:
    answer = invitee.get(query)
    assert "Set-Cookie" not in answer.headers
    assert "Times shown in UTC" in text_of(answer)


def test_the_hosts_time_stands_beside_a_time_in_another_zone(invitee: InviteeBrowser) -> None:
    shown = text_of(invitee.get("?tz=Pacific/Auckland&day=2026-11-24")).replace("\u202f", " ")
    assert "Below each time: Olivia Owner's time (UTC)." in shown
    assert "10:00 PM 9:00 AM" in shown
    other_day = text_of(invitee.get("?tz=Pacific/Auckland&day=2026-11-25")).replace("\u202f", " ")
    assert "12:00 AM Tue 11:00 AM" in other_day
    assert "Below each time" not in text_of(invitee.get("?tz=UTC&day=2026-11-24"))


def test_where_nothing_is_free_the_contact_line_helps(
    new_invitee_browser: Callable[..., InviteeBrowser],
) -> None:
    invitee = new_invitee_browser(availability={"weekly": {}}, contact="Call 555-0100.")
    assert "Please contact Olivia Owner. Call 555-0100." in text_of(invitee.get())


def test_link_previews_reveal_nothing(invitee: InviteeBrowser) -> None:
    booked = invitee.elsewhere()
    path = f"/m/{manage_token(booked.post(booked.form()))}"
    for answer in (invitee.get(), invitee.browser.get(path), invitee.browser.get("/b/x")):
        head = answer.get_data(as_text=True).partition("</head>")[0]
        assert '<meta property="og:title" content="Book a time">' in head
        for name in ("Olivia", "Intro call", "Ada"):
            assert name not in head
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert answer.headers["Cache-Control"] == "no-store"


def test_viewing_the_page_changes_nothing(invitee: InviteeBrowser, services: Services) -> None:
    before = services.event_store.head()
    for query in ("", "?day=2026-11-24", f"?start={NINE}"):
        answer = invitee.get(query)
        assert "Set-Cookie" not in answer.headers
        assert invitee.browser.head(invitee.path + query).status_code == 200
    assert services.event_store.head() == before


def test_the_first_paint_is_small(invitee: InviteeBrowser) -> None:
    page = invitee.get("?tz=America/New_York&day=2026-11-24").get_data()
    files = re.findall(r'(?:href|src)="/static/([^"?]+\.(?:css|js))', page.decode())
    assert len(files) == 5
    parts = [page, *((STATIC / name).read_bytes() for name in files)]
    assert sum(len(gzip.compress(part, 9)) for part in parts) < LARGEST_FIRST_PAINT


def test_a_page_asks_the_database_no_more_than_the_api_does(
    invitee: InviteeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitee.get()
    asked = count_queries(monkeypatch)
    token = invitee.link["token"]
    invitee.browser.get(f"/api/v1/booking-links/{token}/slots?from=2026-11-23&to=2026-12-20")
    by_api = asked.copy()
    asked.clear()
    assert invitee.browser.get(f"{invitee.path}?tz=UTC&day=2026-11-24").status_code == 200
    assert len(asked) == len(by_api) - 1  # which also asks what its entity tag depends on
    assert len(asked) == 3  # for the link, its calendar with the host, and what is taken


def count_queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    run = Database.run_idempotent

    def counted(self: Database, work: Callable[..., Any]) -> Any:
        asked.append("")
        return run(self, work)

    monkeypatch.setattr(Database, "run_idempotent", counted)
    return asked
