"""`make screenshots`: every page, on wide and narrow screens, in light and dark.

Arguments: the folder (default var/screenshots), then beginnings of names to make only those.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import click
from playwright.sync_api import Browser, sync_playwright

from interface.bootstrap import apply_schema, build
from interface.runtime.embedded_postgres import EmbeddedPostgres
from interface.settings import Settings
from tests.browser import chromium
from tests.browser import demo_data as demo
from tests.browser.every_page import every_place, go
from tests.browser.site import Site
from tests.support.service import running_service

FOLDER = Path("var/screenshots")
WIDTHS = (1280, 360)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> None:
    """Makes the screenshots."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with demo_site() as (site, shown), sync_playwright() as playwright:
        places = [
            place
            for place in every_place(shown)
            if len(sys.argv) < 3 or place.name.startswith(tuple(sys.argv[2:]))
        ]
        browser = chromium.launch(playwright)
        states = {
            who: _signed_in(browser, site, who)
            for who in {place.who for place in places if place.who is not None}
        }
        for place in places:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    context = browser.new_context(
                        viewport={"width": width, "height": 800},
                        color_scheme=scheme,
                        locale="en-GB",
                        timezone_id=demo.ZONE,
                        base_url=site.url,
                        storage_state=states.get(place.who or ""),
                    )
                    page = context.new_page()
                    go(page, place)
                    page.screenshot(
                        path=folder / f"{place.name}-{width}-{scheme}.png", full_page=True
                    )
                    context.close()
            click.echo(place.name)
        browser.close()


@contextmanager
def demo_site() -> Iterator[tuple[Site, demo.Demo]]:
    """The service with the demo's data, for as long as it is needed."""
    with TemporaryDirectory() as data, EmbeddedPostgres(Path(data) / "postgres") as server:
        apply_schema(server.conninfo)
        with running_service(Path(data), server.conninfo) as service:
            services = build(Settings.from_environment(service.environment), server.conninfo)
            try:
                shown = demo.fill(services)
            finally:
                services.close()
            yield Site(service, service.key), shown


def _signed_in(browser: Browser, site: Site, who: str) -> Any:
    context = browser.new_context(base_url=site.url)
    site.sign_in(context.new_page(), who)
    state = context.storage_state()
    context.close()
    return state


if __name__ == "__main__":
    main()
