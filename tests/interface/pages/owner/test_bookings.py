"""The owner's bookings: lists, week, month, and one booking's page."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from uuid import UUID

import pytest

from application.people.personal_data import Invitee
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
    """The words of each row in the body of the page's table."""
    body = re.search(r"<tbody>(.*)</tbody>", person.get(path).get_data(as_text=True), re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", body[1], re.DOTALL) if body else []
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", row)).split()) for row in rows]


def cell_of(person: SignedIn, path: str, day: str) -> str:
    """The words in the cell of a date."""
    page = person.get(path, headers={"Accept-Language": "en-GB"}).get_data(as_text=True)
    for cell in re.findall(r"<td.*?</td>", page, re.DOTALL):
        if f'datetime="{day}"' in cell:
            return " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())
    raise AssertionError(f"no cell of {day}")


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
        for view in ("upcoming", "past", "cancelled", "week", "month")
    }
    assert shown == {
        "upcoming": ["Una"],
        "past": ["Pia"],
        "cancelled": ["Olga"],
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
    assert "Times shown in Europe/Paris." in text_of(person, "/bookings")
    assert "Tue, 24 Nov 2026 00:30–01:00" in text_of(person, "/bookings")


def test_a_booking_across_midnight_is_shown_once_where_the_week_begins(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    sunday_night = NOW.replace(day=22, hour=23, minute=30)
    desk.new_booking(desk.new_calendar(duration_minutes=60, **ALWAYS_OPEN), sunday_night)
    assert "Ada Lovelace" in cell_of(person, "/bookings?view=week", "2026-11-23")
    assert "Ada Lovelace" in cell_of(person, "/bookings?view=week&on=2026-11-20", "2026-11-22")
    page = person.get("/bookings?view=month").get_data(as_text=True)
    assert page.count("Ada Lovelace") == 1


def test_the_week_begins_where_the_reader_lives(person: SignedIn) -> None:
    def first_day(language: str) -> str:
        page = person.get("/bookings?view=week", headers={"Accept-Language": language})
        found = re.search(r'<td[^>]*>\s*<time datetime="([^"]+)"', page.get_data(as_text=True))
        assert found is not None
        return found[1]

    assert first_day("en-GB") == "2026-11-23"
    assert first_day("en-US") == "2026-11-22"


def test_a_month_has_whole_weeks_and_its_neighbours_a_link(person: SignedIn) -> None:
    page = person.get("/bookings?view=month&on=2026-02-10", headers={"Accept-Language": "en-GB"})
    html = unescape(page.get_data(as_text=True))
    days = re.findall(r'<time datetime="([^"]+)" class="in-short"', html)
    assert (days[0], days[-1], len(days)) == ("2026-01-26", "2026-03-01", 35)
    assert "view=month&on=2026-01-01" in html
    assert "view=month&on=2026-03-01" in html
    assert "February 2026" in html


@pytest.mark.parametrize("view", ["week", "month"])
@pytest.mark.parametrize("day", ["2000-01-01", "2199-12-31"])
def test_the_first_and_last_possible_days_have_only_working_links(
    person: SignedIn, view: str, day: str
) -> None:
    html = unescape(person.get(f"/bookings?view={view}&on={day}").get_data(as_text=True))
    addresses = re.findall(r'href="(/bookings\?[^"]*on=[^"]+)"', html)
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


def test_a_crowded_day_of_the_month_leads_to_its_week(
    person: SignedIn, desk: Desk, calendar: UUID
) -> None:
    for number in range(6):
        desk.new_booking(calendar, TOMORROW_AT_NINE + number * timedelta(hours=1))
    cell = cell_of(person, "/bookings?view=month", "2026-11-24")
    assert cell.count("Ada Lovelace") == 4
    assert "2 more" in cell
    assert cell_of(person, "/bookings?view=week", "2026-11-24").count("Ada Lovelace") == 6


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
        "Europe/Paris",
        "04:00–04:30 (America/New York)",
        "grace@example.org",
        "Two lines <b>",
        "Room 1",
        "The admiral",
    ):
        assert words in text


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
    for path in ("/bookings", f"/bookings/{booking}"):
        answer = stranger.get(path)
        assert answer.status_code == 302
        assert "Ada" not in answer.get_data(as_text=True)
