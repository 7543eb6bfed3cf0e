"""Every page is accessible: contrast, keyboard, focus, screen readers, narrow screens."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, ViewportSize, expect
from werkzeug.routing import Rule

from interface.bootstrap import build
from interface.settings import Settings
from tests.browser.demo_data import ADMIN, AUDITOR, BEGINNER, EMAIL, OPERATOR, Demo, fill
from tests.browser.every_page import NOT_PAGES, every_place, go
from tests.browser.page_checks import AXE, violations
from tests.browser.site import Site
from tests.support.waiting import wait_until

# The size of targets is checked only where it is asked for. It and scrolling are all that can come
# out differently at another width, apart from colours.
_ALL_BUT_COLOURS = {
    "rules": {"target-size": {"enabled": True}, "color-contrast": {"enabled": False}}
}
_AT_WIDTH = {"runOnly": ["target-size", "scrollable-region-focusable"]}
_COLOURS = {"runOnly": ["color-contrast"]}
_WIDE: ViewportSize = {"width": 1280, "height": 800}
_NARROW: ViewportSize = {"width": 320, "height": 740}
_ENLARGED: ViewportSize = {"width": 640, "height": 400}  # wide, with everything twice as large


@pytest.fixture(scope="module")
def demo(site: Site) -> Iterator[Demo]:
    """A lively owner at the site, and one who has nothing yet."""
    service = site.service
    settings = Settings.from_environment(service.environment)
    services = build(settings, service.environment["ADMITONE_DATABASE_URL"])
    try:
        yield fill(services)
    finally:
        services.close()


@pytest.fixture(scope="module")
def judged_colours() -> set[str]:
    """The combinations of colours in which axe found no fault on the pages before."""
    return set()


def test_every_page_is_on_the_list(app: Flask, demo: Demo) -> None:
    pages = {
        rule.endpoint for rule in app.url_map.iter_rules() if "GET" in _methods(rule)
    } - _not_pages(app)
    urls = app.url_map.bind("localhost")
    visited = {
        urls.match(place.path.partition("?")[0])[0]
        for place in every_place(demo)
        if place.name != "no-such-page"
    }
    assert visited == pages


@pytest.mark.parametrize(
    "who",
    [None, EMAIL, BEGINNER, AUDITOR, OPERATOR, ADMIN],
    ids=["nobody", "owner", "beginner", "auditor", "operator", "admin"],
)
def test_axe_finds_no_fault_on_any_page(
    who: str | None,
    demo: Demo,
    site: Site,
    new_page: Callable[..., Page],
    judged_colours: set[str],
) -> None:
    page = new_page()
    if who is not None:
        site.sign_in(page, who)
    page.add_init_script(AXE)
    faults = []
    for place in every_place(demo):
        if place.who == who:
            page.set_viewport_size(_WIDE)
            go(page, place)
            faults += [f"{place.name}: {fault}" for fault in _faults_of(page, judged_colours)]
    assert not faults, "\n".join(faults)


def test_the_current_tab_and_kinds_of_hours_differ_in_forced_colours(
    demo: Demo, site: Site, new_page: Callable[..., Page]
) -> None:
    page = new_page(forced_colors="active")
    site.sign_in(page, EMAIL)
    page.goto("/links?status=active")
    tabs = page.locator(".tabs a")
    colours = {
        tab.get_attribute("aria-current"): tab.evaluate("tab => getComputedStyle(tab).background")
        for tab in tabs.all()
    }
    assert colours["page"] != colours[None]
    page.goto("/bookings?view=week")
    hours = page.locator(".hours")
    parts = [hours.locator(f".{name}").first for name in ("open", "buffer")]
    drawn = {part.evaluate("part => getComputedStyle(part).background") for part in parts}
    assert len(drawn) == 2


def test_tables_fit_on_tablets(demo: Demo, site: Site, new_page: Callable[..., Page]) -> None:
    page = new_page(locale="de-DE")  # in which headings are longest
    site.sign_in(page, EMAIL)
    for path in ("/links", "/bookings", "/settings/access"):
        page.goto(path)
        for width in (800, 1024, 1140):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)


def test_focus_shows_at_every_stop_inside_a_date_field(demo: Demo, site: Site, page: Page) -> None:
    """The last stop is the button that opens the browser's calendar."""
    site.sign_in(page, EMAIL)
    page.goto(f"/settings/calendars/{demo.calendar}/share")
    field = page.locator("[name=expires_on]")
    field.focus()
    stops = 0
    while field.evaluate("field => field === document.activeElement"):
        expect(field).to_have_css("outline-style", "solid")
        page.keyboard.press("Tab")
        stops += 1
    assert stops == 4  # day, month, year and calendar


def test_the_skip_link_is_first_and_leads_past_the_menu(demo: Demo, site: Site, page: Page) -> None:
    site.sign_in(page, EMAIL)
    page.goto("/links")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_the_focus_is_always_visible(demo: Demo, site: Site, page: Page) -> None:
    site.sign_in(page, EMAIL)
    for path in ("/settings/calendars", "/bookings?view=week", f"/links/{demo.active}"):
        page.goto(path)
        seen = []
        for _ in range(60):
            page.keyboard.press("Tab")
            name, is_shown = page.evaluate(_FOCUS)
            if name == "BODY":
                break
            seen.append((name, is_shown))
        assert len(seen) > 5
        assert [name for name, is_shown in seen if not is_shown] == []


def test_the_menu_of_a_calendar_opens_and_closes_by_keyboard(
    demo: Demo, site: Site, page: Page
) -> None:
    site.sign_in(page, EMAIL)
    page.goto("/settings/calendars")
    button = page.locator("button.dots").first
    menu = page.locator("[popover].actions").first
    button.focus()
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    expect(menu.get_by_role("link", name="Share")).to_be_focused()
    for key, entry in (
        *(("ArrowDown", "Edit"), ("End", "Archive"), ("ArrowDown", "Share")),
        *(("ArrowUp", "Archive"), ("Home", "Share")),
    ):
        page.keyboard.press(key)
        expect(menu.get_by_role("link", name=entry)).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()


def test_after_a_dialog_the_focus_is_where_it_was_opened(
    demo: Demo, site: Site, page: Page
) -> None:
    site.sign_in(page, EMAIL)
    page.goto("/settings/calendars")
    button = page.locator("button.dots").first
    dialog = page.get_by_role("dialog")
    leavings: tuple[Callable[[], None], ...] = (
        lambda: page.keyboard.press("Escape"),
        lambda: page.mouse.click(5, 5),
    )
    for leave in leavings:
        button.click()
        page.locator("[popover].actions").first.get_by_role("link", name="Share").click()
        expect(dialog).to_be_visible()
        leave()
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()


def test_what_a_form_did_is_announced(demo: Demo, site: Site, page: Page) -> None:
    site.sign_in(page, EMAIL)
    page.goto("/settings/account?notice=account-changed")
    expect(page.locator("#announcements")).to_have_text("Changes saved.")
    page.reload()
    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    expect(page.get_by_text("Changes saved.")).to_have_count(0)


@pytest.mark.parametrize("view", ["upcoming", "week"])
def test_the_search_of_bookings_keeps_its_distance(
    demo: Demo, site: Site, page: Page, view: str
) -> None:
    site.sign_in(page, EMAIL)
    page.goto(f"/bookings?view={view}")
    gap = page.evaluate(
        """() => {
            const search = document.querySelector("search");
            const next = search.nextElementSibling;
            return next.getBoundingClientRect().top - search.getBoundingClientRect().bottom;
        }"""
    )
    assert gap >= 8


def test_a_link_is_shared_with_the_keyboard_alone(demo: Demo, site: Site, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    site.sign_in(page, EMAIL)
    page.goto("/")
    _tab_to(page, "Settings")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    _tab_to(page, "Calendars")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Calendars")
    _tab_to(page, "Actions for Intro call")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Share").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Single-Use Link")).to_be_visible()
    _tab_to(page, "Create and copy link")
    page.keyboard.press("Enter")
    expect(page.locator("#copy-note")).to_have_text("Link copied. It works for one booking.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"{site.url}/b/")


_COMBINATIONS = """() => {
    const nothing = "rgba(0, 0, 0, 0) none";
    const behind = element => {
        const { backgroundColor, backgroundImage } = getComputedStyle(element);
        const own = `${backgroundColor} ${backgroundImage}`;
        return own === nothing && element.parentElement ? behind(element.parentElement) : own;
    };
    const opacity = element => element === null
        ? 1 : getComputedStyle(element).opacity * opacity(element.parentElement);
    const visible = [...document.body.querySelectorAll("*")].filter(each => each.checkVisibility());
    return visible.map(element => {
        const style = getComputedStyle(element);
        const size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.6 && style.fontWeight >= 700);
        return [style.color, behind(element), opacity(element), isLarge].join();
    });
}"""
# A menu or a dialog may cover what lies below it.
_TEXT_ON_TEXT = """() => {
    const layer = element => element === null || ["absolute", "fixed", "sticky"].includes(
        getComputedStyle(element).position) ? element : layer(element.parentElement);
    const shared = (a, b, from, to) => Math.min(a[to], b[to]) - Math.max(a[from], b[from]);
    const cut = ({ left, right, top, bottom }, element) => {  // what overflows may be hidden
        if (element === null) return { left, right, top, bottom };
        const edge = getComputedStyle(element).overflow === "visible"
            ? { left, right, top, bottom } : element.getBoundingClientRect();
        return cut({
            left: Math.max(left, edge.left), right: Math.min(right, edge.right),
            top: Math.max(top, edge.top), bottom: Math.min(bottom, edge.bottom),
        }, element.parentElement);
    };
    const texts = [];
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
        const text = nodes.currentNode, element = text.parentElement;
        if (!text.data.trim() || !element.checkVisibility()) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        for (const line of range.getClientRects()) {
            const box = cut(line, element);
            if (box.top < box.bottom) texts.push({ text, box, layer: layer(element) });
        }
    }
    return texts.flatMap((one, place) => texts.slice(place + 1).filter(other =>
        one.text !== other.text && one.layer === other.layer
        && shared(one.box, other.box, "left", "right") > 2
        && shared(one.box, other.box, "top", "bottom") > (one.box.bottom - one.box.top) / 3
    ).map(other => one.text.data.trim() + " / " + other.text.data.trim()));
}"""
_FOCUS = """() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    const name = element.tagName + " " + element.textContent.trim().slice(0, 30);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return [element === document.body ? "BODY" : name, outlined || style.boxShadow !== "none"];
}"""


def _faults_of(page: Page, judged: set[str]) -> list[str]:
    """Returns the faults of a page: wide and narrow, light and dark, and at 200 %.

    Each combination of colours is judged once: those in which axe finds no fault join `judged`.
    """
    found = _faults_by_axe(page, "light", _ALL_BUT_COLOURS) + _texts_on_texts(page)
    found += _faults_of_colours(page, "light", judged)
    page.emulate_media(color_scheme="dark")
    found += _faults_of_colours(page, "dark", judged)
    page.set_viewport_size(_NARROW)
    if _scrolls_sideways(page):
        found.append("scrolls sideways at 320 px")
    found += _texts_on_texts(page)
    found += _faults_by_axe(page, "narrow", _AT_WIDTH)
    found += _faults_of_colours(page, "dark, narrow", judged)
    page.emulate_media(color_scheme="light")
    found += _faults_of_colours(page, "light, narrow", judged)
    page.set_viewport_size(_ENLARGED)
    if _scrolls_sideways(page):
        found.append("scrolls sideways at 200 %")
    language = page.locator("html").get_attribute("lang")
    if language != "en":
        found.append(f"has the language {language}")
    return found


def _faults_of_colours(page: Page, looks: str, judged: set[str]) -> list[str]:
    """Returns the faults of contrast, if the page has a combination that is not yet judged."""
    combinations = set(page.evaluate(_COMBINATIONS))
    if combinations <= judged:
        return []
    found = _faults_by_axe(page, looks, _COLOURS)
    if not found:
        judged |= combinations
    return found


def _faults_by_axe(page: Page, looks: str, options: dict[str, Any]) -> list[str]:
    return [
        f"{looks}: {violation['id']} at {node['html'][:160]}: {node['failureSummary']}"
        for violation in violations(page, **options)
        for node in violation["nodes"]
    ]


def _texts_on_texts(page: Page) -> list[str]:
    return [f"text lies on text: {both}" for both in page.evaluate(_TEXT_ON_TEXT)]


def _scrolls_sideways(page: Page) -> bool:
    """Returns True if the page is wider than the window, and stays so: an open menu moves later."""
    fits = "document.scrollingElement.scrollWidth <= innerWidth"
    try:
        wait_until(lambda: page.evaluate(fits), every=0.1)
    except AssertionError:
        return True
    return False


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until what is so named has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        named = page.evaluate(
            "[document.activeElement.getAttribute('aria-label'),"
            " document.activeElement.textContent.trim()]"
        )
        if name in named:
            return
    raise AssertionError(f"Tab never comes to {name}")


def _methods(rule: Rule) -> set[str]:
    return rule.methods or set()


def _not_pages(app: Flask) -> set[str]:
    """Endpoints that answer programs, or with files."""
    programs = {rule.endpoint for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")}
    return programs | NOT_PAGES
