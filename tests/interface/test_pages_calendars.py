"""Settings → Calendars: the list, the form, its preview, and two tabs at once."""

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from domain.booking_rules import WEEKDAYS
from tests.conftest import Owner
from tests.examples import NOW, calendar_json, redeem_json
from tests.pages import SignedIn

CALENDARS = "/settings/calendars"
NEW = f"{CALENDARS}/new"
PREVIEW = f"{CALENDARS}/preview"


@pytest.fixture(autouse=True)
def _projector_keeps_up(monkeypatch: pytest.MonkeyPatch, catch_up: Callable[[], None]) -> None:
    monkeypatch.setattr("projections.positions.wait_for", lambda *_: catch_up())


@pytest.fixture
def calendar_id(owner: Owner) -> str:
    """Every day from 9 to 5 UTC, half an hour each."""
    created: str = owner.post("/calendars", calendar_json()).json["id"]
    return created


def text(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def words(answer: Any) -> str:
    """What is to be read on a page, without tags, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.get_data(as_text=True))).split())


def filled_in(answer: Any) -> dict[str, Any]:
    """The form of a page, as a browser would send it."""
    page = answer.get_data(as_text=True)
    form = page[page.index('<form id="calendar"') : page.index("</form>", page.index('"calendar"'))]
    sent: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf' {part}="([^"]*)"', tag) for part in ("name", "value"))
        assert name is not None
        sent.setdefault(name[1], []).append(html.unescape(value[1]) if value else "")
    for name, inner in re.findall(r'<textarea [^>]*name="(\w+)"[^>]*>([^<]*)<', form):
        sent[name] = html.unescape(inner)
    for name, inner in re.findall(r'<select [^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="(\w+)" selected', inner) or re.search(r'value="(\w+)"', inner)
        assert chosen is not None
        sent[name] = chosen[1]
    return sent


def the_calendar(owner: Owner) -> dict[str, Any]:
    (calendar,) = owner.get("/calendars").json["items"]
    found: dict[str, Any] = calendar
    return found


def error_at(answer: Any, name: str) -> str:
    """The sentence beside a field."""
    found = re.search(rf'<small id="{re.escape(name)}-help" class="error">([^<]*)<', text(answer))
    return found[1].strip() if found else ""


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
    assert "1 hour 30 minutes · America/New York" in page
    assert "Mon–Thu 09:00–12:00, 13:00–17:00 Sat 10:00–12:00" in page
    assert "Fri" not in page


def test_each_calendar_has_a_menu_with_share_edit_and_archive(
    person: SignedIn, calendar_id: str
) -> None:
    page = text(person.get(CALENDARS))
    menu = page[page.index("popover class") : page.index("</ul>", page.index("popover class"))]
    assert re.findall(r">(\w+)</a>", menu) == ["Share", "Edit", "Archive"]
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


def test_everything_wrong_is_said_at_once_beside_its_field(person: SignedIn, owner: Owner) -> None:
    form = filled_in(person.get(NEW)) | {
        "name": " ",
        "time_zone": "Atlantis",
        "duration_minutes": "half",
        "booking_window_days": "999",
        "minimum_notice_minutes": "366",
        "minimum_notice_unit": "days",
        "availability.weekly.monday": "lunch",
        "availability.weekly.tuesday": "9-12, 11-14",
        "override_date": ["", "2026-12-24", "2026-12-24", "24/12"],
        "override_hours": ["9-12", "9-10", "closed", ""],
    }
    answer = person.post(NEW, form)
    assert answer.status_code == 422
    assert error_at(answer, "name") == "Must not be empty."
    assert "IANA" in error_at(answer, "time_zone")
    assert error_at(answer, "duration_minutes") == "Must be a whole number."
    assert error_at(answer, "booking_window_days") == "Must be between 1 and 365."
    assert error_at(answer, "minimum_notice_minutes") == "Must not be longer than 365 days."
    assert error_at(answer, "availability.weekly.monday").startswith("Write hours as in")
    assert "must not overlap" in error_at(answer, "availability.weekly.tuesday")
    assert error_at(answer, "override-1") == "Choose the date of these hours."
    assert error_at(answer, "override-2") == "This date is given twice."
    assert error_at(answer, "override-3") == "This date is given twice."
    assert "YYYY-MM-DD" in error_at(answer, "override-4")
    assert '<details class="card" open>' in text(answer)
    kept = filled_in(answer)
    assert kept["availability.weekly.monday"] == ["lunch"]
    assert kept["duration_minutes"] == ["half"]
    assert kept["override_date"][:4] == form["override_date"]
    assert owner.get("/calendars").json["items"] == []


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


def test_the_preview_shows_what_the_unsaved_form_would_offer(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    link = owner.post(f"/calendars/{calendar_id}/links", {}).json
    start = NOW.replace(day=24, hour=10).isoformat()
    person.get(CALENDARS)
    assert (
        owner.client.post(
            f"/api/v1/booking-links/{link['token']}/redeem", json=redeem_json(start)
        ).status_code
        == 201
    )
    form = filled_in(person.get(f"{CALENDARS}/{calendar_id}")) | {
        "name": "",  # not typed yet
        "duration_minutes": "60",
        **{f"availability.weekly.{day}": "" for day in WEEKDAYS},
        "availability.weekly.tuesday": "9-12",
    }
    answer = person.post(PREVIEW, form, headers={"Accept-Language": "en-GB"})
    assert answer.status_code == 200
    assert "<html" not in text(answer)
    assert words(answer).startswith("2 times can be booked. Times shown in UTC.")
    assert "Tue 24 Nov 09:00 11:00" in words(answer)  # 10:00 is booked
    assert "Wed 25 Nov no times" in words(answer)
    whole_page = words(person.post(f"{CALENDARS}/{calendar_id}", form | {"do": "preview"}))
    assert "2 times can be booked." in whole_page
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
        "once this is filled in: Time zone, Duration, Friday, Other hours on some dates."
    )


def test_the_preview_of_an_empty_week_names_the_first_free_day(person: SignedIn) -> None:
    form = filled_in(person.get(NEW)) | {"time_zone": "UTC", "minimum_notice_minutes": "240"}
    answer = words(person.post(PREVIEW, form))
    assert "The first free times are on Thursday, 3 December 2026" in answer or (
        "The first free times are on Thursday, December 3, 2026" in answer
    )
    closed = {f"availability.weekly.{day}": "" for day in WEEKDAYS}
    assert "Nor later" in words(person.post(PREVIEW, form | closed))


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
    assert "Monday 10:00–12:00 not changed by you" in notice
    merged = filled_in(answer)
    assert merged["duration_minutes"] == ["20"]
    assert merged["location"] == ["Room 2"]
    assert merged["availability.weekly.monday"] == ["10:00–12:00"]
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
    assert "Minimum notice 30 minutes not changed by you" in words(answer)
    merged = filled_in(answer)
    assert (merged["minimum_notice_minutes"], merged["minimum_notice_unit"]) == (["30"], "minutes")


def test_the_same_change_sent_twice_is_a_quiet_success(
    person: SignedIn, owner: Owner, calendar_id: str
) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address)) | {"name": "Renamed"}
    assert [person.post(address, form).status_code for _ in range(2)] == [303, 303]
    assert the_calendar(owner)["name"] == "Renamed"


def test_a_version_that_never_was_shows_all_differences(person: SignedIn, calendar_id: str) -> None:
    address = f"{CALENDARS}/{calendar_id}"
    form = filled_in(person.get(address)) | {"name": "Renamed"}
    for version in ("", "0", "-1", "x", "9" * 30):
        answer = person.post(address, form | {"version": version})
        assert answer.status_code == 412
        assert "Name Intro call Renamed" in words(answer)


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


def test_calendars_of_others_are_not_there(
    person: SignedIn, new_owner: Callable[..., Owner], app: Flask
) -> None:
    other = new_owner("Peter Other")
    theirs = f"{CALENDARS}/{other.post('/calendars', calendar_json(name='Theirs')).json['id']}"
    assert "Theirs" not in words(person.get(CALENDARS))
    form = filled_in(person.get(NEW)) | {"name": "Mine", "time_zone": "UTC", "version": "1"}
    for answer in (
        person.get(theirs),
        person.get(f"{theirs}/archive"),
        person.post(theirs, form),
        person.post(theirs, form | {"version": "7"}),
        person.post(f"{theirs}/archive"),
    ):
        assert answer.status_code == 404
    assert app.test_client().get(CALENDARS).headers["Location"].startswith("/?next=")
