"""The owner's week and month in a real browser."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

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
    for view in ("Week", "Month"):
        page.get_by_role("navigation", name="View").get_by_role("link", name=view).click()
        expect(page.get_by_role("columnheader")).to_have_count(7)
        page.goto(f"/bookings?view={view.lower()}&on={day}")
        page.get_by_role("button", name=f"Next {view.lower()}").click()
        page.get_by_role("button", name=f"Previous {view.lower()}").click()
        cell = page.get_by_role("cell").filter(has=page.locator(f"time[datetime='{day}']"))
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
    for view in ("week", "month"):
        page.goto(f"/bookings?view={view}&on={day}")
        expect(page.locator("td:visible")).to_have_count(1)
        expect(page.locator("td:visible")).to_contain_text(str(day.year))
