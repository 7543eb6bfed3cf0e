"""The owner's bookings: lists, week, month, and one booking's page."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

import pytest

from application.people.personal_data import Invitee
from domain.booking_rules import Availability
from interface.bootstrap import Services
from interface.pages.owner.bookings import PAGE_SIZE
from tests.support.clock import Clock
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.examples import ADA, GRACE, NOW, TOMORROW_AT_NINE
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


@pytest.fixture
def desk(services: Services, owner: Owner) -> Desk:
    """Gives the owner's commands."""
    return Desk(services, owner.account.id)


@pytest.fixture
def calendar(desk: Desk) -> UUID:
    """A calendar that can be booked at any time."""
    return desk.new_calendar(**ALWAYS_OPEN)


def text_of(person: SignedIn, path: str, **kwargs: str) -> str:
    """The words of a page, without tags, one space between them."""
    headers = {"Accept-Language": kwargs.get("language", "en-GB")}
    answer = person.get(path, headers=headers)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    main = answer.get_data(as_text=True).partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def rows_of(person: SignedIn, path: str) -> list[str]:
    """The words of each row in the body of the page's table, or of each booking in its grid."""
    page = person.get(path).get_data(as_text=True)
    body = re.search(r"<tbody>(.*)</tbody>", page, re.DOTALL)
    if body:
        rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL)
    else:
        rows = re.findall(r'<li class="appointment.*?</li>', page, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in rows]


def cell_of(person: SignedIn, path: str, day: str) -> str:
    """The words in the cell of a date."""
    page = person.get(path, headers={"Accept-Language": "en-GB"}).get_data(as_text=True)
    for cell in re.findall(r"<td.*?</td>|<section.*?</section>", page, re.DOTALL):
        if f'datetime="{day}"' in cell:
            return " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())
    raise AssertionError(f"no cell of {day}")


def pieces_of(person: SignedIn, day: str, kind: str, query: str = "") -> list[str]:
    """The wall-clock times of the pieces of one kind in the column of a date in its week."""
    page = person.get(f"/bookings?view=week&on={day}{query}").get_data(as_text=True)
    column = page.partition(f'data-day="{day}"')[2].partition("</section>")[0]
    places = re.findall(rf'<li class="{kind} h(\d+) m(\d+) th(\d+) tm(\d+)', column)
    return ["{:0>2}:{:0>2}–{:0>2}:{:0>2}".format(*place) for place in places]


def in_zone(services: Services, person: SignedIn, zone: str) -> None:
    """Sets the zone in which the person reads times."""
    services.accounts.change(person.account, name=person.account.name, time_zone=zone)


def test_each_list_has_its_own_bookings(person: SignedIn, desk: Desk, calendar: UUID) -> None:
    desk.new_booking(calendar, TOMORROW_AT_NINE, Invitee("Upcoming Una", "una@example.org"))
    desk.new_booking(calendar, NOW - timedelta(days=1), Invitee("Past Pia", "pia@example.org"))
    off = desk.new_booking(
        calendar, TOMORROW_AT_NINE + timedelta(hours=2), Invitee("Off Olga", "olga@example.org")
    )
    desk.cancel(off)
    shown = {
        view: re.findall(r"Una|Pia|Olga", " ".join(rows_of(person, f"/bookings?view={view}")))
        for view in ("upcoming", "past", "cancelled", "day&on=2026-11-24", "week", "month")
    }
    assert shown == {
        "upcoming": ["Una"],
        "past": ["Pia"],
        "cancelled": ["Olga"],
        "day&on=2026-11-24": ["Una"],
        "week": ["Una"],
        "month": ["Pia", "Una"],
    }


def test_a_booking_that_goes_on_now_is_not_past_yet(
    person: SignedIn, desk: Desk, calendar: UUID, clock: Clock
) -> None:
    desk.new_booking(calendar, NOW)
    clock.advance(minutes=29)
    assert len(rows_of(person, "/bookings")) == 1
    assert rows_of(person, "/bookings?view=past") == []
    clock.advance(minutes=1)
    assert rows_of(person, "/bookings") == []
    assert len(rows_of(person, "/bookings?view=past")) == 1


def test_times_are_in_the_owners_zone_also_where_that_makes_another_day(
    person: SignedIn, desk: Desk, calendar: UUID, services: Services
) -> None:
    late = NOW.replace(hour=23, minute=30)  # Monday in London, Tuesday in Paris
    desk.new_booking(calendar, late)
    assert "Ada Lovelace" in cell_of(person, "/bookings?view=week", "2026-11-23")
    in_zone(services, person, "Europe/Paris")
    for view in ("week", "month"):
        assert "Ada Lovelace" not in cell_of(person, f"/bookings?view={view}", "2026-11-23")
        cell = cell_of(person, f"/bookings?view={view}", "2026-11-24")
        assert "00:30" in cell
        assert "Ada Lovelace" in cell
    assert "Times shown in Central European Time – Paris." in text_of(person, "/bookings")
    assert "Tue, 24 Nov 2026 00:30–01:00" in text_of(person, "/bookings")


def test_a_booking_across_midnight_is_in_both_columns_and_in_both_weeks(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    del calendar
    long = desk.new_calendar(duration_minutes=60, **ALWAYS_OPEN)
    for night in (22, 24):  # from Sunday to Monday, and from Tuesday to Wednesday
        desk.new_booking(long, NOW.replace(day=night, hour=23, minute=30))
    assert pieces_of(person, "2026-11-22", "appointment") == ["23:30–24:00"]
    for day in ("2026-11-23", "2026-11-25"):
        assert pieces_of(person, day, "appointment") == ["00:00–00:30"]
    assert "23:30 –00:30" in cell_of(person, "/bookings?view=week", "2026-11-25")
    page = person.get("/bookings?view=month").get_data(as_text=True)
    assert page.count("Ada Lovelace") == 2


def test_a_day_that_is_open_throughout_ends_at_24_oclock_and_not_when_it_begins(
    person: SignedIn, desk: Desk
) -> None:
    desk.new_calendar(**ALWAYS_OPEN)
    assert "Open 00:00–24:00" in cell_of(person, "/bookings?view=week", "2026-11-25")


def test_the_week_begins_where_the_reader_lives(person: SignedIn) -> None:
    def first_day(language: str) -> str:
        page = person.get("/bookings?view=week", headers={"Accept-Language": language})
        found = re.search(r'data-day="([^"]+)"', page.get_data(as_text=True))
        assert found is not None
        return found[1]

    assert first_day("en-GB") == "2026-11-23"
    assert first_day("en-US") == "2026-11-22"


def test_a_month_has_whole_weeks_and_its_neighbours_a_link(person: SignedIn) -> None:
    page = person.get("/bookings?view=month&on=2026-02-10", headers={"Accept-Language": "en-GB"})
    html = unescape(page.get_data(as_text=True))
    days = re.findall(r'<a class="in-short".*?<time datetime="([^"]+)"', html)
    assert (days[0], days[-1], len(days)) == ("2026-01-26", "2026-03-01", 35)
    assert "view=month&on=2026-01-01" in html
    assert "view=month&on=2026-03-01" in html
    assert "February 2026" in html


@pytest.mark.parametrize("view", ["day", "week", "month"])
@pytest.mark.parametrize("day", ["2000-01-01", "2199-12-31"])
def test_the_first_and_last_possible_days_have_only_working_links(
    person: SignedIn, view: str, day: str
) -> None:
    html = unescape(person.get(f"/bookings?view={view}&on={day}").get_data(as_text=True))
    addresses = re.findall(r'<a role="button"[^>]*href="(/bookings\?[^"]*on=[^"]+)"', html)
    assert addresses
    for address in addresses:
        assert person.get(address).status_code == 200


def test_an_invalid_day_or_view_is_refused_with_a_page(person: SignedIn) -> None:
    for query in ("view=year", "on=tomorrow", "on=1999-12-31", "cursor=nonsense", "calendar_id=7"):
        answer = person.get(f"/bookings?{query}")
        assert answer.status_code == 422
        assert answer.mimetype == "text/html"


def test_a_free_week_names_the_next_booking(person: SignedIn, desk: Desk, calendar: UUID) -> None:
    desk.new_booking(calendar, TOMORROW_AT_NINE + timedelta(days=14))
    text = text_of(person, "/bookings?view=week")
    assert "No bookings this week. Next booking: Tuesday 8 December 2026" in text.replace(
        "Tuesday,", "Tuesday"
    )


def test_search_and_calendar_narrow_every_view(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    intro = calendar
    review = desk.new_calendar(name="Review", **ALWAYS_OPEN)
    desk.new_booking(intro, TOMORROW_AT_NINE, ADA)
    desk.new_booking(review, TOMORROW_AT_NINE + timedelta(hours=1), GRACE, notes="100% sure_")
    for view in ("upcoming", "week", "month"):
        by_calendar = " ".join(rows_of(person, f"/bookings?view={view}&calendar_id={intro}"))
        assert "Ada Lovelace" in by_calendar
        assert "Grace Hopper" not in by_calendar
        for words in ("hopper", "GRACE@", "100%25+sure_"):
            found = " ".join(rows_of(person, f"/bookings?view={view}&q={words}"))
            assert "Grace Hopper" in found
            assert "Ada Lovelace" not in found
    assert "No bookings match" in text_of(person, "/bookings?q=nobody")


def test_a_long_list_goes_on_where_it_ended(person: SignedIn, desk: Desk, calendar: UUID) -> None:
    for number in range(PAGE_SIZE + 2):
        start = TOMORROW_AT_NINE + number // 2 * timedelta(hours=1)
        desk.new_booking(
            calendar,
            start + number % 2 * timedelta(minutes=30),
            Invitee(f"Guest {number:02}", "guest@example.org"),
        )
    first = person.get("/bookings?q=guest").get_data(as_text=True)
    following = re.search(r'href="([^"]*cursor[^"]*)"', first)
    assert following is not None
    address = unescape(following[1])
    assert "q=guest" in address
    names = re.findall(r"Guest \d+", first + person.get(address).get_data(as_text=True))
    assert names == [f"Guest {number:02}" for number in range(PAGE_SIZE + 2)]


def test_past_bookings_page_from_the_newest_on(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    for number in range(PAGE_SIZE + 1):
        start = NOW - (PAGE_SIZE + 1 - number) * timedelta(hours=1)
        desk.new_booking(calendar, start, Invitee(f"Guest {number:02}", "guest@example.org"))
    first = person.get("/bookings?view=past").get_data(as_text=True)
    following = re.search(r'href="([^"]*cursor[^"]*)"', first)
    assert following is not None
    names = re.findall(
        r"Guest \d+", first + person.get(unescape(following[1])).get_data(as_text=True)
    )
    assert names == [f"Guest {number:02}" for number in reversed(range(PAGE_SIZE + 1))]


def test_a_crowded_day_of_the_month_leads_to_that_day(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    for number in range(6):
        desk.new_booking(calendar, TOMORROW_AT_NINE + number * timedelta(hours=1))
    cell = cell_of(person, "/bookings?view=month", "2026-11-24")
    assert cell.count("Ada Lovelace") == 4
    assert "2 more" in cell
    day = "/bookings?view=day&on=2026-11-24"
    assert day.replace("&", "&amp;") in person.get("/bookings?view=month").get_data(as_text=True)
    assert cell_of(person, day, "2026-11-24").count("Ada Lovelace") == 6


def test_the_week_shows_open_hours_buffers_and_time_taken_elsewhere(
    person: SignedIn, desk: Desk
) -> None:
    office = Availability({"tuesday": (("09:00", "12:00"), ("13:00", "17:00"))}, {})
    late = Availability({"tuesday": (("16:00", "19:30"),)}, {})
    calendar = desk.new_calendar(
        availability=office, buffer_before_minutes=10, buffer_after_minutes=15
    )
    other = desk.new_calendar(name="Late", availability=late, buffer_after_minutes=0)
    old = desk.new_calendar(name="Old", **ALWAYS_OPEN)
    desk.archive(old)
    desk.new_booking(calendar, TOMORROW_AT_NINE)
    day = "2026-11-24"
    assert pieces_of(person, day, "open") == ["09:00–12:00", "13:00–19:30"]
    assert pieces_of(person, day, "appointment") == ["09:00–09:30"]
    assert pieces_of(person, day, "buffer") == ["08:50–09:00", "09:30–09:45"]
    assert pieces_of(person, day, "busy") == []
    words = cell_of(person, "/bookings?view=week", day)
    assert "Open 13:00–19:30" in words
    assert "Buffer 09:30–09:45" in words
    of_other = f"&calendar_id={other}"
    assert pieces_of(person, day, "open", of_other) == ["16:00–19:30"]
    assert pieces_of(person, day, "appointment", of_other) == []
    assert pieces_of(person, day, "busy", of_other) == ["09:00–09:30"]


def test_the_hour_that_comes_twice_has_room_for_both(
    person: SignedIn, desk: Desk, calendar: UUID, services: Services
) -> None:
    in_zone(services, person, "Europe/Berlin")
    for hour in (0, 1):  # 02:30 before and after the clocks go back
        desk.new_booking(calendar, datetime(2026, 10, 25, hour, 30, tzinfo=UTC))
    page = person.get(
        "/bookings?view=day&on=2026-10-25", headers={"Accept-Language": "en-GB"}
    ).get_data(as_text=True)
    assert re.findall(r"h2 m30 th3 tm0 lane(\d)of2", page) == ["1", "2"]
    words = cell_of(person, "/bookings?view=day&on=2026-10-25", "2026-10-25")
    assert "02:30 (GMT+02:00) –02:00 (GMT+01:00)" in words  # half an hour
    assert "02:30 (GMT+01:00) –03:00" in words


def test_a_booking_is_shown_in_both_time_zones(
    person: SignedIn, desk: Desk, calendar: UUID, services: Services
) -> None:
    in_zone(services, person, "Europe/Paris")
    booking = desk.new_booking(
        calendar, TOMORROW_AT_NINE, GRACE, notes="Two\nlines <b>", recipient="The admiral"
    )
    page = person.get(f"/bookings/{booking}").get_data(as_text=True)
    assert '<a href="mailto:grace@example.org">' in page
    text = text_of(person, f"/bookings/{booking}")
    for words in (
        "Grace Hopper",
        "Confirmed",
        "Intro call · 30 minutes",
        "10:00–10:30",
        "Central European Time – Paris",
        "04:00–04:30 (Eastern Time – New York)",
        "grace@example.org",
        "Two lines <b>",
        "Room 1",
        "The admiral",
    ):
        assert words in text


def test_a_booking_is_taken_into_the_owners_own_calendar_program(
    person: SignedIn, desk: Desk, calendar: UUID, services: Services
) -> None:
    in_zone(services, person, "Europe/Paris")
    booking = desk.new_booking(calendar, TOMORROW_AT_NINE, GRACE, notes="Bring charts")
    address = f"/bookings/{booking}/booking.ics"
    assert f'href="{address}"' in person.get(f"/bookings/{booking}").get_data(as_text=True)
    file = person.get(address)
    assert file.mimetype == "text/calendar"
    lines = file.get_data(as_text=True).replace("\r\n ", "").split("\r\n")
    assert f"UID:{booking}@{services.settings.public_host}" in lines
    assert "DTSTART;TZID=Europe/Paris:20261124T100000" in lines
    assert "SUMMARY:Intro call with Grace Hopper" in lines
    assert "Bring charts" in next(line for line in lines if line.startswith("DESCRIPTION:"))


def test_a_forgotten_invitee_is_shown_as_forgotten(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    booking = desk.new_booking(calendar, TOMORROW_AT_NINE, GRACE, notes="Secret")
    desk.forget(booking)
    for path in ("/bookings", "/bookings?view=week", "/bookings?view=month"):
        assert "[forgotten]" in text_of(person, path)
    text = text_of(person, f"/bookings/{booking}")
    assert text.count("[forgotten]") == 2
    assert "erased" in text
    assert "Secret" not in text
    assert "mailto:" not in person.get(f"/bookings/{booking}").get_data(as_text=True)


def test_a_cancelled_booking_says_so(person: SignedIn, desk: Desk, calendar: UUID) -> None:
    booking = desk.new_booking(calendar, TOMORROW_AT_NINE)
    desk.cancel(booking)
    assert "Cancelled" in text_of(person, f"/bookings/{booking}")


def test_nobody_sees_another_owners_bookings(
    person: SignedIn, services: Services, new_owner: Callable[..., Owner]
) -> None:
    other = Desk(services, new_owner("Nora Neighbour").account.id)
    booking = other.new_booking(other.new_calendar())
    for view in ("upcoming", "week", "month"):
        assert "Ada" not in text_of(person, f"/bookings?view={view}")
    assert person.get(f"/bookings/{booking}").status_code == 404
    assert person.get(f"/bookings/{booking}/booking.ics").status_code == 404


def test_empty_lists_say_what_will_be_there(person: SignedIn) -> None:
    assert "No upcoming bookings" in text_of(person, "/bookings")
    assert "No past bookings" in text_of(person, "/bookings?view=past")
    assert "No cancelled bookings" in text_of(person, "/bookings?view=cancelled")
    assert "No bookings this month." in text_of(person, "/bookings?view=month")


def test_whoever_is_not_signed_in_is_asked_to_first(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    booking = desk.new_booking(calendar, TOMORROW_AT_NINE)
    stranger = person.client.application.test_client()
    for path in ("/bookings", f"/bookings/{booking}", f"/bookings/{booking}/booking.ics"):
        answer = stranger.get(path)
        assert answer.status_code == 302
        assert "Ada" not in answer.get_data(as_text=True)
