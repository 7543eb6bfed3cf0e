"""Settings → Calendars: the list, new calendars, archived ones."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from domain.booking_rules import WEEKDAYS
from interface.bootstrap import Services
from tests.interface.pages.page_text import error_at, filled_in, text, the_calendar, words
from tests.support.examples import calendar_json
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

CALENDARS = "/settings/calendars"
NEW = f"{CALENDARS}/new"


def test_without_calendars_the_list_says_what_to_do(person: SignedIn) -> None:
    page = person.get(CALENDARS)
    assert "No calendars yet" in words(page)
    assert f'href="{NEW}">Create calendar' in text(page)


def test_the_list_shows_what_can_be_booked_and_when(person: SignedIn, owner: Owner) -> None:
    weekly = {day: [["09:00", "12:00"], ["13:00", "17:00"]] for day in WEEKDAYS[:4]}
    weekly["saturday"] = [["10:00", "12:00"]]
    owner.post(
        "/calendars",
        calendar_json(
            name="<Chat>",
            duration_minutes=90,
            time_zone="America/New_York",
            availability={"weekly": weekly},
        ),
    )
    page = words(person.get(CALENDARS))
    assert "<Chat>" in page
    assert "1 hour 30 minutes · Eastern Time – New York" in page
    assert "Mon–Thu 9:00 AM–12:00 PM, 1:00 PM–5:00 PM Sat 10:00 AM–12:00 PM" in page
    assert "Fri" not in page


def test_each_calendar_has_a_menu_of_what_can_be_done_with_it(
    person: SignedIn, calendar_id: str
) -> None:
    page = text(person.get(CALENDARS))
    menu = page[page.index("popover class") : page.index("</ul>", page.index("popover class"))]
    assert re.findall(r">(\w+)</a>", menu) == ["Share", "Edit", "Duplicate", "Archive"]
    share = f'href="{CALENDARS}/{calendar_id}/share"'
    assert page.count(share) == 2
    assert '<dialog id="share-dialog" aria-labelledby="share-title">' in page


def test_a_new_calendar_needs_only_a_name_and_a_zone(person: SignedIn, owner: Owner) -> None:
    form = filled_in(person.get(NEW)) | {"name": "Intro call", "time_zone": "paris"}
    answer = person.post(NEW, form)
    assert answer.status_code == 303
    assert "Calendar created." in words(person.get(answer.headers["Location"]))
    calendar = the_calendar(owner)
    assert calendar["name"] == "Intro call"
    assert calendar["time_zone"] == "Europe/Paris"
    assert calendar["duration_minutes"] == calendar["start_increment_minutes"] == 30
    assert calendar["minimum_notice_minutes"] == 240
    assert calendar["booking_window_days"] == 60
    nine_to_five = {day: [["09:00", "17:00"]] for day in WEEKDAYS[:5]}
    assert calendar["availability"] == {"weekly": nine_to_five, "overrides": {}}


def test_the_first_calendars_zone_becomes_the_owners_until_they_choose_one(
    person: SignedIn, owner: Owner, services: Services
) -> None:
    for zone in ("Europe/Paris", "Asia/Tokyo"):
        form = filled_in(person.get(NEW)) | {"name": zone, "time_zone": zone}
        assert person.post(NEW, form).status_code == 303
        assert services.accounts.by_id(owner.account.id).time_zone == "Europe/Paris"


def test_hours_are_read_as_people_write_them(person: SignedIn, owner: Owner) -> None:
    form = filled_in(person.get(NEW)) | {
        "name": "Intro call",
        "time_zone": "UTC",
        "availability.weekly.monday": "13-17, 9 to 12:30",
        "availability.weekly.tuesday": "closed",
        "availability.weekly.sunday": "6pm – 12am",
        "override_date": ["2026-12-24", "", "2026-12-31", "2027-01-04"],
        "override_hours": ["closed", "", "10-12", ""],
        "minimum_notice_minutes": "2",
        "minimum_notice_unit": "days",
    }
    assert person.post(NEW, form).status_code == 303
    calendar = the_calendar(owner)
    weekly = calendar["availability"]["weekly"]
    assert weekly["monday"] == [["09:00", "12:30"], ["13:00", "17:00"]]
    assert weekly["sunday"] == [["18:00", "24:00"]]
    assert "tuesday" not in weekly
    assert calendar["availability"]["overrides"] == {
        "2026-12-24": [],
        "2026-12-31": [["10:00", "12:00"]],
        "2027-01-04": [],
    }
    assert calendar["minimum_notice_minutes"] == 2880


def test_a_night_goes_on_in_the_following_day(person: SignedIn, owner: Owner) -> None:
    form = filled_in(person.get(NEW)) | {
        "name": "Night call",
        "time_zone": "UTC",
        "availability.weekly.monday": "22:00-02:00",
        "availability.weekly.tuesday": "9-12",
        "availability.weekly.sunday": "11pm–1am",
        "override_date": ["2026-12-21", "2026-12-24"],  # Monday, Thursday
        "override_hours": ["23-3", "20-1"],
        "override_until": ["", "2026-12-25"],
    }
    assert person.post(NEW, form).status_code == 303
    availability = the_calendar(owner)["availability"]
    weekly = availability["weekly"]
    assert weekly["monday"] == [["00:00", "01:00"], ["22:00", "24:00"]]
    assert weekly["tuesday"] == [["00:00", "02:00"], ["09:00", "12:00"]]
    assert weekly["sunday"] == [["23:00", "24:00"]]
    assert availability["overrides"] == {
        "2026-12-21": [["23:00", "24:00"]],
        "2026-12-22": [["00:00", "03:00"], ["09:00", "12:00"]],
        "2026-12-24": [["20:00", "24:00"]],
        "2026-12-25": [["00:00", "01:00"], ["20:00", "24:00"]],
        "2026-12-26": [["00:00", "01:00"]],
    }
    shown = filled_in(person.get(f"{CALENDARS}/{the_calendar(owner)['id']}"))
    assert shown["availability.weekly.monday"] == ["10:00\u202fPM–2:00\u202fAM"]
    assert shown["availability.weekly.tuesday"] == ["9:00\u202fAM–12:00\u202fPM"]
    assert shown["availability.weekly.sunday"] == ["11:00\u202fPM–1:00\u202fAM"]
    assert "Mon 10:00 PM–2:00 AM Tue 9:00 AM–12:00 PM" in words(person.get(CALENDARS))


def test_holidays_are_one_row_from_the_first_to_the_last_day(
    person: SignedIn, owner: Owner
) -> None:
    form = filled_in(person.get(NEW)) | {
        "name": "Intro call",
        "time_zone": "UTC",
        "override_date": ["2026-12-24", "2027-01-02", "2027-03-01"],
        "override_until": ["2027-01-01", "", "2027-03-01"],
        "override_hours": ["closed", "10-12", "closed"],
    }
    assert person.post(NEW, form).status_code == 303
    calendar = the_calendar(owner)
    overrides = calendar["availability"]["overrides"]
    assert [day for day, hours in overrides.items() if not hours] == [
        *(f"2026-12-{day}" for day in range(24, 32)),
        "2027-01-01",
        "2027-03-01",
    ]
    shown = filled_in(person.get(f"{CALENDARS}/{calendar['id']}"))
    assert shown["override_date"][:4] == ["2026-12-24", "2027-01-02", "2027-03-01", ""]
    assert shown["override_until"][:4] == ["2027-01-01", "", "", ""]
    assert shown["override_hours"][:3] == ["closed", "10:00\u202fAM–12:00\u202fPM", "closed"]


def test_holidays_that_make_no_sense_are_refused_at_their_row(
    person: SignedIn, owner: Owner
) -> None:
    rows = [
        ("2026-12-24", "2026-12-23", "", "The last day must not be before the first."),
        ("2026-01-01", "2027-01-02", "", "Must have at most 366 dates."),
        ("", "2028-01-01", "", "Choose a first day, too."),
        ("2028-02-01", "tomorrow", "", "Must be a real date, written as YYYY-MM-DD."),
        ("2028-03-01", "2028-03-08", "", "This date appears twice."),
        ("2028-03-08", "", "", "This date appears twice."),
        (
            "2028-05-01",
            "2028-05-03",
            "9-11, 10-12",
            "9:00 AM–11:00 AM and 10:00 AM–12:00 PM must not overlap.",
        ),
        ("2028-06-01", "", "20-2", "12:00 AM–2:00 AM and 1:00 AM–3:00 AM must not overlap."),
    ]
    form = filled_in(person.get(NEW)) | {
        "name": "Intro call",
        "time_zone": "UTC",
        "availability.weekly.friday": "1-3",
        "override_date": [row[0] for row in rows],
        "override_until": [row[1] for row in rows],
        "override_hours": [row[2] for row in rows],
    }
    answer = person.post(NEW, form)
    assert answer.status_code == 422
    said = [
        error_at(answer, f"override-{number}").replace("\u202f", " ")
        for number in range(1, len(rows) + 1)
    ]
    assert said == [row[3] for row in rows]
    assert owner.get("/calendars").json["items"] == []


def test_the_rules_for_changes_are_saved_and_shown_again(person: SignedIn, owner: Owner) -> None:
    rules = {
        "cancel_notice_minutes": "2",
        "cancel_notice_unit": "days",
        "reschedule_notice_minutes": "90",
        "reschedule_notice_unit": "minutes",
        "reschedule_limit": "0",
        "reminder_minutes": "48",
        "reminder_unit": "hours",
        "contact": "Call 555-0100.",
    }
    form = filled_in(person.get(NEW))
    assert (form["reminder_minutes"], form["reminder_unit"]) == (["1"], "days")
    form |= {"name": "Intro call", "time_zone": "UTC"} | rules
    assert person.post(NEW, form).status_code == 303
    calendar = the_calendar(owner)
    assert (calendar["cancel_notice_minutes"], calendar["reschedule_notice_minutes"]) == (2880, 90)
    assert (calendar["reschedule_limit"], calendar["reminder_minutes"]) == (0, 2880)
    assert calendar["contact"] == "Call 555-0100."
    again = filled_in(person.get(f"/settings/calendars/{calendar['id']}"))
    shown = rules | {"reminder_minutes": "2", "reminder_unit": "days"}
    assert {name: again[name] for name in shown} == {
        name: value if name.endswith("_unit") else [value] for name, value in shown.items()
    }


def test_everything_wrong_is_said_at_once_beside_its_field(person: SignedIn, owner: Owner) -> None:
    form = filled_in(person.get(NEW)) | {
        "name": " ",
        "time_zone": "Atlantis",
        "duration_minutes": "half",
        "booking_window_days": "999",
        "minimum_notice_minutes": "366",
        "minimum_notice_unit": "days",
        "reminder_minutes": "31",
        "reminder_unit": "days",
        "reschedule_limit": "101",
        "availability.weekly.monday": "lunch",
        "availability.weekly.tuesday": "9-12, 11-14",
        "override_date": ["", "2026-12-24", "2026-12-24", "24/12"],
        "override_hours": ["9-12", "9-10", "closed", ""],
    }
    answer = person.post(NEW, form)
    assert answer.status_code == 422
    assert error_at(answer, "name") == "Enter a name."
    assert "IANA" in error_at(answer, "time_zone")
    assert error_at(answer, "duration_minutes") == "Enter a whole number."
    assert error_at(answer, "booking_window_days") == "Must be between 1 and 365."
    assert error_at(answer, "minimum_notice_minutes") == "Enter 0 to 365 days."
    assert error_at(answer, "reminder_minutes") == "Enter 0 to 30 days."
    assert error_at(answer, "reschedule_limit") == "Must be between 0 and 100."
    assert error_at(answer, "availability.weekly.monday").startswith("Enter hours such as")
    assert "must not overlap" in error_at(answer, "availability.weekly.tuesday")
    assert error_at(answer, "override-1") == "Choose a date for these hours."
    assert error_at(answer, "override-2") == "This date appears twice."
    assert error_at(answer, "override-3") == "This date appears twice."
    assert "YYYY-MM-DD" in error_at(answer, "override-4")
    assert '<details class="card" open>' in text(answer)
    kept = filled_in(answer)
    assert kept["availability.weekly.monday"] == ["lunch"]
    assert kept["duration_minutes"] == ["half"]
    assert kept["override_date"][:4] == form["override_date"]
    assert owner.get("/calendars").json["items"] == []


@pytest.mark.parametrize(
    ("hours", "sentence"),
    [
        (
            "12-9",
            "12:00 PM–9:00 AM ends before it starts. Did you mean 12:00 PM–9:00 PM?",
        ),
        (
            "20:00-8:30",
            "8:00 PM–8:30 AM ends before it starts. Did you mean 8:00 PM–8:30 PM?",
        ),
        (
            "9-5",
            "9:00 AM–5:00 AM ends before it starts. Did you mean 9:00 AM–5:00 PM?",
        ),
        ("22-21", "10:00 PM–9:00 PM ends before it starts."),
    ],
)
def test_hours_that_end_before_they_start_are_refused_with_a_guess(
    person: SignedIn, owner: Owner, hours: str, sentence: str
) -> None:
    form = filled_in(person.get(NEW)) | {
        "name": "Intro call",
        "availability.weekly.monday": hours,
        "override_date": ["2026-12-24"],
        "override_hours": [hours],
    }
    answer = person.post(NEW, form)
    assert [
        error_at(answer, field).replace("\u202f", " ")
        for field in ("availability.weekly.monday", "override-1")
    ] == [sentence] * 2
    assert owner.get("/calendars").json["items"] == []


def test_limits_are_told_in_the_readers_language(person: SignedIn) -> None:
    form = filled_in(person.get(NEW)) | {"duration_minutes": "0", "minimum_notice_minutes": "-1"}
    answer = person.post(NEW, form, headers={"Accept-Language": "de"})
    assert error_at(answer, "duration_minutes") == "Muss zwischen 1 und 1440 liegen."
    assert error_at(answer, "minimum_notice_minutes") == "Geben Sie 0 bis 365 Tage ein."


@pytest.mark.parametrize(
    ("days", "closed"), [("working", ["saturday", "sunday"]), ("all", [])], ids=["working", "all"]
)
def test_hours_are_copied_to_other_days_without_saving(
    person: SignedIn, owner: Owner, days: str, closed: list[str]
) -> None:
    form = filled_in(person.get(NEW)) | {
        "name": "Intro call",
        "availability.weekly.wednesday": "8-11",
        "do": "copy",
        "copy_from": "wednesday",
        "copy_to": days,
    }
    answer = person.post(NEW, form)
    assert answer.status_code == 200
    copied = filled_in(answer)
    assert copied["name"] == ["Intro call"]
    for day in WEEKDAYS:
        assert copied[f"availability.weekly.{day}"] == ["" if day in closed else "8-11"]
    assert owner.get("/calendars").json["items"] == []


def test_a_calendar_is_duplicated_also_when_it_is_archived(person: SignedIn, owner: Owner) -> None:
    given = calendar_json(
        name="N" * 200,
        contact="Call 555-0100.",
        availability={"weekly": {"monday": [["09:00", "17:00"]]}, "overrides": {"2026-12-24": []}},
    )
    original = owner.post("/calendars", given).json
    owner.post(f"/calendars/{original['id']}/archive")
    address = f"{NEW}?like={original['id']}"
    assert f'href="{address}"' in text(person.get(CALENDARS))
    form = filled_in(person.get(address))
    assert form["name"] == ["Copy of " + "N" * 192]
    assert person.post(address, form | {"name": "Second"}).status_code == 303
    copy = next(each for each in owner.get("/calendars").json["items"] if each["name"] == "Second")
    own = {"id", "name", "version", "archived", "position", "created_at"}
    assert {name: value for name, value in copy.items() if name not in own} == {
        name: value for name, value in original.items() if name not in own
    }


def test_archiving_asks_first_and_cannot_be_edited_after(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address))
    asked = person.get(f"{address}/archive")
    assert "Archive Intro call?" in words(asked)
    assert not the_calendar(owner)["archived"]
    answer = person.post(f"{address}/archive")
    page = person.get(answer.headers["Location"])
    assert "Calendar archived." in words(page)
    assert words(page).index("Archived") < words(page).index("Intro call")
    assert f"{address}/share" not in text(page)
    assert person.get(address).status_code == 409
    assert person.post(address, form).status_code == 409


def test_calendars_of_other_owners_are_not_found(
    person: SignedIn, new_owner: Callable[..., Owner], app: Flask
) -> None:
    other = new_owner("Peter Other")
    theirs = f"{CALENDARS}/{other.post('/calendars', calendar_json(name='Theirs')).json['id']}"
    assert "Theirs" not in words(person.get(CALENDARS))
    form = filled_in(person.get(NEW)) | {"name": "Mine", "time_zone": "UTC", "version": "1"}
    for answer in (
        person.get(theirs),
        person.get(f"{theirs}/archive"),
        person.get(f"{NEW}?like={theirs.rpartition('/')[2]}"),
        person.post(theirs, form),
        person.post(theirs, form | {"version": "7"}),
        person.post(f"{theirs}/archive"),
    ):
        assert answer.status_code == 404
    assert app.test_client().get(CALENDARS).headers["Location"].startswith("/?next=")
