"""The life of a booking in two real browsers, as its invitee and its owner read it."""

import re
from collections import Counter
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.mails import kind_of, mails_in, recipient_of
from tests.browser.site import Site
from tests.browser.test_booking import at_form, confirm, expect_booked
from tests.support.waiting import wait_until

INVITEE, OWNER = "ada@example.org", "walter@example.org"


def choose_a_time(page: Page, place: int) -> str:
    """Moves to the time in that place of the last day shown, and returns its clock time."""
    day = page.get_by_role("link", name=re.compile("available times?$")).last
    day.click()
    expect(day).to_have_attribute("aria-current", "date")
    time = page.locator(".times a").nth(place)
    clock = time.inner_text().splitlines()[0]  # the next line is the host's time
    time.click()
    page.get_by_role("button", name="Move booking").click()
    return clock


def expect_at(page: Page, clock: str) -> None:
    expect(page.get_by_role("article").first).to_contain_text(f"{clock}–")


def kinds_of_mails(site: Site, booking_id: str) -> Counter[tuple[str, str]]:
    """How many mails of each kind there are about the booking, by recipient."""
    mails = mails_in(site, booking_id)
    return Counter((recipient_of(mail), kind_of(mail)) for mail in mails)


def test_a_booking_is_made_moved_by_both_picked_anew_and_cancelled(
    new_page: Callable[..., Page], site: Site
) -> None:
    owner = site.new_person(OWNER, "Walter Walker")
    link = owner.new_link(owner.new_calendar(name="Intro call", location="Room 1"))
    ada, walter = new_page(timezone_id="UTC"), new_page()
    owner.sign_in(walter, OWNER)

    at_form(ada, link, owner.slots(link)[40])
    confirm(ada)
    expect_booked(ada)
    (booking,) = owner.get("/bookings").json["items"]
    walter.goto(f"/bookings/{booking['id']}")
    expect(walter.get_by_role("heading", level=1)).to_have_text("Ada Lovelace")

    ada.get_by_role("button", name="Choose another time").click()
    clock = choose_a_time(ada, 2)
    expect(ada.get_by_role("status").first).to_have_text("Booking moved.")
    expect_at(ada, clock)
    expect(ada.get_by_text("You can move this booking 2 more times")).to_be_visible()

    walter.get_by_role("button", name="Move", exact=True).click()
    clock = choose_a_time(walter, 4)
    expect(walter.get_by_role("status").first).to_have_text("Booking moved.")
    ada.reload()
    expect_at(walter, clock)
    expect_at(ada, clock)
    expect(ada.get_by_text("You can move this booking 2 more times")).to_be_visible()

    walter.get_by_role("button", name="Ask for another time").click()
    walter.get_by_label("Message").fill("My train is late.")
    walter.get_by_role("button", name="Ask for another time").click()
    expect(walter.get_by_text("My train is late.")).to_be_visible()
    ada.reload()
    expect(ada.get_by_text("Walter Walker asks you to choose another time.")).to_be_visible()
    expect(ada.get_by_text("My train is late.")).to_be_visible()
    clock = choose_a_time(ada, 6)
    expect(ada.get_by_role("heading", level=1)).to_have_text("You're booked")
    expect_at(ada, clock)
    walter.reload()
    expect_at(walter, clock)
    expect(walter.get_by_text("My train is late.")).to_have_count(0)

    ada.get_by_role("button", name="Cancel booking").click()
    ada.get_by_label("Reason").fill("I found the answer.")
    ada.get_by_role("button", name="Cancel booking").click()
    expect(ada.get_by_role("heading", level=1)).to_have_text("This booking was cancelled")
    expect(ada.get_by_text("To book another time, ask Walter Walker")).to_be_visible()
    walter.reload()
    expect(walter.locator(".badge-cancelled")).to_have_text("Cancelled")
    somebody = new_page()
    somebody.goto(f"/b/{link['token']}")
    expect(somebody.get_by_role("heading", level=1)).to_have_text(
        "This link has already been used."
    )
    expect(somebody.get_by_text("Ask Walter Walker for a new one.")).to_be_visible()

    told = {
        (INVITEE, "Confirmed"): 1,
        (OWNER, "New booking"): 1,
        (INVITEE, "New time"): 3,
        (OWNER, "New time"): 3,
        (INVITEE, "Please pick another time"): 1,
        (INVITEE, "Cancelled"): 1,
        (OWNER, "Cancelled"): 1,
    }
    wait_until(lambda: kinds_of_mails(site, booking["id"]) == told)
