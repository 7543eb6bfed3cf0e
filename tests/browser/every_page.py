"""A list of every page in every state that looks different."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from playwright.sync_api import Page, expect

from projections.views import link_list
from tests.browser.demo_data import ADMIN, AUDITOR, BEGINNER, EMAIL, OPERATOR, Demo

NOT_PAGES = {
    "account.moved",
    "static",
    "health.alive",
    "health.ready",
    "metrics",
    "booking_confirmation.ics",
    "bookings_pages.ics",
    "llms_text.show",
    "identity_provider.sign_in",
    "identity_provider.come_back",
    "identity_provider.confirm",
    "identity_provider.sign_out",
    "links_pages.export",
    "booking_confirmation.qr",
    "booking_page.start_over",
    "share_link.qr",
    "share_link.times",
    "share_batch.batch_csv",
    "checkpoint_pages.download",
    "checkpoint_pages.key",
    "checkpoint_pages.verifier",
}
"""Endpoints outside the API that answer programs, with files, or lead elsewhere."""


@dataclass(frozen=True)
class Place:
    """A page and its state. `who` is signed in there; None: nobody."""

    name: str
    path: str
    who: str | None = EMAIL
    status: int = 200
    prepare: Callable[[Page], None] | None = None
    """Brings the page into the state that is wanted, whatever its language."""


def every_place(demo: Demo) -> list[Place]:
    """Returns all pages in the order in which people visit them."""
    return [
        *_outside(),
        *_owner(demo),
        *_beginner(),
        *_auditor(demo),
        *_operator(),
        *_admin(demo),
        *_invitee(demo),
    ]


def go(page: Page, place: Place) -> None:
    """Opens the page, completely loaded and in its state."""
    response = page.goto(place.path)
    if response is None or response.status != place.status:
        raise AssertionError(f"{place.name}: {response and response.status}")
    if place.prepare is not None:
        place.prepare(page)
    page.wait_for_load_state("load")


def _outside() -> list[Place]:
    return [
        Place("sign-in", "/", None),
        Place("sign-in-wrong", "/", None, prepare=_wrong_password),
        Place("sign-in-link-used", "/sign-in/nonsense", None, 410),
        Place("help", "/help", None),
        Place("no-such-page", "/no-such-page", None, 404),
    ]


def _owner(demo: Demo) -> list[Place]:
    calendar = f"/settings/calendars/{demo.calendar}"
    first, last = demo.batch
    return [
        Place("home", "/"),
        Place("calendars", "/settings/calendars"),
        Place("calendars-menu", "/settings/calendars", prepare=_open_menu),
        Place("calendar-new", "/settings/calendars/new"),
        Place("calendar-edit", calendar),
        Place("calendar-archive", f"{calendar}/archive"),
        Place("schedules", "/settings/schedules"),
        Place("schedule-new", "/settings/schedules/new"),
        Place("schedule-edit", f"/settings/schedules/{demo.schedule}"),
        Place("schedule-delete", f"/settings/schedules/{demo.schedule}/delete"),
        Place("subscribe", "/settings/subscribe"),
        Place("subscribe-revoke", f"/settings/subscribe/{demo.feed}/revoke"),
        Place("other-calendars", "/settings/other-calendars"),
        Place("other-calendar-remove", f"/settings/other-calendars/{demo.busy_calendar}/remove"),
        Place("webhooks", "/settings/webhooks"),
        Place("webhook", f"/settings/webhooks/{demo.webhook}"),
        Place("webhook-delete", f"/settings/webhooks/{demo.webhook}/delete"),
        Place("share", f"{calendar}/share"),
        Place("share-preview", f"{calendar}/as-invitee?link={demo.active}"),
        Place("share-issued", f"{calendar}/share/{demo.active}"),
        Place("share-several", f"{calendar}/share/several"),
        Place("share-several-none", f"{calendar}/share/several", prepare=_continue_with_nobody),
        Place("share-several-shown", f"{calendar}/share/several", prepare=_paste_recipients),
        Place("share-several-issued", f"{calendar}/share/several/{first}/{last}"),
        Place("share-again", f"/links/{demo.used}/again"),
        Place("share-dialog", "/settings/calendars", prepare=_open_dialog),
        Place("share-dialog-copied", "/settings/calendars", prepare=_copy_in_dialog),
        Place("share-archived", f"/settings/calendars/{demo.archived}/share", status=409),
        Place("links", "/links"),
        Place("links-none-match", "/links?q=nothing-like-this"),
        Place("links-active", "/links?status=active"),
        Place("links-revoke-all", "/links/revoke?matching=yes"),
        Place("link-active", f"/links/{demo.active}"),
        Place("link-edit", f"/links/{demo.active}", prepare=_open_details),
        Place("link-replace", f"/links/{demo.active}/replace"),
        Place("links-revoke", f"/links/revoke?link={demo.active}&link={demo.batch[0]}"),
        Place("link-used", f"/links/{demo.used}"),
        Place("link-revoked", f"/links/{demo.revoked}"),
        Place("link-replaced", f"/links/{demo.replaced}"),
        Place("bookings", "/bookings"),
        Place("bookings-past", "/bookings?show=past"),
        Place("bookings-cancelled", "/bookings?show=cancelled"),
        Place("bookings-day", "/bookings?view=day"),
        Place("bookings-week", "/bookings?view=week"),
        Place("bookings-block", "/bookings?view=week", prepare=_draw_over_hours),
        Place("bookings-month", "/bookings?view=month"),
        Place("bookings-none-match", "/bookings?q=nothing-like-this"),
        Place("booking", f"/bookings/{demo.booking}"),
        Place("booking-forget", f"/bookings/{demo.booking}/forget"),
        Place("booking-move", f"/bookings/{demo.booking}/reschedule"),
        Place("booking-move-confirm", f"/bookings/{demo.booking}/reschedule", prepare=_pick_a_time),
        Place("booking-cancel", f"/bookings/{demo.booking}/cancel"),
        Place("booking-ask", f"/bookings/{demo.booking}/ask-to-reschedule"),
        Place("booking-location", f"/bookings/{demo.booking}/location"),
        Place("booking-asked", f"/bookings/{demo.elsewhere}"),
        Place("booking-cancelled", f"/bookings/{demo.cancelled}"),
        Place("booking-forgotten", f"/bookings/{demo.forgotten}"),
        Place("settings", "/settings"),
        Place("connections", "/settings/connections"),
        Place("notifications", "/settings/notifications"),
        Place("account", "/settings/account"),
        Place("access", "/settings/access"),
        Place("account-password", "/account/password"),
        Place("account-confirm", "/settings/account", prepare=_confirm_wrongly),
        Place("passkey-new", "/account/passkeys/new"),
        Place("passkey", f"/account/passkeys/{demo.passkey}"),
        Place("account-revoke-key", f"/account/keys/{demo.api_key}/revoke"),
        Place("no-such-booking", f"/bookings/{demo.calendar}", status=404),
        Place("operations-not-yours", "/operations", status=403),
        Place("audit-not-yours", "/audit", status=403),
    ]


def _beginner() -> list[Place]:
    return [
        Place("empty-home", "/", BEGINNER),
        Place("empty-calendars", "/settings/calendars", BEGINNER),
        Place("empty-subscribe", "/settings/subscribe", BEGINNER),
        Place("empty-other-calendars", "/settings/other-calendars", BEGINNER),
        Place("empty-links", "/links", BEGINNER),
        Place("empty-bookings", "/bookings", BEGINNER),
        Place("empty-bookings-past", "/bookings?show=past", BEGINNER),
        Place("empty-bookings-week", "/bookings?view=week", BEGINNER),
        Place("empty-bookings-month", "/bookings?view=month", BEGINNER),
        Place("empty-account", "/settings/account", BEGINNER),
    ]


def _operator() -> list[Place]:
    rebuild = f"/operations/{link_list.NAME}/rebuild"
    return [
        Place("operations", "/operations", OPERATOR),
        Place("operations-rebuild", rebuild, OPERATOR),
    ]


def _admin(demo: Demo) -> list[Place]:
    return [
        Place("accounts", "/accounts", ADMIN),
        Place("account-of-somebody", f"/accounts/{demo.auditor}", ADMIN),
    ]


def _auditor(demo: Demo) -> list[Place]:
    used, forgotten = f"/audit/history/{demo.used}", f"/audit/history/{demo.forgotten}"
    agenda, day = f"/audit/agendas/{demo.owner}", demo.day_of_cancelled
    return [
        Place("audit", "/audit", AUDITOR),
        Place("audit-none-match", "/audit?actor=nobody", AUDITOR),
        Place("audit-wrong-filter", "/audit?since=yesterday", AUDITOR, 422),
        Place("audit-found", "/audit?q=grace.hopper@navy.example", AUDITOR),
        Place("audit-not-found", "/audit?q=nobody@example.org", AUDITOR),
        Place("audit-story", used, AUDITOR),
        Place("audit-story-then", f"{used}?position=100000", AUDITOR),
        Place("audit-story-before", f"{used}?position=0", AUDITOR),
        Place("audit-story-compared", f"{used}?from=0", AUDITOR),
        Place("audit-story-wrong", f"{used}?at=then&to=x", AUDITOR, 422),
        Place("audit-story-forgotten", forgotten, AUDITOR),
        Place("audit-calendar", f"/audit/history/{demo.calendar}", AUDITOR),
        Place("audit-agenda", f"{agenda}?from={day}&to={day}", AUDITOR),
        Place("audit-agenda-wrong", f"{agenda}?from=x", AUDITOR, 422),
        Place("audit-no-story", f"/audit/history/{UUID(int=0)}", AUDITOR, 404),
        Place("audit-accesses", "/audit/accesses", AUDITOR),
        Place("audit-accesses-none", "/audit/accesses?before=0", AUDITOR),
        Place("audit-security", "/audit/security", AUDITOR),
        Place("audit-security-none", "/audit/security?before=0", AUDITOR),
        Place("audit-security-wrong", "/audit/security?account=nobody", AUDITOR, 422),
        Place("audit-proof", "/audit/single-use?from=2026-01-01", AUDITOR),
        Place("audit-proof-wrong", "/audit/single-use?from=x", AUDITOR, 422),
        Place("audit-found-day", "/audit?q=2026-11-24", AUDITOR),
        Place("audit-checkpoint", "/audit/checkpoint", AUDITOR),
    ]


def _invitee(demo: Demo) -> list[Place]:
    tokens = demo.tokens
    return [
        Place("invitee-choose", f"/b/{tokens['active']}", None),
        Place("invitee-form", f"/b/{tokens['active']}", None, prepare=_choose_a_time),
        Place(
            "invitee-form-elsewhere",
            f"/b/{tokens['active']}?tz=Asia/Tokyo",
            None,
            prepare=_choose_a_time,
        ),
        Place("invitee-form-days", f"/b/{tokens['active']}", None, prepare=_see_other_days),
        Place("invitee-used", f"/b/{tokens['used']}", None, 410),
        Place("invitee-expired", f"/b/{tokens['expired']}", None, 410),
        Place("invitee-revoked", f"/b/{tokens['revoked']}", None, 410),
        Place("invitee-ask", f"/b/{tokens['revoked']}", None, 410, prepare=_open_ask),
        Place("invitee-unknown", "/b/nonsense", None, 404),
        Place("invitee-booked", f"/m/{tokens['managing']}", None),
        Place("invitee-asked", f"/m/{tokens['managing-elsewhere']}", None),
        Place("invitee-booked-elsewhere", f"/m/{tokens['managing-elsewhere']}?show=booking", None),
        Place("invitee-move", f"/m/{tokens['managing']}/reschedule", None),
        Place(
            "invitee-move-confirm",
            f"/m/{tokens['managing']}/reschedule",
            None,
            prepare=_pick_a_time,
        ),
        Place("invitee-cancel", f"/m/{tokens['managing']}/cancel", None),
        Place("invitee-forget", f"/m/{tokens['managing']}/forget", None),
        Place("invitee-booked-cancelled", f"/m/{tokens['managing-cancelled']}", None),
        Place("invitee-booked-forgotten", f"/m/{tokens['managing-forgotten']}", None),
    ]


def _wrong_password(page: Page) -> None:
    page.locator("[name=email]").fill("olivia@example.org")
    page.locator("[name=password]").fill("not the password")
    with page.expect_navigation():
        page.locator("main form button").first.click()
    expect(page.locator("main [aria-invalid=true]").first).to_be_visible()


def _confirm_wrongly(page: Page) -> None:
    """Sends a form to the page that asks who is there, as it does itself."""
    with page.expect_navigation():
        page.evaluate(
            """() => {
                const form = document.querySelector("form[action$='/account']");
                form.action += "/confirm";
                form.submit();
            }"""
        )
    expect(page.locator("[aria-invalid=true]")).to_be_visible()


def _draw_over_hours(page: Page) -> None:
    column = page.locator("[data-day]").first.bounding_box()
    if column is None:
        raise AssertionError("no hours")
    middle = column["x"] + column["width"] / 2
    page.mouse.move(middle, column["y"] + column["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(middle, column["y"] + column["height"] * 0.6)
    page.mouse.up()
    if page.locator(".drawn").count():  # not where the hours are a list
        expect(page.locator("button:focus")).to_be_visible()


def _open_details(page: Page) -> None:
    page.locator("summary").first.click()


def _open_menu(page: Page) -> None:
    page.locator("button.dots").first.click()


def _open_dialog(page: Page) -> None:
    page.locator("[aria-label*='Intro call'][hx-get*='/share']").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def _copy_in_dialog(page: Page) -> None:
    _open_dialog(page)
    page.locator("dialog [type=submit], dialog [data-copy]").first.click()
    expect(page.locator("#copy-note")).not_to_be_empty()


def _pick_a_time(page: Page) -> None:
    with page.expect_navigation():
        page.locator(".times a").first.click()
    expect(page.locator("form:has([name=start]) [type=submit]")).to_be_visible()


def _choose_a_time(page: Page) -> None:
    with page.expect_navigation():
        page.locator(".times a").first.click()
    expect(page.locator("[data-submit]")).to_be_visible()


def _open_ask(page: Page) -> None:
    page.locator("details.ask summary").click()
    expect(page.locator("[name=name]")).to_be_visible()


def _see_other_days(page: Page) -> None:
    _choose_a_time(page)
    page.locator("[name=name]").fill("Ada Lovelace")
    page.locator(".times-of-day button.plain").click()
    expect(page.locator("#page-of-days")).to_be_visible()
    expect(page.locator("[name=name]")).to_have_value("Ada Lovelace")


def _continue_with_nobody(page: Page) -> None:
    page.locator("#understood [type=submit]").click()
    expect(page.locator("[aria-invalid=true]")).to_be_visible()


def _paste_recipients(page: Page) -> None:
    page.locator("#recipients").fill(
        "Name;E-Mail\nAda King;ada@example.org\nGrace Hopper;grace@example.org\n"
        "ada king;ADA@example.org"
    )
    expect(page.locator("#understood tbody tr")).to_have_count(2)
