"""An invitee moves and cancels their booking, and has their details erased, without scripts."""

import re
from collections import Counter
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from application.eventstore.loading import Loaded, Wanted
from domain.booking import Booking
from domain.calendar import Calendar
from domain.link import SingleUseLink
from interface.bootstrap import Services
from projections.engine import positions
from tests.support.clock import Clock
from tests.support.examples import A_DAY, NINE, TEN, TOMORROW_AT_NINE
from tests.support.invitee_browser import InviteeBrowser, manage_token, text_of
from tests.support.stored_rows import recorded

NOON = f"{A_DAY}T12:00:00Z"
TERMS: dict[str, Any] = {
    "location": "Room 1",
    "cancel_notice_minutes": 120,
    "reschedule_notice_minutes": 60,
    "reschedule_limit": 2,
    "contact": "Call 555-0100.",
}


class Managing:
    """An invitee on the pages of their booking."""

    def __init__(self, invitee: InviteeBrowser) -> None:
        self.invitee, self.owner, self.browser = invitee, invitee.owner, invitee.browser
        self.path = f"/m/{manage_token(invitee.post(invitee.form()))}"
        (self.booking,) = invitee.bookings()

    def get(self, rest: str = "", **headers: str) -> Any:
        self.owner.catch_up()
        return self.browser.get(f"{self.path}{rest}", headers=headers)

    def post(self, rest: str, **form: str) -> Any:
        self.owner.catch_up()
        return self.browser.post(f"{self.path}{rest}", data=form)

    def words(self, rest: str = "", language: str = "en") -> str:
        answer = self.get(rest, **{"Accept-Language": language})
        assert answer.status_code == 200
        return text_of(answer)

    def links(self, rest: str = "") -> list[str]:
        return [unescape(link) for link in re.findall(r'href="([^"]+)"', self.get(rest).text)]

    def state(self) -> dict[str, Any]:
        """Returns the booking as its owner sees it."""
        found: dict[str, Any] = self.owner.get(f"/bookings/{self.booking['id']}").json
        return found


@pytest.fixture
def managing(
    new_invitee_browser: Callable[..., InviteeBrowser], monkeypatch: pytest.MonkeyPatch
) -> Managing:
    """An invitee with a booking of tomorrow at nine, and strict terms."""
    invitee = new_invitee_browser(**TERMS)
    monkeypatch.setattr(positions, "wait_for", lambda *_: invitee.owner.catch_up())
    return Managing(invitee)


def test_what_can_be_changed_is_said_with_its_end(managing: Managing) -> None:
    seen = managing.words()
    assert "You can move this booking 2 more times, until Nov 24, 2026, 8:00" in seen
    assert "You can cancel until Nov 24, 2026, 7:00" in seen
    assert "555" not in seen
    german = managing.words(language="de")
    assert "Sie können diese Buchung noch 2 Mal verschieben, bis 24.11.2026, 08:00" in german


def test_a_booking_is_moved_by_choosing_day_and_time_and_confirming(managing: Managing) -> None:
    managing.owner.book(managing.owner.new_link(managing.booking["calendar_id"]), TEN)
    times = managing.links(f"/reschedule?tz=UTC&day={A_DAY}")
    assert f"{managing.path}/reschedule?tz=UTC&start={NOON}#details" in times
    assert f"{managing.path}/reschedule?tz=UTC&start={NINE}#details" in times
    assert f"{managing.path}/reschedule?tz=UTC&start={TEN}#details" not in times
    assert "<title>Choose another time · Admit One</title>" in managing.get("/reschedule").text
    asked = managing.words(f"/reschedule?tz=UTC&start={NOON}")
    assert "Previous time Tuesday, November 24, 2026, 9:00" in asked
    assert "New time Tuesday, November 24, 2026, 12:00" in asked
    moved = managing.post("/reschedule", start=NOON, tz="UTC")
    assert moved.status_code == 303
    assert "notice=booking-moved" in moved.headers["Location"]
    seen = text_of(managing.browser.get(moved.headers["Location"]))
    assert "Booking moved." in seen
    assert "You can move this booking 1 more time" in seen
    assert managing.state()["start"] == NOON
    assert managing.post("/reschedule", start=NOON, tz="UTC").status_code == 303
    assert "After this, you can't move it again." in managing.words(f"/reschedule?start={NINE}")


def test_nobody_is_asked_to_move_a_booking_to_the_time_that_it_has(managing: Managing) -> None:
    page = f"/reschedule?tz=UTC&start={NOON}"
    assert managing.post("/reschedule", start=NOON, tz="UTC").status_code == 303
    back = managing.get(page)
    assert back.status_code == 302
    assert "You're booked" in text_of(managing.browser.get(back.headers["Location"]))
    managing.owner.ask_to_reschedule(managing.booking["id"])
    back = managing.browser.get(managing.get(page).headers["Location"])
    assert "asks you to choose another time" in text_of(back)


def test_a_time_that_was_just_taken_is_told_above_other_times(managing: Managing) -> None:
    managing.owner.book(managing.owner.new_link(managing.booking["calendar_id"]), TEN)
    for start, status in ((TEN, 409), (f"{A_DAY}T10:10:00Z", 422)):
        refused = managing.post("/reschedule", start=start)
        assert refused.status_code == status
        assert "That time is no longer available. Please choose another." in text_of(refused)
    assert "Please choose another." in managing.words(f"/reschedule?start={TEN}")
    assert managing.post("/reschedule", start="noon").status_code == 422
    assert managing.state()["start"] == NINE


def test_after_the_notice_the_page_says_until_when_it_was_possible_and_who_helps(
    managing: Managing, clock: Clock
) -> None:
    clock.time = TOMORROW_AT_NINE.replace(hour=7, minute=30)
    seen = managing.words()
    assert "It is too late to cancel: that was possible until Nov 24, 2026, 7:00" in seen
    assert "You can move this booking 2 more times" in seen
    assert "Call 555-0100." in seen
    assert f"{managing.path}/cancel" not in managing.links()
    clock.time = TOMORROW_AT_NINE.replace(hour=8)
    seen = managing.words()
    assert "It is too late to move this booking: that was possible until" in seen
    for refused in (
        managing.get("/cancel"),
        managing.post("/cancel"),
        managing.get("/reschedule"),
        managing.post("/reschedule", start=NOON),
    ):
        assert refused.status_code == 409
        assert "Nothing was changed." in text_of(refused)
        assert "Call 555-0100." in text_of(refused)
    assert managing.state()["status"] == "confirmed"
    clock.time = TOMORROW_AT_NINE.replace(hour=10)
    assert "too late" not in managing.words()


def test_the_number_of_moves_ends(managing: Managing) -> None:
    for start in (NOON, TEN):
        assert managing.post("/reschedule", start=start).status_code == 303
    seen = managing.words()
    assert "This booking can't be moved again" in seen
    assert managing.post("/reschedule", start=NINE).status_code == 409
    assert managing.state()["start"] == TEN


def test_where_the_link_offers_no_other_times_the_page_says_so_and_who_helps(
    new_invitee_browser: Callable[..., InviteeBrowser],
) -> None:
    invitee = new_invitee_browser(contact="Call 555-0100.")
    offer = {"slots": [NINE]}
    invitee.link = invitee.owner.new_link(invitee.link["calendar_id"], offer=offer)
    managing = Managing(invitee)
    seen = managing.words()
    assert "This booking can't be moved: its link offers no other times." in seen
    assert "Call 555-0100." in seen
    assert f"{managing.path}/reschedule" not in " ".join(managing.links())
    assert "bietet keine anderen Zeiten an" in managing.words(language="de")
    for refused in (managing.get("/reschedule"), managing.post("/reschedule", start=NOON)):
        assert refused.status_code == 409
        assert "Nothing was changed." in text_of(refused)
        assert "its link offers no other times" in text_of(refused)


def test_times_that_open_later_are_not_denied_and_until_then_the_page_says_who_helps(
    new_invitee_browser: Callable[..., InviteeBrowser], clock: Clock
) -> None:
    invitee = new_invitee_browser(contact="Call 555-0100.", minimum_notice_minutes=180)
    offer = {"slots": [NINE, "2026-12-08T09:00:00Z"]}
    calendar_id = invitee.link["calendar_id"]
    invitee.link = invitee.owner.new_link(calendar_id, offer=offer)
    managing = Managing(invitee)
    sooner = {"booking_window_days": 7}
    invitee.owner.patch(f"/calendars/{calendar_id}", sooner, **{"If-Match": "*"})
    clock.time = TOMORROW_AT_NINE.replace(hour=7)  # too late to offer nine again
    assert "You can move this booking 3 more times" in managing.words()
    choosing = managing.words("/reschedule")
    assert "No times are available at the moment. Please contact Olivia Owner." in choosing
    assert "Call 555-0100." in choosing


def test_choosing_another_time_reads_calendar_and_link_at_most_once(
    new_invitee_browser: Callable[..., InviteeBrowser],
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    invitee = new_invitee_browser()
    offer = {"from": A_DAY, "to": A_DAY}
    invitee.link = invitee.owner.new_link(invitee.link["calendar_id"], offer=offer)
    managing = Managing(invitee)
    read: list[type] = []
    load = services.event_store.load

    def recording(*wanted: Wanted[Any], **busy: Any) -> Loaded:
        read.extend(each.kind for each in wanted if each.version is None)
        return load(*wanted, **busy)

    monkeypatch.setattr(services.event_store, "load", recording)
    assert managing.get("/reschedule").status_code == 200
    assert Counter(read) <= Counter([Booking, Calendar, SingleUseLink])


def test_a_booking_is_cancelled_after_a_question_with_an_optional_reason(
    managing: Managing, services: Services
) -> None:
    before = recorded(services)
    assert "Cancel this booking?" in managing.words("/cancel")
    assert recorded(services) == before
    assert managing.post("/cancel", reason="x" * 2001).status_code == 422
    cancelled = managing.post("/cancel", reason="Fell ill")
    assert cancelled.status_code == 303
    seen = text_of(managing.browser.get(cancelled.headers["Location"]))
    assert "This booking was cancelled" in seen
    assert "Reason: Fell ill" in seen
    assert managing.state()["status"] == "cancelled"
    assert managing.post("/cancel").status_code == 303
    for refused in (managing.get("/reschedule"), managing.post("/reschedule", start=NOON)):
        assert refused.status_code == 409
    assert managing.get("/cancel").status_code == 409
    assert managing.invitee.elsewhere().get().status_code == 410


def test_details_are_erased_after_a_question(managing: Managing, services: Services) -> None:
    asked = managing.words("/forget")
    assert "Forget your details?" in asked
    assert "won't know who is coming" in asked
    forgotten = managing.post("/forget")
    assert forgotten.status_code == 303
    seen = text_of(managing.browser.get(forgotten.headers["Location"]))
    assert "Your details have been erased." in seen
    assert "[forgotten]" in seen
    assert "Ada" not in seen
    assert services.database.fetch_all("SELECT * FROM personal_data") == []
    assert managing.get("/forget").status_code == 302
    assert managing.post("/forget").status_code == 303


def test_a_request_of_the_host_opens_the_choice_with_their_message(managing: Managing) -> None:
    for start in (NOON, TEN):
        assert managing.post("/reschedule", start=start).status_code == 303
    managing.owner.ask_to_reschedule(managing.booking["id"], "Noon <b>again</b>?")
    opened = managing.get("?tz=UTC")
    assert opened.status_code == 302
    assert opened.headers["Location"] == f"{managing.path}/reschedule?tz=UTC"
    seen = managing.words("/reschedule")
    assert "Olivia Owner asks you to choose another time." in seen
    assert "Noon <b>again</b>?" in seen
    assert "asks you to choose another time." in managing.words("?show=booking")
    assert managing.post("/reschedule", start=NOON).status_code == 303
    assert managing.get().status_code == 200


def test_a_booking_is_shown_as_it_was_agreed_and_where_it_was_moved_to(managing: Managing) -> None:
    calendar = f"/calendars/{managing.booking['calendar_id']}"
    change = {"name": "Long talk", "location": "Room 9"}
    assert managing.owner.patch(calendar, change, **{"If-Match": "*"}).status_code == 200
    seen = managing.words()
    assert "Intro call with Olivia Owner" in seen
    assert "Room 1" in seen
    managing.owner.patch(f"/bookings/{managing.booking['id']}", {"location": "Room 2"})
    assert "Room 2" in managing.words()
    assert "Room 2" in managing.get("/booking.ics").text


def test_nothing_leads_to_other_pages_of_the_owner(managing: Managing) -> None:
    managing.owner.ask_to_reschedule(managing.booking["id"])
    for rest in ("?show=booking", "/reschedule", f"/reschedule?start={NOON}", "/cancel", "/forget"):
        page = managing.get(rest)
        assert page.status_code == 200
        for address in re.findall(r'(?:href|action|hx-get)="(/[^"]*)"', page.text):
            assert address.startswith((f"{managing.path}", "/static/")), (rest, address)


def test_forged_tokens_find_no_booking(managing: Managing) -> None:
    for path in ("", "/reschedule", "/cancel", "/forget"):
        answer = managing.browser.get(f"{managing.path}x{path}")
        assert answer.status_code == 404
        assert "We couldn't find this booking." in text_of(answer)
    for path in ("/reschedule", "/cancel", "/forget"):
        data = {"start": NOON}
        assert managing.browser.post(f"{managing.path}x{path}", data=data).status_code == 404


def test_forms_of_other_sites_are_refused(managing: Managing) -> None:
    for rest in ("/reschedule", "/cancel", "/forget"):
        answer = managing.browser.post(
            f"{managing.path}{rest}", data={"start": NOON}, headers={"Sec-Fetch-Site": "cross-site"}
        )
        assert answer.status_code == 403
    assert managing.state() == managing.booking
