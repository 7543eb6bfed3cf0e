"""`make screenshots`: every page and mail, wide and narrow, light and dark, English and German.

Pages that people print are also taken as printed.
Arguments: the folder (default var/screenshots), then beginnings of names to make only those.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import click
from playwright.sync_api import Browser, Page, sync_playwright

from interface import i18n
from interface.bootstrap import apply_schema, build
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.settings import Settings
from tests.browser import chromium
from tests.browser import demo_data as demo
from tests.browser.every_page import Place, every_place, go
from tests.browser.letters import every_mail
from tests.browser.site import Site
from tests.support.service import running_service
from tests.support.waiting import wait_until

FOLDER = Path("var/screenshots")
PRINTED = {"audit-proof", "bookings-week", "invitee-booked"}
"""The pages that people print."""

PICTURES = {"share-dialog-copied": "share", "invitee-choose": "choose", "links": "links"}
"""The pages that the README shows, with the names of their pictures."""

_LEAVES_A_LINK = "share-dialog-copied"
"""Comes last, since its links would stand on top of every list."""

_ENDLESS = "api-docs"
"""Too long to picture whole: only the first screen."""

_OF_README = Path(__file__).parents[2] / ".github/pictures"
_DUE = "SELECT FROM deliveries WHERE state = 'due' AND due_at <= now()"
_MAIL_WIDTHS = (600, 360)
_ENGLISH, _GERMAN = "en-GB", "de-DE"
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LOOKS: tuple[tuple[int, Literal["light", "dark"], str], ...] = (
    (1280, "light", _ENGLISH),
    (1280, "dark", _GERMAN),
    (360, "light", _GERMAN),
    (360, "dark", _ENGLISH),
)
"""The ways to picture a page: width, colours and language of the browser."""


def main() -> None:
    """Makes the screenshots."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with demo_site() as (site, shown), sync_playwright() as playwright:
        docs = Place(_ENDLESS, "/api/docs", None, prepare=_wait_for_document)
        everything = [*every_place(shown), docs]
        places = [place for place in everything if _is_wanted(place.name)]
        places.sort(key=lambda place: place.name == _LEAVES_A_LINK)
        browser = chromium.launch(playwright)
        states = {
            who: signed_in(browser, site, who)
            for who in {place.who for place in places if place.who is not None}
        }
        for place in places:
            for width, scheme, locale in LOOKS:
                context = browser.new_context(
                    viewport={"width": width, "height": 800},
                    color_scheme=scheme,
                    locale=locale,
                    timezone_id=demo.ZONE,
                    base_url=site.url,
                    storage_state=states.get(place.who or ""),
                )
                page = context.new_page()
                go(page, place)
                page.screenshot(
                    path=folder / f"{place.name}-{width}-{scheme}-{locale[:2]}.png",
                    full_page=place.name != _ENDLESS,
                )
                if (width, scheme) == (1280, "light"):
                    if place.name in PICTURES:
                        page.screenshot(path=_OF_README / f"{PICTURES[place.name]}.png")
                    if place.name in PRINTED:
                        page.emulate_media(media="print")
                        page.set_viewport_size({"width": 720, "height": 1000})
                        page.screenshot(path=folder / f"{place.name}-print.png", full_page=True)
                context.close()
            click.echo(place.name)
        _picture_mails(browser, folder)
        browser.close()


def _picture_mails(browser: Browser, folder: Path) -> None:
    """Makes the pictures of the mails, each in both languages, light and dark, at two widths."""
    for tag, scheme in product((_ENGLISH, _GERMAN), _SCHEMES):
        page = browser.new_page(color_scheme=scheme)
        with i18n.reading(partial(i18n.locale_named, tag)):
            mails = [(name, html) for name, html in every_mail() if _is_wanted(name)]
        for (name, html), width in product(mails, _MAIL_WIDTHS):
            page.set_viewport_size({"width": width, "height": 600})
            page.set_content(html)
            path = folder / f"{name}-{width}-{scheme}-{tag[:2]}.png"
            page.screenshot(path=path, full_page=True)
        page.close()


def _is_wanted(name: str) -> bool:
    return len(sys.argv) < 3 or name.startswith(tuple(sys.argv[2:]))


def _wait_for_document(page: Page) -> None:
    page.get_by_text("JSON in, JSON out").wait_for()


@contextmanager
def demo_site() -> Iterator[tuple[Site, demo.Demo]]:
    """The service with the demo's data, for as long as it is needed, or until this process ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with TemporaryDirectory() as data, EmbeddedPostgres(Path(data) / "postgres") as server:
        apply_schema(server.conninfo)
        with running_service(Path(data), server.conninfo) as service:
            services = build(Settings.from_environment(service.environment), server.conninfo)
            try:
                shown = demo.fill(services)
                wait_until(lambda: not services.database.fetch_all(_DUE))
            finally:
                services.close()
            yield Site(service, service.key), shown


def signed_in(browser: Browser, site: Site, who: str) -> Any:
    """Returns the state of a browser in which somebody of the demo is signed in."""
    context = browser.new_context(base_url=site.url)
    site.sign_in(context.new_page(), who)
    state = context.storage_state()
    context.close()
    return state


if __name__ == "__main__":
    main()
