"""The service below a path of a public address, in a real browser from sign-in to a booking."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.page_checks import CLIPBOARD, COPIED, clipboard
from tests.browser.site import Site
from tests.browser.test_booking import confirm, expect_booked, fill
from tests.browser.test_share import share
from tests.support.service import free_port, running_service

PATH = "/appointments"


@pytest.fixture(scope="module")
def site(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The running service, whose public address has a path."""
    port = free_port()
    with running_service(
        tmp_path_factory.mktemp("site"),
        new_database(),
        ADMITONE_PORT=str(port),
        ADMITONE_PUBLIC_URL=f"http://127.0.0.1:{port}{PATH}",
    ) as service:
        yield Site(service, service.key)


def test_everything_that_a_browser_asks_for_lies_below_the_path(
    new_page: Callable[..., Page], site: Site
) -> None:
    site.new_calendar(name="Intro call")
    owner, ada = new_page(permissions=CLIPBOARD), new_page()
    asked: list[str] = []

    def remember(request: Request) -> None:
        asked.append(request.url)

    for page in (owner, ada):
        page.on("request", remember)

    site.sign_in(owner)
    owner.get_by_role("link", name="Calendars", exact=True).click()
    share(owner, "Intro call")
    dialog = owner.get_by_role("dialog", name="Share Intro call")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("status")).to_have_text(COPIED)

    ada.goto(clipboard(owner))
    ada.get_by_role("link", name=re.compile("available times?$")).first.click()
    ada.locator(".times a").first.click()
    fill(ada)
    confirm(ada)
    expect_booked(ada)
    ada.get_by_role("button", name="Cancel booking").click()
    ada.get_by_role("button", name="Cancel booking").click()
    expect(ada.get_by_role("status").first).to_have_text("Booking cancelled.")
    owner.goto(f"{PATH}/bookings")
    owner.get_by_role("link", name="Cancelled", exact=True).click()
    expect(owner.get_by_text("Ada Lovelace")).to_be_visible()

    assert f"{site.url}{PATH}/static/" in "".join(asked)
    assert [url for url in asked if not url.startswith(f"{site.url}{PATH}/")] == []
