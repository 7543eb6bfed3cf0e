"""Tools of Node that judge pages: `make html` and `make lighthouse`. npx fetches them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from playwright.sync_api import Browser, sync_playwright

from tests.browser import chromium
from tests.browser.demo_data import EMAIL, Demo
from tests.browser.every_page import every_place
from tests.browser.screenshots import demo_site, signed_in
from tests.browser.site import Site

HTML_VALIDATE = "html-validate@10.9.0"  # the newest for Node 20
LIGHTHOUSE = "lighthouse@12.2.3"  # the newest for Node 18 and 20
RULES = Path(__file__).with_name("html-validate.json")
"""All but one: the ids of forms say autocomplete="off", or Firefox fills in those of before."""

LEAST = {"performance": 0.98, "accessibility": 1.0, "best-practices": 1.0}


def check_html() -> bool:
    """Validates the HTML of every page as the service sends it; True if nothing is wrong."""
    with TemporaryDirectory() as folder:
        with demo_site() as (site, demo), sync_playwright() as playwright:
            browser = chromium.launch(playwright)
            for name, html in _sources(browser, site, demo):
                (Path(folder) / f"{name}.html").write_text(html)
            browser.close()
        files = sorted(str(path) for path in Path(folder).iterdir())
        click.echo(f"{len(files)} pages")
        return _npx(HTML_VALIDATE, "--config", str(RULES), *files).returncode == 0


def check_lighthouse() -> bool:
    """Lets Lighthouse judge three pages; True if each is as good as `LEAST` says."""
    is_good = True
    with demo_site() as (site, demo), sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        state = signed_in(browser, site, EMAIL)
        program = playwright.chromium.executable_path
        browser.close()
        cookie = "; ".join(f"{each['name']}={each['value']}" for each in state["cookies"])
        for name, path, headers in (
            ("invitee", f"/b/{demo.tokens['active']}", {}),
            ("links", "/links", {"Cookie": cookie}),
            ("bookings", "/bookings", {"Cookie": cookie}),
        ):
            scores, failures = _lighthouse(f"{site.url}{path}", headers, program)
            is_good = is_good and all(scores[each] >= least for each, least in LEAST.items())
            click.echo(f"{name}: {scores} {', '.join(failures)}")
    return is_good


def _sources(browser: Browser, site: Site, demo: Demo) -> Iterator[tuple[str, str]]:
    """Yields the name of each page that needs no further steps, and its HTML."""
    places = [place for place in every_place(demo) if place.prepare is None]
    for who in {place.who for place in places}:
        state = signed_in(browser, site, who) if who else None
        context = browser.new_context(base_url=site.url, storage_state=state)
        for place in places:
            if place.who == who:
                yield place.name, context.request.get(place.path).text()
        context.close()


def _lighthouse(
    url: str, headers: Mapping[str, str], program: str
) -> tuple[dict[str, float], list[str]]:
    """Returns the scores of a page, and the titles of the audits that it failed."""
    path = next(filter(None, map(shutil.which, chromium.PROGRAMS)), program)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        _npx(
            LIGHTHOUSE,
            url,
            *("--quiet", "--output=json", f"--output-path={file}", "--preset=desktop"),
            f"--chrome-path={path}",
            f"--only-categories={','.join(LEAST)}",
            "--chrome-flags=--headless=new --no-sandbox --disable-gpu",
            f"--extra-headers={json.dumps(headers)}",
        )
        report = json.loads(file.read_text())
    scores = {name: float(report["categories"][name]["score"] or 0) for name in LEAST}
    weighed = {
        ref["id"]
        for category in report["categories"].values()
        for ref in category["auditRefs"]
        if ref["weight"]
    }
    failures = [
        audit["title"]
        for name, audit in report["audits"].items()
        if name in weighed and audit["score"] is not None and audit["score"] < 0.9
    ]
    return scores, failures


def _npx(tool: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    npx = shutil.which("npx")
    if npx is None:
        raise click.ClickException("needs Node 20 or newer, with npx")
    command = [npx, "--yes", "--package", tool, tool.partition("@")[0], *arguments]
    return subprocess.run(command, check=False)


if __name__ == "__main__":
    sys.exit(0 if {"html": check_html, "lighthouse": check_lighthouse}[sys.argv[1]]() else 1)
