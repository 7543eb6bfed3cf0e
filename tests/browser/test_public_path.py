"""The service below a path of a public address, in a real browser from sign-in to a booking.

Its host is one for which browsers have passkeys.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import psycopg
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
        ADMITONE_PUBLIC_URL=f"http://localhost:{port}{PATH}",
    ) as service:
        yield Site(replace(service, host="localhost"), service.key)


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

    owner.goto(site.sign_in_link())
    owner.get_by_role("button", name="Sign in").click()
    owner.get_by_role("link", name="Settings").click()
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


def plug_in_authenticator(page: Page) -> None:
    """Gives the browser a device that keeps passkeys and knows its person."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def wait_ten_minutes(site: Site) -> None:
    """Makes every proof of who is there as old as it would be then."""
    with psycopg.connect(site.service.environment["ADMITONE_DATABASE_URL"]) as conn:
        conn.execute("UPDATE sessions SET confirmed_until = confirmed_until - interval '1 hour'")


def test_a_passkey_is_added_signs_in_confirms_and_is_removed(page: Page, site: Site) -> None:
    plug_in_authenticator(page)
    site.sign_in(page)
    page.goto(f"{PATH}/settings/access")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_label("Where is it?").fill("Work laptop")
    page.get_by_role("button", name="Add passkey").click()
    expect(page.locator("p[role=status]")).to_have_text("Passkey added. You can sign in with it.")

    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_text("This device has a passkey for this service already.")).to_be_visible()

    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Hello, "))

    wait_ten_minutes(site)
    page.goto(f"{PATH}/settings/access")
    page.get_by_label("What is it for?").fill("Our website")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it's you")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Your new API key")).to_be_visible()
    expect(page.get_by_role("rowheader", name="Our website")).to_be_visible()

    page.get_by_role("button", name="Change or remove Work laptop").click()
    page.get_by_role("button", name="Remove passkey").click()
    expect(page.locator("p[role=status]")).to_have_text(
        "Passkey removed. Nobody can sign in with it any more."
    )
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("This passkey was not accepted. Please try again.")).to_be_visible()
