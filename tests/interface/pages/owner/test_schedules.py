"""Settings → Schedules, and calendars that follow one."""

import re
from typing import Any

import pytest

from tests.interface.pages.page_text import error_at, filled_in, text, words
from tests.support.examples import SCHEDULE_JSON, calendar_json
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

SCHEDULES = "/settings/schedules"
CALENDARS = "/settings/calendars"
ANY = {"If-Match": "*"}


@pytest.fixture
def schedule_id(owner: Owner) -> str:
    """A schedule of the owner, which no calendar follows."""
    found: str = owner.post("/schedules", SCHEDULE_JSON).json["id"]
    return found


@pytest.fixture
def follower(owner: Owner, schedule_id: str) -> str:
    """A calendar that follows the schedule."""
    given = calendar_json(name="Intro call", schedule_id=schedule_id)
    del given["time_zone"], given["availability"]
    found: str = owner.post("/calendars", given).json["id"]
    owner.catch_up()
    return found


def form_of(person: SignedIn, schedule_id: str) -> dict[str, Any]:
    return filled_in(person.get(f"{SCHEDULES}/{schedule_id}"), "schedule")


def followed(page: str) -> str:
    """Returns the value of the schedule that is selected in the form of a calendar."""
    chosen = re.search(r'<option value="([\w-]*)" selected>Schedule', page)
    return chosen[1] if chosen else ""


def test_without_schedules_the_list_says_what_they_are_for(person: SignedIn) -> None:
    page = words(person.get(SCHEDULES))
    assert "No schedules yet" in page
    assert "change the schedule once, and all of them have the new hours" in page
    new_calendar = text(person.get(f"{CALENDARS}/new"))
    assert f'Keep them in a <a href="{SCHEDULES}">schedule</a>.' in new_calendar
    assert 'name="schedule_id"' not in new_calendar


def test_a_schedule_is_created_and_listed_with_its_hours(person: SignedIn, owner: Owner) -> None:
    form = filled_in(person.get(f"{SCHEDULES}/new"), "schedule") | {
        "name": "Nights",
        "time_zone": "paris",
        "availability.weekly.friday": "22-2",
        "override_date": ["2026-12-24"],
        "override_hours": ["closed"],
    }
    answer = person.post(f"{SCHEDULES}/new", form)
    assert answer.status_code == 303
    page = words(person.get(answer.headers["Location"]))
    assert "Schedule created." in page
    assert "Nights" in page
    assert "Mon–Thu 9:00 AM–5:00 PM Fri 10:00 PM–2:00 AM" in page
    assert "No calendar follows it yet." in page
    (schedule,) = owner.get("/schedules").json["items"]
    assert schedule["availability"]["weekly"]["saturday"] == [["00:00", "02:00"]]
    assert schedule["availability"]["overrides"] == {"2026-12-24": []}


def test_a_schedule_that_makes_no_sense_is_not_saved(person: SignedIn, owner: Owner) -> None:
    form = filled_in(person.get(f"{SCHEDULES}/new"), "schedule")
    wrong = form | {"name": "", "time_zone": "UTC", "availability.weekly.monday": "soon"}
    answer = person.post(f"{SCHEDULES}/new", wrong)
    assert answer.status_code == 422
    assert error_at(answer, "name") == "Enter a name."
    assert error_at(answer, "availability.weekly.monday").startswith("Enter hours such as")
    assert owner.get("/schedules").json["items"] == []


def test_a_change_of_a_schedule_moves_the_calendars_that_use_it(
    person: SignedIn, owner: Owner, schedule_id: str, follower: str
) -> None:
    page = words(person.get(f"{SCHEDULES}/{schedule_id}"))
    assert "these calendars get the new hours and time zone: Intro call." in page
    form = form_of(person, schedule_id) | {"availability.weekly.monday": "7-8"}
    answer = person.post(f"{SCHEDULES}/{schedule_id}", form)
    assert "Changes saved, also in the calendars" in words(person.get(answer.headers["Location"]))
    calendar = owner.get(f"/calendars/{follower}").json
    assert calendar["availability"]["weekly"]["monday"] == [["07:00", "08:00"]]


def test_two_people_who_change_a_schedule_see_each_others_changes(
    person: SignedIn, owner: Owner, schedule_id: str
) -> None:
    path = f"{SCHEDULES}/{schedule_id}"
    form = form_of(person, schedule_id)
    owner.patch(f"/schedules/{schedule_id}", {"name": "Early"}, **ANY)
    owner.catch_up()
    answer = person.post(path, form | {"availability.weekly.monday": "7-8"})
    assert answer.status_code == 412
    assert "Someone else changed this schedule while you were editing it" in words(answer)
    merged = filled_in(answer, "schedule")
    assert (merged["name"], merged["availability.weekly.monday"]) == (
        ["Early"],
        ["7:00\u202fAM–8:00\u202fAM"],
    )
    assert person.post(path, merged).status_code == 303


def test_a_calendar_that_joins_while_a_schedule_is_edited_is_no_conflict(
    person: SignedIn, owner: Owner, schedule_id: str, calendar_id: str
) -> None:
    form = form_of(person, schedule_id) | {"name": "Early"}
    owner.patch(f"/calendars/{calendar_id}", {"schedule_id": schedule_id}, **ANY)
    owner.catch_up()
    assert person.post(f"{SCHEDULES}/{schedule_id}", form).status_code == 303
    assert owner.get(f"/schedules/{schedule_id}").json["name"] == "Early"


def test_a_calendar_gets_a_schedule_and_its_own_hours_back_by_its_form(
    person: SignedIn, owner: Owner, schedule_id: str, calendar_id: str
) -> None:
    owner.catch_up()
    path = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(path)) | {"schedule_id": schedule_id}
    assert person.post(path, form).status_code == 303
    assert (
        owner.get(f"/calendars/{calendar_id}").json["availability"]
        == (SCHEDULE_JSON["availability"])
    )
    assert "Schedule Mornings" in words(person.get(CALENDARS))
    page = person.get(path)
    assert followed(text(page)) == schedule_id
    form = filled_in(page)
    assert form["availability.weekly.monday"] == ["8:00\u202fAM–12:00\u202fPM"]
    own = form | {"schedule_id": "", "availability.weekly.monday": "10-11"}
    assert person.post(path, own).status_code == 303
    calendar = owner.get(f"/calendars/{calendar_id}").json
    assert calendar["schedule_id"] is None
    assert calendar["availability"]["weekly"]["monday"] == [["10:00", "11:00"]]
    assert calendar["availability"]["weekly"]["sunday"] == [["08:00", "12:00"]]


def test_the_preview_of_a_calendar_shows_the_hours_of_the_chosen_schedule(
    person: SignedIn, owner: Owner, schedule_id: str
) -> None:
    owner.catch_up()
    form = filled_in(person.get(f"{CALENDARS}/new"))
    sent = form | {"schedule_id": schedule_id, "time_zone": "", "availability.weekly.monday": "x"}
    assert "Times shown in Central European Time – Paris." in words(
        person.post(f"{CALENDARS}/preview", sent)
    )


def test_a_new_calendar_like_another_follows_the_same_schedule(
    person: SignedIn, schedule_id: str, follower: str
) -> None:
    assert followed(text(person.get(f"{CALENDARS}/new?like={follower}"))) == schedule_id


def test_a_schedule_that_is_gone_can_not_be_chosen(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    owner.catch_up()
    for path in (f"{CALENDARS}/{calendar_id}", f"{CALENDARS}/new"):
        form = filled_in(person.get(path)) | {"name": "Call", "time_zone": "UTC"}
        for gone in (unknown_id(), "nonsense"):
            answer = person.post(path, form | {"schedule_id": gone})
            assert answer.status_code == 422
            assert "There is no such schedule." in words(answer)
    assert len(owner.get("/calendars").json["items"]) == 1


def test_the_hours_of_a_calendar_with_a_schedule_are_not_replaced_by_those_of_another(
    person: SignedIn, calendar_id: str, follower: str
) -> None:
    page = text(person.get(f"{CALENDARS}/{calendar_id}"))
    assert f'name="same_hours" value="{follower}"' not in page


def test_a_schedule_is_deleted_and_calendars_keep_copies_once_the_page_has_said_so(
    person: SignedIn, owner: Owner, schedule_id: str, calendar_id: str
) -> None:
    path = f"{SCHEDULES}/{schedule_id}/delete"
    assert "No calendar follows this schedule." in words(person.get(path))
    owner.patch(f"/calendars/{calendar_id}", {"schedule_id": schedule_id}, **ANY)
    owner.catch_up()
    refused = person.post(path)
    assert refused.status_code == 409
    assert "Each calendar that follows it gets a copy of its hours: Intro call." in words(refused)
    answer = person.post(path, {"copies": "yes"})
    assert "Schedule deleted." in words(person.get(answer.headers["Location"]))
    calendar = owner.get(f"/calendars/{calendar_id}").json
    assert calendar["schedule_id"] is None
    assert calendar["availability"] == SCHEDULE_JSON["availability"]
