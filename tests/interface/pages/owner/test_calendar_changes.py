"""Changing a calendar: the live preview, the edit, and two tabs at once."""

import re

from domain.booking_rules import WEEKDAYS
from tests.interface.pages.page_text import filled_in, text, the_calendar, words
from tests.support.examples import TEN, calendar_json
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

CALENDARS = "/settings/calendars"
NEW = f"{CALENDARS}/new"
PREVIEW = f"{CALENDARS}/preview"


def test_the_preview_shows_what_the_unsaved_form_would_offer(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    person.get(CALENDARS)
    owner.book(owner.new_link(calendar_id), TEN)
    form = filled_in(person.get(f"{CALENDARS}/{calendar_id}")) | {
        "name": "",  # not typed yet
        "duration_minutes": "60",
        **{f"availability.weekly.{day}": "" for day in WEEKDAYS},
        "availability.weekly.tuesday": "9-12",
    }
    answer = person.post(PREVIEW, form, headers={"Accept-Language": "en-GB"})
    assert answer.status_code == 200
    assert "<html" not in text(answer)
    assert words(answer).startswith("5 available times. Times shown in UTC.")
    assert "Tue 24 Nov 09:00 11:00" in words(answer)  # 10:00 is booked
    assert "Wed 25 Nov no times" in words(answer)
    weeks = text(answer).split('<div class="hours mini')[1:]
    kinds = [re.findall(r'<li class="(open|busy) (h\d+) m0 (th\d+)', week) for week in weeks]
    assert kinds == [
        [("open", "h9", "th10"), ("open", "h11", "th12"), ("busy", "h10", "th10")],
        [("open", "h9", "th12")],
    ]
    whole_page = words(person.post(f"{CALENDARS}/{calendar_id}", form | {"do": "preview"}))
    assert "5 available times." in whole_page
    assert the_calendar(owner)["duration_minutes"] == 30


def test_the_preview_of_a_form_that_is_not_right_yet_says_what_is_missing(person: SignedIn) -> None:
    form = filled_in(person.get(NEW)) | {
        "time_zone": "",
        "duration_minutes": "0",
        "availability.weekly.friday": "soon",
        "override_date": ["tomorrow"],
    }
    answer = person.post(PREVIEW, form)
    assert answer.status_code == 200
    assert words(answer).endswith(
        "once these fields are filled in correctly: Time zone, Duration, Friday, Date overrides."
    )


def test_the_preview_of_two_empty_weeks_names_the_first_free_day(person: SignedIn) -> None:
    form = filled_in(person.get(NEW)) | {"time_zone": "UTC", "minimum_notice_minutes": "360"}
    answer = words(person.post(PREVIEW, form))
    assert "The next available times are on Tuesday, 8 December 2026" in answer or (
        "The next available times are on Tuesday, December 8, 2026" in answer
    )
    closed = {f"availability.weekly.{day}": "" for day in WEEKDAYS}
    assert "None are available later" in words(person.post(PREVIEW, form | closed))


def test_editing_changes_all_that_was_typed_and_nothing_else(
    person: SignedIn, owner: Owner
) -> None:
    given = calendar_json(
        location="Room 1",
        description="Two\nlines",
        buffer_before_minutes=5,
        buffer_after_minutes=10,
        start_increment_minutes=15,
        booking_window_days=30,
        minimum_notice_minutes=90,
        availability={"weekly": {"monday": [["09:00", "17:00"]]}, "overrides": {"2026-12-24": []}},
    )
    address = f"{CALENDARS}/{owner.post('/calendars', given).json['id']}"
    before = the_calendar(owner)
    form = filled_in(person.get(address))
    assert person.post(address, form).status_code == 303
    assert the_calendar(owner) == before
    answer = person.post(address, form | {"location": "", "duration_minutes": "45"})
    assert "Changes saved." in words(person.get(answer.headers["Location"]))
    assert the_calendar(owner) == before | {"location": "", "duration_minutes": 45}


def test_other_calendars_take_the_same_hours_when_asked_to(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    monday = {"weekly": {"monday": [["09:00", "17:00"]]}, "overrides": {}}
    given = (calendar_json(name=name, availability=monday) for name in ("Review", "Own hours"))
    review, own_hours = (owner.post("/calendars", each).json["id"] for each in given)
    address = f"{CALENDARS}/{calendar_id}"
    page = person.get(address)
    assert "Use these hours in other calendars, too" in words(page)
    form = filled_in(page) | {"availability.weekly.sunday": "10-11", "same_hours": [review]}
    shown = text(person.post(address, form | {"duration_minutes": "half"}))
    assert f'value="{review}" checked' in shown  # and nothing is saved
    assert person.post(address, form).status_code == 303
    hours = {each["id"]: each["availability"] for each in owner.get("/calendars").json["items"]}
    assert hours[review] == hours[calendar_id]
    assert hours[review]["weekly"]["sunday"] == [["10:00", "11:00"]]
    assert hours[own_hours] == monday
    assert "other calendars, too" not in words(person.get(NEW))


def test_the_increment_follows_the_duration_until_it_is_set(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address))
    assert person.post(address, form | {"duration_minutes": "45"}).status_code == 303
    assert the_calendar(owner)["start_increment_minutes"] == 45
    form = filled_in(person.get(address)) | {"start_increment_minutes": "15"}
    assert person.post(address, form).status_code == 303
    form = filled_in(person.get(address)) | {"duration_minutes": "60"}
    assert person.post(address, form).status_code == 303
    assert the_calendar(owner)["start_increment_minutes"] == 15


def test_a_stale_edit_shows_what_changed_and_saves_on_the_second_press(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address))
    monday = {"availability.weekly.monday": "10-12"}
    assert person.post(address, form | {"duration_minutes": "45"} | monday).status_code == 303
    answer = person.post(address, form | {"duration_minutes": "20", "location": "Room 2"})
    assert answer.status_code == 412
    assert the_calendar(owner)["duration_minutes"] == 45
    notice = words(answer)
    assert "Duration 45 minutes 20 minutes" in notice
    assert "Monday 10:00 AM–12:00 PM unchanged" in notice
    merged = filled_in(answer)
    assert merged["duration_minutes"] == ["20"]
    assert merged["location"] == ["Room 2"]
    assert merged["availability.weekly.monday"] == ["10:00\u202fAM–12:00\u202fPM"]
    assert person.post(address, merged).status_code == 303
    calendar = the_calendar(owner)
    assert (calendar["duration_minutes"], calendar["location"]) == (20, "Room 2")
    assert calendar["availability"]["weekly"]["monday"] == [["10:00", "12:00"]]


def test_number_and_unit_of_the_notice_are_taken_over_together(
    person: SignedIn, calendar_id: str
) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address))
    theirs = {"minimum_notice_minutes": "30", "minimum_notice_unit": "minutes"}
    assert person.post(address, form | theirs).status_code == 303
    answer = person.post(address, form | {"name": "Mine"})
    assert "Minimum notice 30 minutes unchanged" in words(answer)
    merged = filled_in(answer)
    assert (merged["minimum_notice_minutes"], merged["minimum_notice_unit"]) == (["30"], "minutes")


def test_the_same_change_sent_twice_succeeds_twice(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address)) | {"name": "Renamed"}
    assert [person.post(address, form).status_code for _ in range(2)] == [303, 303]
    assert the_calendar(owner)["name"] == "Renamed"


def test_an_unknown_version_shows_all_differences(person: SignedIn, calendar_id: str) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address)) | {"name": "Renamed"}
    for version in ("", "0", "-1", "x", "9" * 30):
        answer = person.post(address, form | {"version": version})
        assert answer.status_code == 412
        assert "Name Intro call Renamed" in words(answer)
