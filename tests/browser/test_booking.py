"""An invitee in a real browser, from the link to the booking."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, Response, expect

from domain.booking_rules import WEEKDAYS
from tests.browser.site import Site, moment
from tests.support.waiting import wait_until

NEW_YORK = {"timezone_id": "America/New_York"}
BOOKED = re.compile(r"/m/[^/]+$")
USED = "This link has already been used."


@pytest.fixture(scope="module")
def calendar(site: Site) -> str:
    """The id of a calendar that is open around the clock, of an owner who has no other."""
    return site.new_calendar(
        name="Intro call",
        availability={"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}},
        location="Room 1",
    )


def free(site: Site, link: dict[str, Any], place: int) -> str:
    """The start of the free slot in that place, beyond the next few hours."""
    return site.slots(link)[place + 60]


def fill(page: Page, name: str = "Ada Lovelace") -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill("ada@example.org")


def confirm(page: Page) -> None:
    page.get_by_role("button", name="Confirm booking").click()


def at_form(page: Page, link: dict[str, Any], start: str) -> None:
    """Be at the form for that time, with a name and an address in it."""
    page.goto(f"/b/{link['token']}?tz=Europe/Paris&start={start}")
    fill(page)


def expect_booked(page: Page) -> None:
    expect(page).to_have_url(BOOKED)
    expect(page.get_by_role("heading", level=1)).to_have_text("You're booked")


def bookings(site: Site, calendar: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = site.get(f"/bookings?calendar_id={calendar}").json["items"]
    return items


def booked_links(site: Site, calendar: str) -> list[str]:
    return [booking["link_id"] for booking in bookings(site, calendar)]


def test_an_invitee_in_another_zone_books_a_time_of_theirs(
    new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    page = new_page(**NEW_YORK)
    link = site.new_link(calendar)
    page.goto(f"/b/{link['token']}")
    expect(page.get_by_text("Times shown in Eastern Time – New York")).to_be_visible()
    later = page.get_by_role("link", name=re.compile("available times?$")).nth(2)
    day = (later.get_attribute("aria-label") or "").rpartition(",")[0]
    later.click()
    times = page.get_by_role("heading", name=day)
    expect(times).to_be_focused()
    time = page.locator(".times a").nth(5)
    clock = time.locator("time").inner_text()
    time.click()
    beside_fields = page.locator(".chosen-time")
    expect(beside_fields).to_contain_text(f"{clock}–")
    page.get_by_role("radio").nth(8).check(force=True)
    expect(beside_fields).to_be_hidden()
    page.get_by_role("radio").nth(5).check(force=True)
    expect(beside_fields).to_be_visible()
    fill(page)
    page.get_by_label("Notes").fill("About engines.")
    confirm(page)
    expect_booked(page)
    expect(page.get_by_role("heading", name=day)).to_be_visible()
    ticket = page.get_by_role("article")
    expect(ticket).to_contain_text(f"{clock}–")
    expect(ticket).to_contain_text("Eastern Time – New York")
    expect(ticket).to_contain_text("(UTC)")
    shown = [
        booking
        for booking in bookings(site, calendar)
        if booking["link_id"] == link["id"] and booking["notes"] == "About engines."
    ]
    (booking,) = shown
    local = moment(booking["start"]).astimezone(ZoneInfo("America/New_York"))
    assert f"{local:%H:%M}" == clock
    assert booking["invitee"]["time_zone"] == "America/New_York"
    with page.expect_download() as download:
        page.get_by_role("button", name="Add to calendar").click()
    assert download.value.suggested_filename == "booking.ics"


def test_the_first_page_is_made_once_for_any_zone(
    new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    page = new_page(timezone_id="America/New_York")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    link = site.new_link(calendar)
    opened(page, link)
    expect(page.get_by_text("Times shown in Eastern Time – New York")).to_be_visible()
    assert [url for url in asked if "/b/" in url] == [page.url]
    assert page.url.endswith(f"/b/{link['token']}")
    by_script = page.locator("#chooser").inner_text()
    page.reload()
    by_server = page.locator("#chooser").inner_text()
    assert by_script.split() == by_server.split()


def test_a_browser_that_keeps_nothing_shows_its_own_zone(
    new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    page = new_page(**NEW_YORK)
    page.add_init_script(
        "Object.defineProperty(document, 'cookie', { get: () => '', set() {} });"
        "Object.defineProperty(window, 'sessionStorage', {"
        "  get() { throw new DOMException('Access is denied.', 'SecurityError'); } });"
    )
    opened(page, site.new_link(calendar))
    expect(page.get_by_text("Times shown in Eastern Time – New York")).to_be_visible()


def test_the_first_page_can_be_of_a_day_without_times(
    new_page: Callable[..., Page], site: Site
) -> None:
    someone = site.new_person("weekdays@example.org", "Willa")
    calendar = someone.new_calendar(availability={"weekly": {"wednesday": [["09:00", "17:00"]]}})
    link = someone.new_link(calendar)
    start = moment(someone.slots(link)[0])
    page = new_page(**NEW_YORK)
    page.goto(f"/b/{link['token']}?day={start.date() + timedelta(days=1)}")
    expect(page.get_by_text("Times shown in Eastern Time – New York")).to_be_visible()
    expect(page.get_by_text("No available times on this day.")).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
def test_nothing_typed_is_lost_on_the_way_to_another_time(
    script: bool, new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    page = new_page(java_script_enabled=script)
    link = site.new_link(calendar)
    at_form(page, link, free(site, link, 0))
    page.get_by_label("Notes").fill("About engines.")

    def expect_typed() -> None:
        expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")
        expect(page.get_by_label("E-mail address")).to_have_value("ada@example.org")
        expect(page.get_by_label("Notes")).to_have_value("About engines.")

    page.get_by_role("button", name="Other days").click()
    page.get_by_role("button", name="Later").click()
    expect_typed()
    page.get_by_role("button", name=re.compile("available times?$")).nth(3).click()
    expect_typed()
    page.get_by_text("Change time zone").click()
    page.get_by_label("Time zone", exact=True).fill("Tokyo")
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_text("Times shown in Japan Time – Tokyo")).to_be_visible()
    expect_typed()
    page.get_by_role("button", name="Deutsch").click()
    page.get_by_role("button", name="English").click()
    expect_typed()
    if script:
        page.goto(f"/b/{link['token']}?start={free(site, link, 5)}")
        expect_typed()
        page.go_back()
        expect_typed()
    page.locator(".times label").nth(2).click()
    confirm(page)
    expect_booked(page)
    (booking,) = [each for each in bookings(site, calendar) if each["link_id"] == link["id"]]
    assert booking["notes"] == "About engines."
    if script:
        assert "admitone" not in page.evaluate("Object.keys(sessionStorage).join()")


def test_going_back_finds_what_was_typed_without_javascript(
    new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    page = new_page(java_script_enabled=False)
    link = site.new_link(calendar)
    at_form(page, link, free(site, link, 0))
    page.goto("/b/elsewhere")
    page.go_back()
    expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")


def test_the_zone_can_be_changed(page: Page, site: Site, calendar: str) -> None:
    page.goto(f"/b/{site.new_link(calendar)['token']}")
    expect(page.get_by_text("Times shown in Central European Time – Paris")).to_be_visible()
    page.get_by_text("Change time zone").click()
    page.get_by_label("Time zone", exact=True).fill("Tokyo")
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_text("Times shown in Japan Time – Tokyo")).to_be_visible()


def test_a_second_browser_is_told_that_the_link_was_used(
    new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    first, second = new_page(), new_page()
    link = site.new_link(calendar)
    at_form(first, link, free(site, link, 0))
    confirm(first)
    expect_booked(first)
    site.get(f"/links/{link['id']}")
    answer = opened(second, link)
    assert answer.status == 410
    expect(second.get_by_role("heading", level=1)).to_have_text(USED)


def opened(page: Page, link: dict[str, Any]) -> Response:
    """Opens the link and returns the answer."""
    answer = page.goto(f"/b/{link['token']}")
    assert answer is not None
    return answer


def test_of_two_browsers_racing_for_one_link_one_books_and_one_hears_why(
    new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    pages = [new_page(), new_page()]
    link = site.new_link(calendar)
    for place, page in enumerate(pages):
        at_form(page, link, free(site, link, place))
    for page in pages:  # both are under way before either is answered
        page.evaluate("setTimeout(() => document.querySelector('form [type=submit]').click())")
    headings = []
    for page in pages:
        heading = page.get_by_role("heading", level=1)
        expect(heading).not_to_have_text("Intro call")
        headings.append(heading.inner_text())
    assert sorted(headings) == [
        "Someone else used this link while you were choosing a time.",
        "You're booked",
    ]
    wait_until(lambda: link["id"] in booked_links(site, calendar))
    assert booked_links(site, calendar).count(link["id"]) == 1


def test_a_lost_time_is_picked_anew_with_the_form_kept(
    page: Page, site: Site, calendar: str
) -> None:
    link, rival = site.new_links(calendar, 2)
    start = free(site, link, 0)
    at_form(page, link, start)
    assert site.redeem(rival, start).status_code == 201
    confirm(page)
    expect(page.get_by_role("alert")).to_have_text(
        "That time was just taken. Your link still works: pick another time."
    )
    expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")
    page.get_by_role("radio").first.check()
    confirm(page)
    expect_booked(page)


def test_a_link_revoked_while_somebody_chooses_is_no_longer_active(
    page: Page, site: Site, calendar: str
) -> None:
    link = site.new_link(calendar)
    at_form(page, link, free(site, link, 0))
    site.revoke(link)
    confirm(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("This link is no longer active.")


def test_days_of_a_link_that_ended_lead_to_the_reason(
    page: Page, site: Site, calendar: str
) -> None:
    link = site.new_link(calendar)
    page.goto(f"/b/{link['token']}?tz=Europe/Paris")
    site.revoke(link)
    page.get_by_role("link", name=re.compile("available times?$")).nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("This link is no longer active.")


def test_other_days_of_a_link_that_ended_lead_to_the_reason(
    page: Page, site: Site, calendar: str
) -> None:
    link = site.new_link(calendar)
    at_form(page, link, free(site, link, 0))
    site.revoke(link)
    page.get_by_role("button", name="Other days").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("This link is no longer active.")
    expect(page.get_by_text("You have not been booked.")).to_be_visible()
    expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")


def test_a_double_click_books_once(page: Page, site: Site, calendar: str) -> None:
    link = site.new_link(calendar)
    at_form(page, link, free(site, link, 0))
    page.get_by_role("button", name="Confirm booking").dblclick()
    expect_booked(page)
    wait_until(lambda: link["id"] in booked_links(site, calendar))
    assert booked_links(site, calendar).count(link["id"]) == 1


def test_going_back_after_booking_leads_to_the_booking(
    page: Page, site: Site, calendar: str
) -> None:
    link = site.new_link(calendar)
    at_form(page, link, free(site, link, 0))
    confirm(page)
    expect_booked(page)
    booked = page.url
    page.go_back()
    page.reload()
    expect(page).to_have_url(booked)
    opened(page, link)
    expect(page).to_have_url(booked)


def test_the_whole_walk_works_without_javascript(
    new_page: Callable[..., Page], site: Site, calendar: str
) -> None:
    page = new_page(java_script_enabled=False)
    link, rival = site.new_links(calendar, 2)
    opened(page, link)
    expect(page.get_by_text("Times shown in UTC")).to_be_visible()
    page.get_by_role("button", name="Later").click()
    page.get_by_role("link", name=re.compile("available times?$")).nth(1).click()
    page.locator(".times a").nth(3).click()
    start = page.locator("input[name=start]:checked").get_attribute("value") or ""
    page.get_by_label("Your name").fill("Ada Lovelace")
    confirm(page)
    expect(page.locator("#email-help")).to_have_text("Enter your e-mail address.")
    assert site.redeem(rival, start).status_code == 201
    fill(page)
    confirm(page)
    expect(page.get_by_role("alert")).to_contain_text("That time was just taken.")
    page.get_by_role("radio").nth(1).check()
    confirm(page)
    expect_booked(page)
    page.goto(f"/b/{link['token']}")
    expect(page).to_have_url(BOOKED)


def test_the_keyboard_is_enough(page: Page, site: Site, calendar: str) -> None:
    page.goto(f"/b/{site.new_link(calendar)['token']}?tz=Europe/Paris")
    tab_to(page, page.get_by_role("link", name=re.compile("available times?$")).nth(1))
    page.keyboard.press("Enter")
    expect(page.locator("#times")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(".times a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#details")).to_be_focused()
    tab_to(page, page.get_by_label("Your name"))
    page.keyboard.type("Ada Lovelace")
    page.keyboard.press("Tab")
    page.keyboard.type("ada@example.org")
    page.keyboard.press("Enter")
    expect_booked(page)


def tab_to(page: Page, target: Any) -> None:
    """Press Tab until `target` has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if target.evaluate("part => part === document.activeElement"):
            return
    raise AssertionError("it can't be reached with Tab")
