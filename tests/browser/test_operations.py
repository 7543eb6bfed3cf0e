"""An operator in a real browser requests a rebuild, and the projector runs it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from projections.views import booking_calendar
from tests.browser.site import Site

VIEW = booking_calendar.NAME
EMAIL = "otis@example.org"


@pytest.fixture(scope="module", autouse=True)
def operator(site: Site) -> None:
    """An account that may only operate the service, which has a booking."""
    site.service.command("accounts", "create", EMAIL, "--role", "operator")
    site.new_booking(site.new_calendar())


def row(page: Page) -> Locator:
    return page.locator(f"#{VIEW}")


@contextmanager
def held_up(site: Site) -> Iterator[None]:
    """Stops a rebuild within the block before it is compared with the live view."""
    with psycopg.connect(site.service.environment["ADMITONE_DATABASE_URL"]) as conn:
        conn.execute("SELECT FROM projection_positions WHERE name = %s FOR UPDATE", (VIEW,))
        yield


def ask_for_rebuild(page: Page, site: Site) -> None:
    """Press Rebuild, and again at the question."""
    site.sign_in(page, EMAIL)
    page.goto("/")
    page.get_by_role("link", name="Operations").click()
    expect(page.get_by_text("Projector running")).to_be_visible()
    row(page).get_by_role("button", name=f"Rebuild {VIEW}").click()
    page.get_by_role("button", name="Rebuild", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("Rebuild requested.")


def test_an_operator_requests_a_rebuild_and_sees_it_finish(page: Page, site: Site) -> None:
    with held_up(site):
        ask_for_rebuild(page, site)
        expect(row(page)).to_contain_text("Comparing")
        expect(row(page).get_by_role("progressbar")).to_be_visible()
        expect(row(page).get_by_role("button")).to_have_count(0)
        page.evaluate("window.isStillThisPage = true")
    expect(row(page)).to_contain_text("Rebuilt")
    expect(row(page)).to_contain_text("no differences")
    expect(row(page).get_by_role("button", name=f"Rebuild {VIEW}")).to_be_visible()
    expect(row(page)).not_to_have_attribute("hx-trigger", "every 2s")
    expect(page.locator("#announcements")).to_have_text(f"{VIEW}: rebuild finished.")
    assert page.evaluate("window.isStillThisPage")


def test_without_a_script_reloading_shows_how_it_goes(
    new_page: Callable[..., Page], site: Site
) -> None:
    page = new_page(java_script_enabled=False)
    ask_for_rebuild(page, site)
    while row(page).get_by_role("progressbar").count():
        page.reload()
    expect(row(page)).to_contain_text("Rebuilt")
