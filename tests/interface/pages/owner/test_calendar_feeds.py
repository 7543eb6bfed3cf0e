"""Settings → Calendars → Subscribe."""

import re

from icalendar import Calendar

from interface.bootstrap import Services
from tests.interface.pages.page_text import error_at, text, words
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

PAGE = "/settings/subscribe"


def test_an_address_is_created_shown_and_revoked(
    person: SignedIn, owner: Owner, services: Services
) -> None:
    calendar_id = owner.new_calendar()
    assert f'href="{PAGE}"' in text(person.get("/settings/connections"))
    answer = person.post(PAGE, {"calendar_id": calendar_id, "detail": "busy"})
    assert answer.status_code == 303
    page = person.get(answer.headers["Location"])
    assert "Address created." in words(page)
    assert "Intro call Only when you are busy · created Nov 23, 2026" in words(page)
    (url,) = re.findall(r'readonly value="https://book\.example\.org([^"]+)"', text(page))
    assert f'href="webcal://book.example.org{url}"' in text(page)
    (feed,) = services.calendar_feeds.all(person.account.id)
    assert Calendar.from_ical(person.get(url).data)["X-WR-CALNAME"] == "Admit One: busy"
    question = words(person.get(f"{PAGE}/{feed.id}/revoke"))
    assert "Revoke this address? Intro call Only when you are busy" in question
    answer = person.post(f"{PAGE}/{feed.id}/revoke")
    assert "Address revoked." in words(person.get(answer.headers["Location"]))
    assert person.get(url).status_code == 404


def test_a_feed_of_all_calendars_is_the_default(person: SignedIn, services: Services) -> None:
    person.post(PAGE, {"calendar_id": "", "detail": "full"})
    (feed,) = services.calendar_feeds.all(person.account.id)
    assert feed.calendar_id is None
    assert "All calendars Everything about each booking" in words(person.get(PAGE))


def test_what_is_wrong_is_said_beside_its_field(person: SignedIn) -> None:
    for form, field in (
        ({"calendar_id": unknown_id(), "detail": "busy"}, "calendar_id"),
        ({"calendar_id": "", "detail": "everything"}, "detail"),
    ):
        answer = person.post(PAGE, form)
        assert answer.status_code == 422
        assert error_at(answer, field)


def test_the_feeds_of_others_do_not_exist(person: SignedIn) -> None:
    path = f"{PAGE}/{unknown_id()}/revoke"
    assert person.get(path).status_code == person.post(path).status_code == 404
