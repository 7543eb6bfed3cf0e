"""Signing in with a real browser."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.page_checks import CLIPBOARD, COPIED, clipboard, must_be_accessible
from tests.browser.site import Site


def test_a_one_time_link_from_the_command_line_signs_in(page: Page, site: Site) -> None:
    site.new_calendar(name="Signed in")
    link = site.sign_in_link()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.url}/settings/access")  # to choose a password there
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Hello, "))
    assert page.goto(link).status == 410  # type: ignore[union-attr]


def test_from_a_sign_in_link_two_clicks_put_the_first_link_into_the_clipboard(
    new_page: Callable[..., Page], site: Site
) -> None:
    site.new_person("first@example.org", "First Owner")
    page = new_page(permissions=CLIPBOARD, timezone_id="Europe/Paris")
    page.goto(site.sign_in_link("first@example.org"))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Paris")
    must_be_accessible(page)
    page.get_by_role("link", name="Bookings").click()
    proposal = page.locator("form").filter(has_text="Your browser is in")
    expect(proposal).to_contain_text("Central European Time – Paris")
    must_be_accessible(page)
    proposal.get_by_role("button", name="Show times in this zone").click()
    expect(page.get_by_text("Times shown in Central European Time – Paris.")).to_be_visible()
    expect(proposal).to_have_count(0)
    page.goto("/")
    page.get_by_role("button", name="Create and copy my first link").click()
    expect(page.get_by_label("Your link")).to_be_visible()
    expect(page.locator("#copy-note")).to_have_text(COPIED)
    assert clipboard(page) == page.get_by_label("Your link").input_value()
    must_be_accessible(page)
    page.goto(clipboard(page))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Intro call")


def test_signing_out_leads_back_to_the_form(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
