"""Checks of any page: the clipboard, and what axe finds."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

COPIED = "Link copied. It works for one booking."
NOT_COPIED = "Press Ctrl+C to copy the link. It works for one booking."
CLIPBOARD = ["clipboard-read", "clipboard-write"]


def clipboard(page: Page) -> str:
    """Returns what was copied last. The page needs the permissions of `CLIPBOARD`."""
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def must_be_accessible(page: Page) -> None:
    """Fails if axe finds a fault, or if the page scrolls sideways."""
    assert [found["id"] for found in Axe().run(page).response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
