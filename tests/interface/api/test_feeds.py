"""Calendar feeds over HTTP: owners make and revoke them, calendar programs read them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar
from werkzeug.http import http_date, parse_date

from application.calendar_feeds import MOST_FEEDS
from application.people.rate_limits import FORGED_TOKENS
from domain.booking_rules import WEEKDAYS
from interface.bootstrap import Services
from projections import feed_contents
from tests.support.clock import Clock
from tests.support.examples import HALF_PAST_NINE, NINE, NOW, TEN
from tests.support.http_desk import (
    created,
    from_another_address,
    manage_token,
    refusal,
    unknown_id,
    wrong_fields,
)
from tests.support.owner import Owner

FEEDS = "/feeds"
HOST = "https://book.example.org"
NOT_FOUND = (404, "not-found")


def new_feed(owner: Owner, detail: str = "full", **options: Any) -> dict[str, Any]:
    return created(owner.post(FEEDS, {"detail": detail} | options))


def polled(owner: Owner, feed: dict[str, Any], method: str = "GET", **headers: str) -> Any:
    """The feed as a calendar program reads it, which has no key."""
    owner.catch_up()
    return owner.call(method, feed["url"].removeprefix(HOST), **headers)


def calendar_of(owner: Owner, feed: dict[str, Any]) -> Any:
    answer = polled(owner, feed)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(answer.data)


def events_of(owner: Owner, feed: dict[str, Any]) -> list[Any]:
    return list(calendar_of(owner, feed).walk("VEVENT"))


# Making and revoking feeds


def test_an_owner_makes_sees_and_revokes_feeds(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    answer = owner.post(FEEDS, {"detail": "busy", "calendar_id": calendar_id})
    feed = created(answer)
    assert feed == {
        "id": feed["id"],
        "url": feed["url"],
        "calendar_id": calendar_id,
        "detail": "busy",
        "created_at": "2026-11-23T08:00:00Z",
    }
    assert feed["url"].startswith(f"{HOST}/api/v1/feeds/")
    assert feed["url"].endswith(".ics")
    assert owner.call("GET", answer.headers["Location"], **owner.headers).json == feed
    assert owner.get(FEEDS).json == {"items": [feed]}
    assert polled(owner, feed).status_code == 200
    path = f"/api/v1{FEEDS}/{feed['id']}"
    assert owner.call("DELETE", path, **owner.headers).status_code == 204
    assert refusal(owner.call("DELETE", path, **owner.headers)) == NOT_FOUND
    assert refusal(polled(owner, feed)) == NOT_FOUND
    assert owner.get(FEEDS).json == {"items": []}


def test_the_feeds_and_calendars_of_others_do_not_exist(
    owner: Owner, new_owner: Callable[..., Owner]
) -> None:
    feed, other = new_feed(owner), new_owner("Oscar")
    calendar_id = owner.new_calendar()
    for feed_id in (feed["id"], unknown_id()):
        path = f"{FEEDS}/{feed_id}"
        assert refusal(other.get(path)) == NOT_FOUND
        assert refusal(other.call("DELETE", f"/api/v1{path}", **other.headers)) == NOT_FOUND
    for unknown in (calendar_id, unknown_id()):
        refused = other.post(FEEDS, {"detail": "full", "calendar_id": unknown})
        assert refusal(refused) == NOT_FOUND
    assert other.get(FEEDS).json == {"items": []}
    assert owner.get(FEEDS).json == {"items": [feed]}


def test_a_feed_needs_a_key_that_may_read_bookings(owner: Owner, services: Services) -> None:
    owner.key = services.api_keys.create(
        owner.account, name="calendars", scopes=["calendars"], now=NOW
    )
    assert refusal(owner.post(FEEDS, {"detail": "busy"})) == (403, "forbidden")


def test_an_owner_has_a_limited_number_of_feeds(owner: Owner, services: Services) -> None:
    with services.database.connection() as conn:
        conn.execute(
            """INSERT INTO calendar_feeds
            SELECT gen_random_uuid(), %s, NULL, 'busy', %s FROM generate_series(1, %s)""",
            (owner.account.id, NOW, MOST_FEEDS),
        )
    assert wrong_fields(owner.post(FEEDS, {"detail": "busy"})) == {"detail"}


# What they say


def test_a_full_feed_tells_the_owner_everything_about_a_booking(owner: Owner) -> None:
    calendar_id = owner.new_calendar(location="Room 1")
    booking = owner.book(owner.new_link(calendar_id), NINE, notes="By phone;\nafter 9, please")
    feed = new_feed(owner, calendar_id=calendar_id)
    calendar = calendar_of(owner, feed)
    assert calendar["METHOD"] == "PUBLISH"
    assert calendar["X-WR-CALNAME"] == calendar["NAME"] == "Admit One: Intro call"
    assert calendar["REFRESH-INTERVAL"].dt == timedelta(minutes=15)
    assert calendar["REFRESH-INTERVAL"].params["VALUE"] == "DURATION"
    (event,) = calendar.walk("VEVENT")
    url = f"{HOST}/bookings/{booking['booking_id']}"
    assert (event["SUMMARY"], event["LOCATION"]) == ("Intro call with Ada Lovelace", "Room 1")
    assert event["DESCRIPTION"] == (
        f"Ada Lovelace\nada@example.org\n\nBy phone;\nafter 9, please\n\nYour booking: {url}"
    )
    assert (event["URL"], event["ORGANIZER"]) == (url, "mailto:olivia@example.org")
    assert (event["STATUS"], event["TRANSP"]) == ("CONFIRMED", "OPAQUE")
    assert event["DTSTAMP"].dt == event["LAST-MODIFIED"].dt == NOW
    assert "ATTENDEE" not in event


def test_a_busy_feed_says_nothing_about_people(owner: Owner) -> None:
    calendar_id = owner.new_calendar(name="Debt advice", location="Room 1")
    booking = owner.book(owner.new_link(calendar_id, recipient="Ada", note="Met"), notes="Secret")
    owner.cancel(booking["booking_id"], "Fell ill")
    feed = new_feed(owner, "busy", calendar_id=calendar_id)
    assert polled(owner, feed).text.split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Admit One//EN",
        "METHOD:PUBLISH",
        "NAME:Admit One: busy",
        "X-WR-CALNAME:Admit One: busy",
        "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
        "X-PUBLISHED-TTL:PT15M",
        "BEGIN:VEVENT",
        f"UID:{booking['booking_id']}@book.example.org",
        "DTSTAMP:20261123T080000Z",
        "SUMMARY:Busy",
        "STATUS:CANCELLED",
        "SEQUENCE:1",
        'ORGANIZER;CN="Admit One":mailto:admit-one@book.example.org',
        "DTSTART:20261124T090000Z",
        "DTEND:20261124T093000Z",
        "LAST-MODIFIED:20261123T080000Z",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


def test_a_feed_holds_the_bookings_of_its_owner_and_of_its_calendar(
    owner: Owner, new_owner: Callable[..., Owner]
) -> None:
    first, second = owner.new_calendar(), owner.new_calendar(name="Long talk")
    for calendar_id, start in ((first, NINE), (second, TEN)):
        owner.book(owner.new_link(calendar_id), start)
    other = new_owner("Oscar")
    other.book(other.new_link(), HALF_PAST_NINE)
    titles = {
        name: [event["SUMMARY"].partition(" with ")[0] for event in events_of(who, feed)]
        for name, who, feed in (
            ("all", owner, new_feed(owner)),
            ("second", owner, new_feed(owner, calendar_id=second)),
            ("other", other, new_feed(other)),
        )
    }
    assert titles == {
        "all": ["Long talk", "Intro call"],
        "second": ["Long talk"],
        "other": ["Intro call"],
    }


def test_every_program_recognizes_a_booking_and_which_of_its_versions_is_newer(
    owner: Owner,
) -> None:
    feed, calendar_id = new_feed(owner), owner.new_calendar()
    booking = owner.book(owner.new_link(calendar_id))
    booking_id = booking["booking_id"]
    changes: list[Callable[[], Any]] = [
        lambda: None,
        lambda: owner.move(booking_id, TEN),
        lambda: owner.patch(f"/bookings/{booking_id}", {"location": "Room 2"}),
        lambda: owner.ask_to_reschedule(booking_id, "Something came up"),
        lambda: owner.manage(booking, "reschedule", {"start": HALF_PAST_NINE}),
        lambda: owner.cancel(booking_id),
        lambda: owner.forget(booking_id),
    ]
    seen = []
    for change in changes:
        answer = change()
        assert answer is None or answer.status_code == 200
        (own,) = events_of(owner, feed)
        file = owner.call("GET", f"/m/{manage_token(booking)}/booking.ics").data
        theirs: Any = Calendar.from_ical(file).events[0]
        for name in ("UID", "SEQUENCE", "STATUS"):
            assert own[name] == theirs[name]
        assert own["DTSTART"].dt == theirs["DTSTART"].dt
        seen.append((own["SEQUENCE"], own["DTSTART"].dt.strftime("%H:%M"), own["STATUS"]))
    assert seen == [
        (0, "09:00", "CONFIRMED"),
        (1, "10:00", "CONFIRMED"),
        (2, "10:00", "CONFIRMED"),
        (3, "10:00", "CONFIRMED"),
        (4, "09:30", "CONFIRMED"),
        (5, "09:30", "CANCELLED"),
        (6, "09:30", "CANCELLED"),
    ]


def test_a_cancelled_booking_is_marked_in_words_too(owner: Owner) -> None:
    owner.cancel(owner.new_booking()["booking_id"])
    (event,) = events_of(owner, new_feed(owner))
    assert event["SUMMARY"] == "Cancelled: Intro call with Ada Lovelace"


def test_a_forgotten_invitee_has_left_every_feed(owner: Owner) -> None:
    booking = owner.new_booking(notes="Secret")
    owner.patch(f"/bookings/{booking['booking_id']}", {"location": "At Ada's"})
    feed = new_feed(owner)
    assert "At Ada's" in polled(owner, feed).text
    owner.forget(booking["booking_id"])
    text = polled(owner, feed).text
    for word in ("Ada", "ada@", "Secret"):
        assert word not in text
    assert "[forgotten]" in text


def test_a_feed_speaks_the_language_of_its_owner(owner: Owner, services: Services) -> None:
    owner.new_booking()
    services.accounts.set_language(owner.account, "de-DE")
    calendar = calendar_of(owner, new_feed(owner))
    assert calendar["X-WR-CALNAME"] == "Admit One: Buchungen"
    (event,) = calendar.walk("VEVENT")
    assert event["SUMMARY"] == "Intro call mit Ada Lovelace"
    assert [each["SUMMARY"] for each in events_of(owner, new_feed(owner, "busy"))] == ["Belegt"]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Africa/Casablanca", "2027-02-08T09:30:00Z"),  # the clock changed on the day before
        ("Australia/Lord_Howe", "2027-04-03T15:00:00Z"),  # 01:30, the second time
        ("America/New_York", "2027-11-07T05:30:00Z"),  # 01:30, the first time
        ("America/New_York", "2027-11-07T06:30:00Z"),  # 01:30, the second time
    ],
)
def test_a_feed_gives_the_instants_of_every_zone(owner: Owner, zone: str, start: str) -> None:
    hours = {"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}}
    calendar_id = owner.new_calendar(time_zone=zone, availability=hours, booking_window_days=365)
    owner.book(owner.new_link(calendar_id), start)
    (event,) = events_of(owner, new_feed(owner))
    begins = datetime.fromisoformat(start)
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (begins, begins + timedelta(minutes=30))


def test_a_feed_goes_back_90_days_and_holds_a_limited_number(
    owner: Owner, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar_id = owner.new_calendar()
    for start in (NINE, HALF_PAST_NINE, TEN):
        owner.book(owner.new_link(calendar_id), start)
    feed = new_feed(owner)
    clock.advance(days=91, hours=1, minutes=20)  # when the first one ended 90 days ago
    tag = polled(owner, feed).headers["ETag"]
    assert len(events_of(owner, feed)) == 3
    clock.advance(minutes=10)
    answer = polled(owner, feed, **{"If-None-Match": tag})
    assert answer.status_code == 200
    assert len(events_of(owner, feed)) == 2
    monkeypatch.setattr(feed_contents, "MOST_BOOKINGS", 1)
    (event,) = events_of(owner, feed)
    assert event["DTSTART"].dt == datetime.fromisoformat(TEN)


# Polling


def test_a_program_that_has_the_newest_file_gets_304_without_a_look_at_the_bookings(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.new_booking()
    feed = new_feed(owner)
    first = polled(owner, feed)
    assert first.headers["ETag"].startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"

    def looked_up(*_: object, **__: object) -> None:
        raise AssertionError("the bookings were looked up")

    monkeypatch.setattr(feed_contents, "bookings_in", looked_up)
    for validator in (
        {"If-None-Match": first.headers["ETag"]},
        {"If-None-Match": '"other", ' + first.headers["ETag"].removeprefix("W/")},
        {"If-Modified-Since": first.headers["Last-Modified"]},
    ):
        answer = polled(owner, feed, **validator)
        assert (answer.status_code, answer.data) == (304, b""), validator
        for name in ("ETag", "Cache-Control"):
            assert answer.headers[name] == first.headers[name]


def test_head_answers_like_get_without_the_file(owner: Owner) -> None:
    owner.new_booking()
    feed = new_feed(owner)
    got, head = polled(owner, feed), polled(owner, feed, "HEAD")
    assert (head.status_code, head.data) == (200, b"")
    for name in ("ETag", "Last-Modified", "Content-Type", "Content-Length"):
        assert head.headers[name] == got.headers[name]


def test_everything_that_changes_a_feed_changes_its_tag(owner: Owner, services: Services) -> None:
    calendar_id = owner.new_calendar()
    feed = new_feed(owner, calendar_id=calendar_id)
    booking_id = ""

    def book() -> Any:
        nonlocal booking_id
        booking_id = owner.book(owner.new_link(calendar_id))["booking_id"]

    rename: dict[str, Any] = {"json": {"name": "Long talk"}, "If-Match": "*"}
    changes: list[Callable[[], Any]] = [
        lambda: None,
        book,
        lambda: owner.move(booking_id, TEN),
        lambda: owner.patch(f"/bookings/{booking_id}", {"location": "Room 2"}),
        lambda: owner.cancel(booking_id),
        lambda: owner.forget(booking_id),
        lambda: owner.patch(f"/calendars/{calendar_id}", **rename),
        lambda: services.accounts.set_language(owner.account, "de"),
        lambda: services.accounts.change(owner.account, name="Olivia", time_zone=None),
    ]
    seen = {}
    for change in changes:
        change()
        answer = polled(owner, feed)
        seen[answer.headers["ETag"]] = answer.data
    assert len(seen) == len(set(seen.values())) == len(changes)


def test_what_others_do_leaves_the_tag_as_it_is(
    owner: Owner, new_owner: Callable[..., Owner]
) -> None:
    feed = new_feed(owner)
    tag = polled(owner, feed).headers["ETag"]
    new_owner("Oscar").new_booking()
    owner.new_link()
    assert polled(owner, feed).headers["ETag"] == tag


def test_a_change_that_is_shown_late_is_not_missed_by_its_time(owner: Owner, clock: Clock) -> None:
    feed = new_feed(owner)
    owner.new_booking()
    clock.advance(seconds=5)
    before = polled(owner, feed).headers["Last-Modified"]
    assert parse_date(before) == clock()
    owner.new_booking(place=1)
    assert polled(owner, feed, **{"If-Modified-Since": before}).status_code == 304
    clock.advance(seconds=1)
    assert polled(owner, feed, **{"If-Modified-Since": before}).status_code == 200
    clock.advance(days=1)
    settled = polled(owner, feed).headers["Last-Modified"]
    assert settled == http_date(NOW + timedelta(seconds=65))
    assert polled(owner, feed, **{"If-Modified-Since": settled}).status_code == 304


# Tokens


def test_forged_and_revoked_tokens_are_not_found_and_counted(owner: Owner) -> None:
    link, feed = owner.new_link(), new_feed(owner)
    revoked = new_feed(owner)
    owner.call("DELETE", f"/api/v1{FEEDS}/{revoked['id']}", **owner.headers)
    token = feed["url"].rpartition("/")[2].removesuffix(".ics")
    address = from_another_address()

    def read(token: str) -> Any:
        return owner.client.get(f"/api/v1{FEEDS}/{token}.ics", environ_base=address)

    others = manage_token(owner.book(link)), link["token"]
    forged = [*others, f"{token}x", token[:-1], "x", unknown_id()]
    forged.append(revoked["url"].rpartition("/")[2].removesuffix(".ics"))
    for each in forged:
        assert refusal(read(each)) == NOT_FOUND
    for _ in range(FORGED_TOKENS.failures - len(forged)):
        read("x")
    assert refusal(read("x")) == (429, "too-many-requests")
    assert read(token).status_code == 200
