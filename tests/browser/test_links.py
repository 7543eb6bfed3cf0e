"""The list of links and what is done there, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.page_checks import CLIPBOARD, COPIED, NOT_COPIED, clipboard
from tests.browser.site import Site


@pytest.fixture
def owner_page(new_page: Callable[..., Page], site: Site) -> Callable[..., Page]:
    """Opens the links of a calendar of the owner."""

    def open_page(calendar_id: str, **options: object) -> Page:
        page = new_page(**options)
        site.sign_in(page)
        page.goto(f"/links?calendar={calendar_id}")
        return page

    return open_page


def test_a_link_is_copied_from_the_list(owner_page: Callable[..., Page], site: Site) -> None:
    calendar_id = site.new_calendar()
    link = site.new_link(calendar_id, recipient="Ada")
    page = owner_page(calendar_id, permissions=CLIPBOARD)
    page.get_by_role("link", name="Copy the link for Ada").click()
    expect(page.locator("#announcements")).to_have_text(COPIED)
    assert clipboard(page) == link["url"]
    expect(page.get_by_role("link", name="Copy the link for Ada")).to_be_focused()


def test_a_link_is_selected_in_the_list_where_there_is_no_clipboard(
    owner_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar()
    link = site.new_link(calendar_id, recipient="Ada")
    page = owner_page(calendar_id, permissions=CLIPBOARD)
    page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new DOMException('no')); }"
    )
    page.get_by_role("link", name="Copy the link for Ada").click()
    expect(page.locator("#announcements")).to_have_text(NOT_COPIED)
    page.keyboard.press("Control+C")
    assert clipboard(page) == link["url"]


def test_all_links_of_a_page_are_revoked_at_once(
    owner_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar()
    for recipient in ("Ada", "Grace"):
        site.new_link(calendar_id, recipient=recipient)
    site.new_links(calendar_id, 2)
    page = owner_page(calendar_id)
    page.get_by_label("Select all").check()
    expect(page.get_by_role("button", name="Revoke 2 links")).to_be_visible()
    page.get_by_role("link", name="Revoke all 4 active links").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Revoke 4 links?")
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator(".notice")).to_have_text("Links revoked.")
    assert site.get(f"/links?calendar_id={calendar_id}&status=active").json["items"] == []


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_a_link_is_found_replaced_and_revoked(
    owner_page: Callable[..., Page], site: Site, java_script_enabled: bool
) -> None:
    calendar_id = site.new_calendar()
    site.new_link(calendar_id, recipient="Ada")
    old = site.new_link(calendar_id, recipient="Grace")
    page = owner_page(calendar_id, java_script_enabled=java_script_enabled)
    page.get_by_label("Search").fill("grac")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Replace Grace").click()
    page.get_by_role("button", name="Replace").click()
    new = site.get(f"/links?calendar_id={calendar_id}&q=Grace&status=active").json["items"][0]
    assert new["id"] != old["id"]
    expect(page.get_by_label("Single-Use Link")).to_have_value(new["url"])
    page.get_by_role("button", name="Revoke").click()
    page.get_by_label("Reason").fill("No longer needed")
    page.get_by_role("button", name="Revoke").click()
    expect(page.locator(".notice")).to_have_text("Link revoked.")
    expect(page.get_by_role("list").get_by_text("No longer needed")).to_be_visible()
    page.get_by_role("button", name="Create another").click()
    expect(page.get_by_label("Recipient")).to_have_value("Grace")


def test_the_list_follows_what_is_typed_and_keeps_its_tab(
    owner_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar()
    site.new_link(calendar_id, recipient="Ada")
    site.revoke(site.new_link(calendar_id, recipient="Grace"))
    page = owner_page(calendar_id)
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_label("Search").press_sequentially("grac")
    expect(page.get_by_role("row")).to_have_count(2)
    expect(page.get_by_role("link", name="Grace", exact=True)).to_be_visible()
    expect(page.locator("#announcements")).to_have_text("1 entry shown")
    expect(page.get_by_label("Search")).to_be_focused()
    page.wait_for_url("**q=grac**")
    page.get_by_role("navigation", name="Status").get_by_role("link", name="Active").click()
    expect(page.get_by_text("No links match")).to_be_visible()
    page.get_by_label("Search").fill("")
    expect(page.get_by_role("link", name="Ada", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Active 1")).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("link", name="Grace", exact=True)).to_be_visible()
