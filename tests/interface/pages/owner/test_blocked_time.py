"""Blocking time over the hours of a day, and opening it again."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from domain.booking_rules import WEEKDAYS, Availability, Hours
from interface.bootstrap import Services
from projections.views import calendar_list
from tests.interface.pages.page_text import error_at, words
from tests.support.desk import ALWAYS_OPEN, Desk
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

OFFICE = Availability(dict.fromkeys(WEEKDAYS, (("09:00", "17:00"),)), {})
BLOCK = "/bookings/block"
TUESDAY = "2026-11-24"
LUNCH = {"on": TUESDAY, "begins": "12:00", "ends": "13:30", "view": "week"}


@pytest.fixture
def desk(services: Services, owner: Owner) -> Desk:
    """Gives the owner's commands."""
    return Desk(services, owner.account.id)


@pytest.fixture
def calendar(desk: Desk) -> UUID:
    """A calendar with office hours in UTC."""
    return desk.new_calendar(time_zone="UTC", availability=OFFICE)


def overrides(services: Services, calendar_id: UUID) -> dict[str, Hours]:
    return calendar_list.calendar(services.database, calendar_id).terms.rules.availability.overrides


def test_blocked_time_is_closed_in_every_calendar_and_opened_again(
    person: SignedIn, desk: Desk, calendar: UUID, services: Services
) -> None:
    services.accounts.change(person.account, name="Olivia", time_zone="Europe/Paris")
    berlin = desk.new_calendar(time_zone="Europe/Berlin", availability=OFFICE)
    answer = person.post(BLOCK, LUNCH)
    assert answer.status_code == 303
    assert overrides(services, calendar) == {TUESDAY: (("09:00", "11:00"), ("12:30", "17:00"))}
    assert overrides(services, berlin) == {TUESDAY: (("09:00", "12:00"), ("13:30", "17:00"))}
    page = person.get(answer.headers["Location"])
    assert "Time blocked." in words(page)
    assert 'value="13:30"' in page.get_data(as_text=True)  # ready to be opened again
    person.post(BLOCK, LUNCH | {"do": "open"})
    assert overrides(services, calendar) == overrides(services, berlin) == {}


def test_only_the_chosen_calendar_is_blocked(
    person: SignedIn, desk: Desk, calendar: UUID, services: Services
) -> None:
    other = desk.new_calendar(time_zone="UTC", availability=OFFICE)
    person.post(BLOCK, LUNCH | {"begins": "00:00", "ends": "00:00", "calendar_id": str(other)})
    assert overrides(services, other) == {TUESDAY: ()}  # midnight is that at the end of the day
    assert overrides(services, calendar) == {}


@pytest.mark.parametrize(
    ("do", "sentence"),
    [
        ("block", "so there is nothing to block"),
        ("open", "Your weekly hours are already open during that time"),
    ],
)
def test_time_that_stays_as_it_is_is_reported(
    person: SignedIn, calendar: UUID, services: Services, do: str, sentence: str
) -> None:
    answer = person.post(BLOCK, LUNCH | {"begins": "20:00", "ends": "21:00", "do": do})
    assert sentence in words(person.get(answer.headers["Location"]))
    assert overrides(services, calendar) == {}


def test_a_form_with_faults_is_shown_again_with_what_was_typed(
    person: SignedIn, calendar: UUID, services: Services
) -> None:
    answer = person.post(BLOCK, LUNCH | {"on": "soon", "begins": "", "ends": "25:00"})
    assert answer.status_code == 422
    assert error_at(answer, "on").startswith("Must be a date")
    assert error_at(answer, "ends") == "Enter a time such as 09:30."
    backwards = person.post(BLOCK, LUNCH | {"ends": "12:00"})
    assert error_at(backwards, "ends") == "Choose an end after the start."
    assert 'value="12:00"' in backwards.get_data(as_text=True)
    assert overrides(services, calendar) == {}


def test_a_calendar_with_too_many_overrides_says_so(
    person: SignedIn, desk: Desk, services: Services
) -> None:
    dates = (date(2027, 1, 1) + timedelta(days=n) for n in range(1000))
    full: dict[str, Hours] = {day.isoformat(): () for day in dates}
    calendar = desk.new_calendar(availability=Availability(OFFICE.weekly, full))
    answer = person.post(BLOCK, LUNCH)
    assert error_at(answer, "on") == "Must have at most 1000 dates."
    assert TUESDAY not in overrides(services, calendar)


def test_bookings_in_blocked_time_stay(person: SignedIn, desk: Desk) -> None:
    booking = desk.new_booking(desk.new_calendar(**ALWAYS_OPEN))
    person.post(BLOCK, LUNCH | {"begins": "09:00"})
    assert "Confirmed" in words(person.get(f"/bookings/{booking}"))


def test_nobody_blocks_time_for_another_owner(
    person: SignedIn, desk: Desk, services: Services
) -> None:
    theirs = Desk(services).new_calendar(time_zone="UTC", availability=OFFICE)
    answer = person.post(BLOCK, LUNCH | {"calendar_id": str(theirs)})
    assert "nothing to block" in words(person.get(answer.headers["Location"]))
    assert overrides(services, theirs) == {}
