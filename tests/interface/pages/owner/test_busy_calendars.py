"""Settings → Other calendars."""

import pytest

from application.busy_calendars.busy_calendars import ReadProblem
from interface.bootstrap import Services
from interface.pages.owner.busy_calendars import PROBLEMS
from tests.interface.pages.page_text import error_at, text, words
from tests.support.signed_in_browser import SignedIn

PAGE = "/settings/other-calendars"
URL = "https://93.184.216.34/private-3f9a/basic.ics"


def test_a_calendar_is_added_shown_without_its_secret_and_removed(
    person: SignedIn, services: Services
) -> None:
    assert f'href="{PAGE}"' in text(person.get("/settings/connections"))
    answer = person.post(PAGE, {"url": f" {URL} ", "name": "Family"})
    assert answer.status_code == 303
    page = person.get(answer.headers["Location"])
    assert "Calendar added." in words(page)
    assert "Family https://93.184.216.34/… Reading …" in words(page)
    assert "private-3f9a" not in text(page)
    (calendar,) = services.busy_calendars.all(person.account.id)
    answer = person.post(f"{PAGE}/{calendar.id}/read")
    assert "read again within seconds" in words(person.get(answer.headers["Location"]))
    assert "Remove Family?" in words(person.get(f"{PAGE}/{calendar.id}/remove"))
    answer = person.post(f"{PAGE}/{calendar.id}/remove")
    assert "Calendar removed." in words(person.get(answer.headers["Location"]))
    assert services.busy_calendars.all(person.account.id) == []


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("", "Enter the address of the calendar."),
        ("calendar.example.org", "Must be an address that starts with https://"),
        ("http://127.0.0.1/", "This address is not allowed"),
    ],
)
def test_an_address_that_can_not_be_read_is_explained_beside_its_field(
    person: SignedIn, url: str, error: str
) -> None:
    answer = person.post(PAGE, {"url": url, "name": ""})
    assert answer.status_code == 422
    assert error_at(answer, "url").startswith(error)


def test_a_problem_is_explained_with_its_time(person: SignedIn, services: Services) -> None:
    person.post(PAGE, {"url": URL, "name": ""})
    with services.database.connection() as conn:
        conn.execute(
            "UPDATE busy_calendars SET problem = 'not-found', problem_since = %s", (services.now(),)
        )
    page = words(person.get(PAGE))
    assert "Never There is no calendar at this address. Not readable since" in page


def test_every_problem_has_a_sentence() -> None:
    assert set(PROBLEMS) == set(ReadProblem)
