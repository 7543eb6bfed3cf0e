"""The owner's day, week and month in a real browser."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, expect

from domain.booking_rules import WEEKDAYS
from tests.browser.site import Site, moment


def test_a_booking_is_found_by_week_and_month_without_a_script(
    new_page: Callable[..., Page], site: Site
) -> None:
    owner = site.new_person("bea@example.org", "Bea Booked")
    booking = owner.new_booking(owner.new_calendar(name="Intro call"), place=40)
    day = moment(booking["start"]).date()
    page = new_page(java_script_enabled=False)
    owner.sign_in(page, "bea@example.org")
    page.goto("/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Bookings").click()
    expect(page.get_by_role("row").filter(has_text="Ada Lovelace")).to_have_count(1)
    for view in ("Day", "Week", "Month"):
        page.get_by_role("navigation", name="View").get_by_role("link", name=view).click()
        page.goto(f"/bookings?view={view.lower()}&on={day}")
        page.get_by_role("button", name=f"Next {view.lower()}").click()
        page.get_by_role("button", name=f"Previous {view.lower()}").click()
        cell = page.locator("td, section").filter(has=page.locator(f"time[datetime='{day}']"))
        expect(cell).to_contain_text("Ada Lovelace")
    cell.get_by_role("link", name="Ada Lovelace").click()
    expect(page).to_have_url(f"{site.url}/bookings/{booking['booking_id']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada Lovelace")


def test_on_a_narrow_screen_only_the_days_with_bookings_are_listed(
    new_page: Callable[..., Page], site: Site
) -> None:
    owner = site.new_person("nell@example.org", "Nell Narrow")
    booking = owner.new_booking(owner.new_calendar(), place=40)
    day = moment(booking["start"]).date()
    page = new_page(viewport={"width": 360, "height": 740})
    owner.sign_in(page, "nell@example.org")
    for view, days in (("week", ".hours section"), ("month", "td")):
        page.goto(f"/bookings?view={view}&on={day}")
        expect(page.locator(f"{days}:visible")).to_have_count(1)
        expect(page.locator(f"{days}:visible")).to_contain_text("Ada Lovelace")


def next_repeated_hour() -> tuple[str, datetime]:
    """Returns where clocks are set back next, and when the hour that occurs twice begins again."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return next(
        (zone, hour)
        for hour in (now + timedelta(hours=hours) for hours in range(2, 300 * 24))
        for zone in ("Europe/Berlin", "Australia/Sydney")
        if hour.astimezone(ZoneInfo(zone)).fold
    )


def test_on_a_narrow_screen_the_times_of_an_hour_that_occurs_twice_are_shown_in_full(
    new_page: Callable[..., Page], site: Site
) -> None:
    owner = site.new_person("cleo@example.org", "Cleo Clock")
    zone, again = next_repeated_hour()
    all_day = {"weekly": {day: [["00:00", "24:00"]] for day in WEEKDAYS}}
    calendar = owner.new_calendar(time_zone=zone, availability=all_day, booking_window_days=365)
    start = (again - timedelta(minutes=30)).isoformat()
    assert owner.redeem(owner.new_link(calendar), start).status_code == 201
    page = new_page(viewport={"width": 320, "height": 740})
    owner.sign_in(page, "cleo@example.org")
    for path in ("/bookings", f"/bookings?view=week&on={again.date()}"):
        page.goto(path)
        times = page.locator(".times-of")
        expect(times).to_have_text(re.compile(r"\(GMT.*–.*\(GMT"))
        assert times.evaluate("each => each.getBoundingClientRect().right <= innerWidth"), path


def test_time_is_blocked_by_drawing_over_the_hours_or_by_keys_and_opened_by_keyboard(
    new_page: Callable[..., Page], site: Site
) -> None:
    owner = site.new_person("dora@example.org", "Dora Drawing")
    owner.new_calendar(name="Intro call", time_zone="UTC")
    page = new_page(viewport={"width": 1280, "height": 900})
    owner.sign_in(page, "dora@example.org")
    page.goto("/bookings?view=week&on=2027-03-01")
    column = page.locator("[data-day='2027-03-02']")
    open_time = column.locator(".open")
    whole = open_time.count()
    place = column.bounding_box()
    assert place is not None
    hours = page.locator("[data-hours]")
    first, until = (int(hours.get_attribute(f"data-{end}") or "") for end in ("first", "until"))
    hour = place["height"] / (until - first)
    at_ten = place["y"] + (10 - first) * hour
    page.mouse.move(place["x"] + 20, at_ten + 2)
    page.mouse.down()
    page.mouse.move(place["x"] + 20, at_ten + 1.5 * hour - 2)
    page.mouse.up()
    expect(column.locator(".drawn")).to_have_text("10:00–11:30")
    expect(page.get_by_role("button", name="Block time")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Time blocked.")
    expect(page.get_by_label("From")).to_have_value("10:00")
    expect(page.get_by_label("Until")).to_have_value("11:30")
    expect(open_time).to_have_count(whole + 1)
    page.get_by_label("From").fill("09:00")
    page.get_by_role("button", name="Open again").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("open again")
    expect(open_time).to_have_count(whole)

    cursor = page.locator("[data-hours] .cursor button")
    cursor.focus()
    page.keyboard.press("ArrowRight")
    expect(cursor).to_have_attribute(
        "aria-label", re.compile("^Tue.*2 Mar, 09:00, Open 09:00–17:00$")
    )
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    expect(cursor).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowDown")
    expect(column.locator(".drawn")).to_have_text("10:00–11:30")
    expect(page.locator("#announcements")).to_contain_text("2 Mar, 10:00–11:30")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Block time")).to_be_focused()
    assert [page.get_by_label(name).input_value() for name in ("Day", "From", "Until")] == [
        "2027-03-02",
        "10:00",
        "11:30",
    ]
    page.keyboard.press("Escape")
    expect(column.locator(".drawn")).to_have_count(0)
