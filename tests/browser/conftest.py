"""A real browser, and the running service in front of it."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.browser import chromium
from tests.browser.site import Site
from tests.support.service import running_service

PATIENCE_SECONDS = 20
_WHY_SKIPPED = pytest.StashKey[str]()
# The browser's own words about an answer that a test asked for, such as a 410, and those of htmx
# about a request without an answer. `Window` looks at each such request itself: one that was under
# way when the page was left is nothing to complain of.
_EXPECTED = (
    "Failed to load resource: the server responded with a status of 4",
    "htmx:afterRequest",
    "htmx:sendError",
)
_LEFT = "net::ERR_ABORTED"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Say last of all why there were no browser tests."""
    yield
    why = session.config.stash.get(_WHY_SKIPPED, None)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if why is not None and reporter is not None:
        reporter.write_line(f"Browser tests skipped: {why}.", yellow=True)


@pytest.fixture(scope="package")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser with nothing in it; tests are skipped where none can be had."""
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        try:
            launched = chromium.launch(playwright)
        except chromium.NoBrowser as none:
            request.config.stash[_WHY_SKIPPED] = str(none)
            pytest.skip(str(none))
        yield launched
        launched.close()


class Window:
    """A browser context, and what went wrong in it."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.context = context
        self.faults: list[str] = []
        self._host = host
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(_EXPECTED):
            self.faults.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.netloc != self._host:
            self.faults.append(f"asked another host: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.resource_type in ("xhr", "fetch") and request.failure != _LEFT:
            self.faults.append(f"{request.failure}: {request.url}")

    def _response(self, response: Response) -> None:
        is_asset = "/static/" in urlsplit(response.url).path
        if response.status >= 500 or (is_asset and response.status >= 400):
            self.faults.append(f"{response.status} from {response.url}")


@pytest.fixture
def new_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens pages, each in a browser context of its own with the given options.

    The test fails when a script fails, the console complains, or anything is asked of
    another host.
    """
    windows: list[Window] = []

    def open_page(**options: Any) -> Page:
        standard = {
            "viewport": {"width": 1280, "height": 800},
            "locale": "en-GB",
            "timezone_id": "Europe/Paris",
            "reduced_motion": "reduce",  # drawing each step of a dialog that opens takes long
            "base_url": site.url,
        }
        context = browser.new_context(**standard | options)
        windows.append(Window(context, urlsplit(site.url).netloc))
        return context.new_page()

    yield open_page
    for window in windows:
        window.context.close()
    faults = [fault for window in windows for fault in window.faults]
    assert faults == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """An English browser in Paris, 1280 by 800, with nobody signed in."""
    return new_page()


@pytest.fixture(scope="package")
def site(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The running service on a database of its own, shared by the browser tests."""
    with running_service(tmp_path_factory.mktemp("site"), new_database()) as service:
        yield Site(service, service.key)
