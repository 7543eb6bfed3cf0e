"""Checks of any page: the clipboard, and what axe finds."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

COPIED = "Link copied. It works for one booking."
NOT_COPIED = "Press Ctrl+C to copy the link. It works for one booking."
CLIPBOARD = ["clipboard-read", "clipboard-write"]

AXE: str = Axe().axe_script
"""The script that `violations` needs on the page."""
# Nobody reads where in the document the elements without a fault are.
_BRIEF = {"resultTypes": ["violations"], "selectors": False}


def clipboard(page: Page) -> str:
    """Returns what was copied last. The page needs the permissions of `CLIPBOARD`."""
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def violations(page: Page, **options: Any) -> list[dict[str, Any]]:
    """Returns what axe finds on a page that has its script, by these options of axe."""
    found: list[dict[str, Any]] = page.evaluate(
        "async options => (await axe.run(options)).violations", _BRIEF | options
    )
    return found


def must_be_accessible(page: Page) -> None:
    """Fails if axe finds a fault, or if the page scrolls sideways."""
    page.evaluate(AXE)
    assert [found["id"] for found in violations(page)] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
