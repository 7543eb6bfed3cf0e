"""Signing in at an identity provider with a real browser."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from application.people.authentication import CONFIRMED_FOR
from interface.bootstrap import Services, build, utc_now
from tests.browser.page_checks import must_be_accessible
from tests.support.clock import Clock
from tests.support.identity_provider import running_provider, settings_of

NAME = "Continue with Example ID"


@dataclass
class Place:
    """A service at which people sign in by a provider."""

    url: str
    services: Services
    clock: Clock


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def place(
    conninfo: str, tmp_path: Path, web_application: Callable[[Services], Flask]
) -> Iterator[Place]:
    """Served from here, which is quicker than processes of its own."""
    clock = Clock(utc_now())
    with running_provider(clock) as provider:
        provider.know("ada", email="ada@example.org", email_verified=True, name="Ada Lovelace")
        server = make_server("localhost", 0, lambda *_: [], threaded=True, request_handler=Quiet)
        url = f"http://localhost:{server.server_port}"
        settings = settings_of(provider, tmp_path, public_url=url, public_url_is_set=True)
        services = build(settings, conninfo, now=clock)
        server.app = web_application(services)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Place(url, services, clock)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            services.close()


@pytest.fixture
def page(browser: Browser, place: Place) -> Iterator[Page]:
    with browser.new_context(base_url=place.url, locale="en-GB") as context:
        yield context.new_page()


def sign_in_there(page: Page) -> None:
    page.get_by_role("button", name="ada").click()


def test_people_sign_in_at_the_provider_prove_there_who_they_are_and_connect_accounts(
    page: Page, place: Place
) -> None:
    page.goto("/")
    must_be_accessible(page)
    page.get_by_role("button", name=NAME).click()
    page.get_by_placeholder("sub").fill("ada")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Ada Lovelace")

    place.clock.time += CONFIRMED_FOR
    page.goto("/settings/access")
    must_be_accessible(page)
    page.get_by_label("What is it for?").fill("Website")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm that it's you")
    must_be_accessible(page)
    page.get_by_role("button", name=NAME).click()
    sign_in_there(page)
    expect(page).to_have_url(f"{place.url}/settings/access")
    page.get_by_label("What is it for?").fill("Website")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_text("Your new API key")).to_be_visible()

    page.goto("/settings/access")
    page.get_by_role("button", name="Disconnect").click()
    page.get_by_role("button", name="Connect with Example ID").click()
    sign_in_there(page)  # a page in between has led on by itself
    expect(page.locator("p[role=status]")).to_have_text("Connected. You can sign in with it.")

    page.get_by_role("button", name="Sign out").first.click()
    expect(page.get_by_text("You may still be signed in at Example ID.").first).to_be_visible()
    must_be_accessible(page)
