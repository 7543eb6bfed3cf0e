"""Signing in with a real browser."""

import re

from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_a_one_time_link_from_the_command_line_signs_in(page: Page, site: Site) -> None:
    link = site.sign_in_link()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{site.url}/account")  # to choose a password there
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Hello, "))
    assert page.goto(link).status == 410  # type: ignore[union-attr]


def test_signing_out_leads_back_to_the_form(page: Page, site: Site) -> None:
    site.sign_in(page)
    page.goto("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
