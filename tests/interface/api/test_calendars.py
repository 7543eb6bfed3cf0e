"""Calendars over HTTP: create, read, change, archive."""

from collections.abc import Callable
from typing import Any

from domain.errors import CalendarNotFound
from interface.bootstrap import Services
from tests.support.examples import calendar_json
from tests.support.http_desk import refusal, unknown_id, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded


def test_a_calendar_is_created_with_all_fields(owner: Owner, services: Services) -> None:
    given = calendar_json(
        start_increment_minutes=15,
        buffer_before_minutes=5,
        buffer_after_minutes=10,
        minimum_notice_minutes=60,
        booking_window_days=365,
        location="Room 1",
        description="Two\nlines 🙂",
        cancel_notice_minutes=120,
        reschedule_notice_minutes=60,
        reschedule_limit=0,
        contact="Call 555-0100.",
        reminder_minutes=0,
        availability={
            "weekly": {"monday": [["13:00", "24:00"], ["00:00", "12:00"]], "friday": []},
            "overrides": {"2026-12-24": []},
        },
    )
    created = owner.post("/calendars", given)
    assert created.status_code == 201
    calendar_id = created.json["id"]
    given["availability"]["weekly"]["monday"].sort()
    assert created.json == given | {"id": calendar_id, "schedule_id": None, "archived": False}
    assert created.headers["Location"] == f"/api/v1/calendars/{calendar_id}"
    assert created.headers["ETag"] == '"1"'
    assert created.headers["X-Log-Position"] == str(services.event_store.head())

    read = owner.get(f"/calendars/{calendar_id}")
    assert (read.status_code, read.json) == (200, created.json)
    assert read.headers["ETag"] == '"1"'
    assert "X-Log-Position" not in read.headers


def test_fields_left_out_of_a_calendar_have_defaults(owner: Owner) -> None:
    given = calendar_json()
    del given["minimum_notice_minutes"]
    created = owner.post("/calendars", given).json
    assert created["start_increment_minutes"] == given["duration_minutes"]
    assert (created["buffer_before_minutes"], created["buffer_after_minutes"]) == (0, 0)
    assert created["minimum_notice_minutes"] == 240
    assert created["booking_window_days"] == 60
    assert (created["location"], created["description"]) == ("", "")
    assert created["availability"]["overrides"] == {}


def test_calendars_are_listed_in_the_order_of_creation_with_archived_ones(
    owner: Owner, new_owner: Callable[..., Owner]
) -> None:
    ids = [owner.new_calendar(name=name) for name in ("C", "A", "B")]
    new_owner("Bob Other").new_calendar()
    owner.post(f"/calendars/{ids[1]}/archive")
    items = owner.get("/calendars").json["items"]
    assert [(item["id"], item["archived"]) for item in items] == [
        (ids[0], False),
        (ids[1], True),
        (ids[2], False),
    ]


def test_a_change_keeps_all_that_it_does_not_name(owner: Owner) -> None:
    changes: list[dict[str, Any]] = [
        {"name": "Longer call"},
        {"duration_minutes": 45},
        {"start_increment_minutes": 10},
        {"time_zone": "Europe/Paris"},
        {"buffer_before_minutes": 5, "buffer_after_minutes": 6},
        {"minimum_notice_minutes": 1, "booking_window_days": 2},
        {"location": "Room 2", "description": ""},
        {"availability": {"weekly": {"sunday": []}, "overrides": {"2027-01-01": []}}},
    ]
    known = owner.post("/calendars", calendar_json(location="Room 1", description="Hello."))
    path = f"/calendars/{known.json['id']}"
    for version, change in enumerate(changes, start=2):
        changed = owner.patch(path, change, **{"If-Match": known.headers["ETag"]})
        assert changed.status_code == 200, change
        assert changed.json == known.json | change
        assert changed.headers["ETag"] == f'"{version}"'
        assert int(changed.headers["X-Log-Position"]) > int(known.headers["X-Log-Position"])
        read = owner.get(path)
        assert (read.json, read.headers["ETag"]) == (changed.json, f'"{version}"')
        known = changed


def test_weekly_hours_and_overrides_are_changed_independently(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    weekly = owner.get(path).json["availability"]["weekly"]
    overrides = {"2026-12-24": [["09:00", "12:00"]]}
    first = owner.patch(path, {"availability": {"overrides": overrides}}, **{"If-Match": '"1"'})
    assert first.json["availability"] == {"weekly": weekly, "overrides": overrides}
    second = owner.patch(path, {"availability": {"weekly": {}}}, **{"If-Match": '"2"'})
    assert second.json["availability"] == {"weekly": {}, "overrides": overrides}


def test_a_change_to_the_current_values_records_nothing(owner: Owner, services: Services) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    before = recorded(services)
    for change in ({}, {"name": "Intro call"}):
        changed = owner.patch(path, change, **{"If-Match": '"1"'})
        assert (changed.status_code, changed.headers["ETag"]) == (200, '"1"')
        assert changed.headers["X-Log-Position"] == str(services.event_store.head())
    assert recorded(services) == before


def test_a_change_has_to_name_the_version_that_it_changes(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    assert refusal(owner.patch(path, {"name": "X"})) == (428, "precondition-required")
    assert owner.get(path).headers["ETag"] == '"1"'


def test_a_change_of_another_version_is_refused(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    owner.patch(path, {"name": "By somebody else"}, **{"If-Match": '"1"'})
    for tag in (
        '"1"',
        'W/"2"',
        '"3"',
        '"0"',
        '"-2"',
        '"two"',
        "",
        '"',
        '""',
        '"²"',
        f'"{"9" * 99}"',
    ):
        refused = owner.patch(path, {"name": "X"}, **{"If-Match": tag})
        assert refusal(refused) == (412, "stale-version"), tag
    assert owner.get(path).json["name"] == "By somebody else"


def test_a_change_of_any_version_or_of_one_of_several_is_taken(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    for number, tags in enumerate(('"1"', "*", '"1", "3"', '"4", "2"', 'W/"1", "5"')):
        changed = owner.patch(path, {"name": f"Name {number}"}, **{"If-Match": tags})
        assert changed.json["name"] == f"Name {number}", tags


def test_an_invalid_change_is_refused_as_a_whole(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    change = {"name": "X", "duration_minutes": 0, "buffer_after_minutes": 1441}
    refused = owner.patch(path, change, **{"If-Match": '"1"'})
    assert wrong_fields(refused) == {"duration_minutes", "buffer_after_minutes"}
    assert owner.get(path).json["name"] == "Intro call"


def test_archiving_twice_is_archiving_once(owner: Owner, services: Services) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    first = owner.post(f"{path}/archive")
    assert (first.status_code, first.json["archived"]) == (200, True)
    assert first.headers["ETag"] == '"2"'
    before = recorded(services)
    again = owner.post(f"{path}/archive", {})
    assert (again.status_code, again.json) == (200, first.json)
    assert again.headers["ETag"] == '"2"'
    assert recorded(services) == before
    assert owner.get(path).json == first.json


def test_an_archived_calendar_takes_no_change(owner: Owner) -> None:
    path = f"/calendars/{owner.new_calendar()}"
    owner.post(f"{path}/archive")
    refused = owner.patch(path, {"name": "X"}, **{"If-Match": '"2"'})
    assert refusal(refused) == (409, "calendar-archived")


def test_a_calendar_of_another_owner_is_not_found(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    theirs = owner.new_calendar()
    a_link = owner.new_link(theirs)["id"]
    other = new_owner("Bob Other")
    before = recorded(services)
    for calendar_id in (theirs, a_link, unknown_id()):
        path = f"/calendars/{calendar_id}"
        for refused in (
            other.get(path),
            other.patch(path, {"name": "X"}, **{"If-Match": "*"}),
            other.post(f"{path}/archive"),
            other.post(f"{path}/links", {}),
            other.post(f"{path}/links/batch", {"links": [{}]}),
        ):
            assert refusal(refused) == (404, "not-found")
            assert refused.json["detail"] == str(CalendarNotFound())
    assert recorded(services) == before
    assert other.get("/calendars").json == {"items": []}


def test_the_free_slots_of_a_calendar_are_those_of_a_link_without_an_offer(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    owner.catch_up()
    slots = owner.get(f"/calendars/{calendar_id}/slots").json
    link = owner.new_link(calendar_id)
    assert slots == owner.call("GET", f"/api/v1/booking-links/{link['token']}/slots").json
    assert slots["slots"]
    owner.archive(calendar_id)
    owner.catch_up()
    assert refusal(owner.get(f"/calendars/{calendar_id}/slots")) == (409, "calendar-archived")
