"""Settings → Calendars and the account page with a real browser."""

from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Dialog, Page, expect

from domain.booking_rules import WEEKDAYS
from tests.browser.site import Site

CALENDARS = "/settings/calendars"

_number = count(1)


@pytest.fixture
def email(site: Site) -> str:
    """The address of a new account without data."""
    address = f"calendars{next(_number)}@example.org"
    site.new_person(address, "Olivia Owner")
    return address


def hours(page: Page, day: str) -> str:
    return page.get_by_label(day, exact=True).input_value()


def test_the_preview_follows_the_form_as_it_is_filled_in(
    page: Page, site: Site, email: str
) -> None:
    site.sign_in(page, email)
    page.goto(CALENDARS)
    page.get_by_role("button", name="Create calendar").click()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Paris")  # the browser's
    ahead = page.get_by_role("region", name="Next 14 days")
    expect(ahead).to_contain_text("Times shown in Central European Time – Paris.")
    page.get_by_label("Time zone").fill("new york")
    expect(ahead).to_contain_text("Times shown in Eastern Time – New York.")
    for day in WEEKDAYS:
        page.get_by_label(day.capitalize(), exact=True).fill("")
    expect(ahead).to_contain_text("No times are available in the next 14 days.")
    for day in WEEKDAYS:
        page.get_by_label(day.capitalize(), exact=True).fill("20:15 to 20:45")
    expect(ahead.get_by_text("20:15").first).to_be_visible()
    page.get_by_label("Friday", exact=True).fill("soon")
    expect(ahead).to_contain_text("once these fields are filled in correctly: Friday.")
    page.get_by_label("Friday", exact=True).fill("9-9:30")
    expect(ahead).to_contain_text("available times.")
    page.get_by_label("Name", exact=True).fill("Evening call")
    page.get_by_label("Name", exact=True).press("Enter")  # saves: it is not the Copy button
    expect(page.get_by_role("status").first).to_have_text("Calendar created.")
    expect(page.get_by_role("listitem").filter(has_text="Evening call").first).to_contain_text(
        "Mon–Thu 20:15–20:45"
    )


def test_the_menu_is_used_with_the_keyboard_alone(page: Page, site: Site, email: str) -> None:
    site.sign_in(page, email)
    page.goto(f"{CALENDARS}/new")
    page.get_by_label("Name", exact=True).fill("Intro call")
    page.get_by_role("button", name="Create calendar").click()
    page.get_by_role("button", name="Actions for Intro call").press("Enter")
    menu = page.locator("[popover]")
    expect(menu.get_by_role("link", name="Share")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.get_by_role("button", name="Actions for Intro call")).to_be_focused()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link", name="Share")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Archive Intro call?")
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_role("region", name="Archived")).to_contain_text("Intro call")


def test_the_menu_opens_beside_its_button_on_a_scrolled_page(
    new_page: Callable[..., Page], site: Site, email: str
) -> None:
    page = new_page(viewport={"width": 360, "height": 420})
    site.sign_in(page, email)
    for name in ("One", "Two", "Three"):
        page.goto(f"{CALENDARS}/new")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Create calendar").click()
    button = page.get_by_role("button", name="Actions for Three")
    button.scroll_into_view_if_needed()
    button.click()
    menu = page.locator("[popover]:popover-open")
    expect(menu.get_by_role("link", name="Share")).to_be_focused()
    at, beside = button.bounding_box(), menu.bounding_box()
    assert at is not None
    assert beside is not None
    assert page.evaluate("scrollY") > 0
    gap = max(beside["y"] - at["y"] - at["height"], at["y"] - beside["y"] - beside["height"])
    assert 0 <= gap <= 8


def test_without_javascript_the_menu_opens_in_the_middle_of_the_window(
    new_page: Callable[..., Page], site: Site, email: str
) -> None:
    page = new_page(java_script_enabled=False)
    site.sign_in(page, email)
    page.goto(f"{CALENDARS}/new")
    page.get_by_label("Name", exact=True).fill("Intro call")
    page.get_by_label("Time zone").fill("UTC")
    page.get_by_role("button", name="Create calendar").click()
    page.get_by_role("button", name="Actions for Intro call").click()
    menu = page.locator("[popover]:popover-open").bounding_box()
    assert menu is not None
    assert abs(menu["x"] + menu["width"] / 2 - 640) < 10
    assert abs(menu["y"] + menu["height"] / 2 - 400) < 10


def test_unsaved_changes_are_not_lost_without_a_question(
    page: Page, site: Site, email: str
) -> None:
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    site.sign_in(page, email)
    page.goto(f"{CALENDARS}/new")
    page.get_by_label("Name", exact=True).fill("Intro")
    page.get_by_label("Name", exact=True).fill("")
    page.get_by_label("Copy hours from").select_option("tuesday")  # nothing to save
    page.get_by_role("link", name="Links", exact=True).click()
    page.wait_for_url("**/links")
    page.goto(f"{CALENDARS}/new")
    page.get_by_label("Monday", exact=True).fill("soon")
    with page.expect_event("dialog"):
        page.get_by_role("link", name="Links", exact=True).click()
    page.get_by_label("Name", exact=True).fill("Intro call")
    page.get_by_role("button", name="Create calendar").click()
    expect(page.get_by_role("alert")).to_be_visible()
    with page.expect_event("dialog"):  # what was sent back isn't saved either
        page.get_by_role("link", name="Links", exact=True).click()
    page.get_by_label("Monday", exact=True).fill("9-12")
    page.get_by_role("button", name="Create calendar").click()
    expect(page.get_by_role("status").first).to_have_text("Calendar created.")
    assert asked == ["beforeunload"] * 2


def test_two_tabs_see_each_other_s_changes(page: Page, site: Site, email: str) -> None:
    site.sign_in(page, email)
    page.goto(f"{CALENDARS}/new")
    page.get_by_label("Name", exact=True).fill("Intro call")
    page.get_by_role("button", name="Create calendar").click()
    page.get_by_role("link", name="Intro call", exact=True).click()
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Monday", exact=True).fill("closed")
    other.get_by_role("button", name="Save changes").click()
    expect(other.get_by_role("status").first).to_have_text("Changes saved.")
    page.get_by_label("Location", exact=True).fill("Room 2")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("alert")).to_contain_text("Someone else changed this calendar")
    expect(page.get_by_role("row").filter(has_text="Monday")).to_contain_text("unchanged")
    assert hours(page, "Monday") == ""
    page.get_by_role("button", name="Save the form below").click()
    expect(page.get_by_role("listitem").filter(has_text="Room 2").first).to_contain_text(
        "Tue–Fri 09:00–17:00"
    )


def test_calendars_are_made_copied_and_previewed_without_javascript(
    new_page: Callable[..., Page], site: Site, email: str
) -> None:
    page = new_page(java_script_enabled=False)
    site.sign_in(page, email)
    page.goto(f"{CALENDARS}/new")
    page.get_by_label("Time zone").fill("UTC")
    page.get_by_label("Tuesday", exact=True).fill("8-10")
    page.get_by_label("Copy hours from").select_option("Tuesday")
    page.get_by_label("to", exact=True).select_option("all days")
    page.get_by_role("button", name="Copy").click()
    assert [hours(page, day.capitalize()) for day in WEEKDAYS] == ["8-10"] * 7
    page.get_by_label("Duration").fill("60")
    page.get_by_role("button", name="Preview").click()
    ahead = page.get_by_role("region", name="Next 14 days")
    expect(ahead).to_contain_text("08:00 09:00")
    page.get_by_label("Name", exact=True).fill("Intro call")
    page.get_by_role("button", name="Create calendar").click()
    card = page.get_by_role("listitem").filter(has_text="Intro call").first
    expect(card).to_contain_text("Mon–Sun 08:00–10:00")
    page.get_by_role("button", name="Actions for Intro call").click()
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Edit calendar")


def test_a_new_api_key_is_copied(new_page: Callable[..., Page], site: Site, email: str) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    site.sign_in(page, email)
    page.goto("/settings/access")
    page.get_by_label("What is it for?").fill("Our website")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#announcements")).to_have_text("API key copied.")
    key = page.evaluate("navigator.clipboard.readText()")
    headers = {"Authorization": f"Bearer {key}"}
    assert site.service.call("GET", "/api/v1/calendars", **headers).status_code == 200


def test_one_change_of_a_schedule_moves_two_calendars(page: Page, site: Site, email: str) -> None:
    site.sign_in(page, email)
    page.goto("/settings")
    page.get_by_role("main").get_by_role("link", name="Schedules").first.click()
    page.get_by_role("button", name="Create schedule").click()
    page.get_by_label("Name", exact=True).fill("Office")
    page.get_by_role("button", name="Create schedule").click()
    for name in ("Intro call", "Review"):
        page.goto(f"{CALENDARS}/new")
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Hours", exact=True).select_option("Schedule Office")
        expect(page.get_by_role("group", name="Weekly hours")).to_be_hidden()
        page.get_by_role("button", name="Create calendar").click()
    page.get_by_role("link", name="Schedule Office").first.click()
    page.get_by_label("Monday", exact=True).fill("7-8")
    expect(page.get_by_role("region", name="Next 14 days")).to_contain_text("Mon 07:00–08:00")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Followed by Intro call, Review")).to_be_visible()
    page.goto(CALENDARS)
    expect(page.get_by_text("Mon 07:00–08:00")).to_have_count(2)
