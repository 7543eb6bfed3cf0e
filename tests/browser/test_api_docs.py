"""The page of the API document shows it in the reader's colours, on wide and narrow screens."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect


@pytest.mark.parametrize(
    ("scheme", "width", "background"),
    [("light", 1280, "rgb(251, 250, 247)"), ("dark", 360, "rgb(25, 23, 21)")],
)
def test_the_api_document_opens_in_the_readers_colours(
    scheme: str, width: int, background: str, new_page: Callable[..., Page]
) -> None:
    page = new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto("/api/docs")
    expect(page.get_by_text("JSON in, JSON out")).to_be_visible()
    expect(page.locator("rapi-doc")).to_have_css("background-color", background)
    expect(page.get_by_role("link", name="Admit One")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_an_operation_of_the_api_document_opens_from_its_menu(page: Page) -> None:
    page.goto("/api/docs")
    page.locator("[data-content-id='post-/api/v1/calendars/-calendar_id-/links']").click()
    expect(page.get_by_text("The response holds its")).to_be_visible()
    expect(page.get_by_text("TRY", exact=True)).to_be_visible()
