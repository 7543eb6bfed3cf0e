"""The five steps of the guide in a real browser, from Settings to a link in the clipboard."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.page_checks import CLIPBOARD, COPIED, NOT_COPIED, clipboard
from tests.browser.site import Site


@pytest.fixture
def owner_page(new_page: Callable[..., Page], site: Site) -> Callable[..., Page]:
    """Opens the calendars of the owner."""

    def open_page(**options: object) -> Page:
        page = new_page(**options)
        site.sign_in(page)
        page.goto("/settings/calendars")
        return page

    return open_page


def share(page: Page, name: str) -> None:
    """Press ⋮ and then Share, as the guide says."""
    page.get_by_role("button", name=f"Actions for {name}").click()
    page.get_by_role("link", name="Share", exact=True).click()


def issued(site: Site, calendar_id: str) -> list[str]:
    """The addresses of the calendar's active links."""
    items = site.get(f"/links?calendar_id={calendar_id}&status=active").json["items"]
    return [item["url"] for item in items]


def test_the_five_steps_of_the_guide_end_with_the_link_in_the_clipboard(
    new_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar(name="Guided tour")
    page = new_page(permissions=CLIPBOARD, reduced_motion="no-preference")
    site.sign_in(page)
    page.goto("/")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Calendars").click()
    share(page, "Guided tour")
    dialog = page.get_by_role("dialog", name="Share Guided tour")
    expect(dialog.get_by_role("heading", name="Single-Use Link")).to_be_visible()
    dialog.get_by_label("Recipient").fill("Ada")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("status")).to_have_text(COPIED)
    assert [clipboard(page)] == issued(site, calendar_id)
    expect(dialog.get_by_label("Link for Ada")).to_have_value(clipboard(page))
    expect(dialog.get_by_role("link", name="Preview as invitee")).to_have_count(1)


def test_the_dialog_is_left_by_key_and_by_button(owner_page: Callable[..., Page]) -> None:
    page = owner_page()
    opener = page.get_by_role("button", name=re.compile("^Share ")).first
    leavings: tuple[Callable[[], None], ...] = (
        lambda: page.keyboard.press("Escape"),
        lambda: page.get_by_role("button", name="Close").click(),
    )
    for leave in leavings:
        opener.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        expect(page.get_by_label("Recipient")).to_be_focused()
        leave()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(opener).to_be_focused()


def test_without_a_clipboard_the_link_is_selected_and_the_key_is_named(
    owner_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar(name="No clipboard")
    page = owner_page()
    page.context.add_init_script(
        "navigator.clipboard.writeText = () => Promise.reject(new DOMException('no'))"
    )
    page.reload()
    share(page, "No clipboard")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("status")).to_have_text(NOT_COPIED)
    expect(dialog.get_by_label("Your link")).to_be_focused()
    assert [page.evaluate("getSelection().toString()")] == issued(site, calendar_id)


def test_a_double_click_issues_one_link_and_a_button_issues_another(
    owner_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar(name="Double click")
    page = owner_page(permissions=CLIPBOARD)
    share(page, "Double click")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Copy").dblclick()
    expect(dialog.get_by_role("status")).to_have_text(COPIED)
    (first,) = issued(site, calendar_id)
    page.evaluate("navigator.clipboard.writeText('something else')")
    dialog.get_by_role("button", name="Copy again").click()
    expect(dialog.get_by_role("button", name="Copy again")).to_be_focused()
    assert clipboard(page) == first
    assert issued(site, calendar_id) == [first]

    dialog.get_by_role("button", name="New link").click()
    expect(dialog.get_by_role("status")).to_be_empty()
    dialog.get_by_role("button", name="Create and copy link").click()
    expect(dialog.get_by_role("status")).to_have_text(COPIED)
    assert issued(site, calendar_id) == [clipboard(page), first]


def test_errors_are_shown_inside_the_dialog(owner_page: Callable[..., Page], site: Site) -> None:
    calendar_id = site.new_calendar(name="Wrong days")
    page = owner_page(permissions=CLIPBOARD)
    share(page, "Wrong days")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Recipient").fill("Ada")
    dialog.get_by_label("Valid for (days)").fill("400")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_text("Enter a number from 1 to 365.")).to_be_visible()
    expect(dialog.get_by_label("Valid for (days)")).to_be_focused()
    expect(dialog.get_by_label("Recipient")).to_have_value("Ada")
    dialog.get_by_label("Valid for (days)").fill("7")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("status")).to_have_text(COPIED)
    assert len(issued(site, calendar_id)) == 1


def test_a_form_that_cannot_be_sent_says_so_and_can_be_sent_again(
    owner_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar(name="Offline")
    page = owner_page(permissions=CLIPBOARD)
    share(page, "Offline")
    dialog = page.get_by_role("dialog")

    def answer_nothing(route: Route) -> None:
        if route.request.method == "POST":
            route.fulfill(status=403, body="")
        else:
            route.continue_()

    page.route("**/share", answer_nothing)
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("alert")).to_have_text(
        "That didn't work. Check your connection and try again."
    )
    page.unroute("**/share")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("status")).to_have_text(COPIED)
    assert len(issued(site, calendar_id)) == 1


def test_only_some_times_are_picked_in_the_dialog_with_what_was_typed_kept(
    owner_page: Callable[..., Page], site: Site
) -> None:
    site.new_calendar(name="Some times")
    page = owner_page()
    share(page, "Some times")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Recipient").fill("Ada")
    dialog.get_by_text("Limit the times, and more options").click()
    dialog.get_by_role("checkbox").first.check()
    expect(dialog.get_by_label("Recipient")).to_have_value("Ada")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_label("As a message")).to_have_value(re.compile("^Hi Ada,"))


def test_without_javascript_the_same_steps_lead_to_the_link(
    owner_page: Callable[..., Page], site: Site
) -> None:
    calendar_id = site.new_calendar(name="No script")
    page = owner_page(java_script_enabled=False)
    share(page, "No script")
    expect(page.get_by_role("heading", level=1)).to_have_text("Share No script")
    page.get_by_label("Recipient").fill("Ada")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("noscript")).to_be_visible()
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    (url,) = issued(site, calendar_id)
    expect(page.get_by_label("Link for Ada")).to_have_value(url)
    page.reload()
    assert issued(site, calendar_id) == [url]


def test_several_links_are_issued_and_downloaded(
    owner_page: Callable[..., Page], site: Site, tmp_path: Path
) -> None:
    calendar_id = site.new_calendar(name="Several")
    page = owner_page(permissions=CLIPBOARD)
    share(page, "Several")
    page.get_by_role("link", name="Create several links at once").click()
    page.get_by_label("Recipients").fill("Ada\nGrace <grace@example.org>\n\nAlan\nada\n")
    expect(page.get_by_text("3 links; skipped: 1 repeated recipient.")).to_be_visible()
    page.get_by_role("button", name="Create 3 links").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 new links")
    page.get_by_role("button", name="Copy the link for Grace").click()
    expect(page.locator("#announcements")).to_have_text(COPIED)
    urls = issued(site, calendar_id)[::-1]
    assert clipboard(page) == urls[1]
    page.get_by_role("button", name="Copy all").click()
    expect(page.get_by_text("Links copied. Each works for one booking.").first).to_be_visible()
    assert clipboard(page) == "".join(
        f"{name}: {url}\n" for name, url in zip(("Ada", "Grace", "Alan"), urls, strict=True)
    )
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    download.value.save_as(tmp_path / "links.csv")
    text = (tmp_path / "links.csv").read_text(encoding="utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text)))
    assert [(row["recipient"], row["email"], row["url"]) for row in found] == list(
        zip(("Ada", "Grace", "Alan"), ("", "grace@example.org", ""), urls, strict=True)
    )
