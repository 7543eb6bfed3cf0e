"""An auditor in a real browser: from a search to the history and to its state at a time."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site

EMAIL = "ines@example.org"


@pytest.fixture(scope="module", autouse=True)
def auditor(site: Site) -> None:
    """An account that may only read the audit."""
    site.service.command("accounts", "create", EMAIL, "--role", "auditor")


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_an_auditor_finds_a_history_and_sees_its_state_at_an_earlier_time(
    new_page: Callable[..., Page], site: Site, java_script_enabled: bool
) -> None:
    address = f"ada-{java_script_enabled}@example.org".lower()
    invitee = {"name": "Ada Lovelace", "email": address}
    booking = site.new_booking(site.new_calendar(), invitee=invitee)
    page = new_page(java_script_enabled=java_script_enabled)
    site.sign_in(page, EMAIL)
    page.goto("/")
    page.get_by_role("link", name="Audit", exact=True).click()
    page.get_by_role("searchbox").fill(address)
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**/audit/history/{booking['booking_id']}")
    story = page.locator("ol.timeline > li")
    expect(story).to_have_count(4)
    expect(story.first).to_contain_text("Link issued")
    expect(page.get_by_text(address)).to_be_visible()
    expect(page.get_by_role("heading", name="Current state")).to_be_visible()

    position = story.first.get_by_role("link", name="As of position").inner_text()
    page.get_by_label("or log position").fill(position)
    page.get_by_role("button", name="Show").click()
    expect(story).to_have_count(1)
    expect(page.get_by_text("1 of 4 events had happened.")).to_be_visible()
    expect(page.get_by_role("heading", name="State at that moment")).to_be_visible()
    expect(page.get_by_text(address)).to_have_count(0)

    page.get_by_label("From").select_option(position)
    page.get_by_role("button", name="Compare").click()
    changed = page.locator("#compared")
    expect(changed.locator("del", has_text="active")).to_be_visible()
    expect(changed.locator("ins", has_text="redeemed")).to_be_visible()

    page.get_by_role("link", name="Audit", exact=True).first.click()
    page.get_by_role("link", name="Access log").click()
    expect(page.get_by_role("row", name=re.compile("from=")).first).to_be_visible()
