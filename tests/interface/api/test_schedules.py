"""Schedules over HTTP: create, read, change, follow, archive."""

from collections.abc import Callable
from typing import Any

from domain.errors import ScheduleNotFound
from interface.bootstrap import Services
from tests.support.examples import SCHEDULE_JSON, calendar_json
from tests.support.http_desk import refusal, unknown_id, wrong_fields
from tests.support.owner import Owner
from tests.support.stored_rows import recorded

ANY = {"If-Match": "*"}
EVENINGS = {"weekly": {"tuesday": [["18:00", "21:00"]]}, "overrides": {}}


def new_schedule(owner: Owner, **changes: Any) -> Any:
    return owner.post("/schedules", SCHEDULE_JSON | changes).json["id"]


def follower(owner: Owner, schedule_id: str, **changes: Any) -> Any:
    """Creates a calendar that follows a schedule, and returns the answer."""
    given = calendar_json(schedule_id=schedule_id, **changes)
    del given["time_zone"], given["availability"]
    return owner.post("/calendars", given)


def test_a_schedule_is_created_read_and_listed(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    created = owner.post("/schedules", SCHEDULE_JSON)
    schedule_id = created.json["id"]
    assert created.status_code == 201
    assert created.json == SCHEDULE_JSON | {"id": schedule_id, "calendar_ids": []}
    assert created.headers["Location"] == f"/api/v1/schedules/{schedule_id}"
    assert created.headers["X-Log-Position"] == str(services.event_store.head())
    new_schedule(new_owner("Bob Other"))
    read = owner.get(f"/schedules/{schedule_id}")
    assert (read.json, read.headers["ETag"]) == (created.json, '"1"')
    assert owner.get("/schedules").json == {"items": [created.json]}


def test_one_change_of_a_schedule_moves_all_calendars_that_follow_it(owner: Owner) -> None:
    schedule_id = new_schedule(owner)
    followers = [follower(owner, schedule_id, name=name).json for name in ("A", "B")]
    ids = [calendar["id"] for calendar in followers]
    for calendar in followers:
        assert calendar["schedule_id"] == schedule_id
        assert calendar["availability"] == SCHEDULE_JSON["availability"]
        assert calendar["time_zone"] == "Europe/Paris"
    change = {"time_zone": "UTC", "availability": EVENINGS}
    changed = owner.patch(f"/schedules/{schedule_id}", change, **{"If-Match": '"3"'})
    assert (changed.status_code, changed.headers["ETag"]) == (200, '"4"')
    assert changed.json == SCHEDULE_JSON | change | {"id": schedule_id, "calendar_ids": ids}
    for calendar in followers:
        read = owner.get(f"/calendars/{calendar['id']}")
        assert (read.json, read.headers["ETag"]) == (calendar | change, '"2"')


def test_weekly_hours_and_overrides_of_a_schedule_are_changed_independently(owner: Owner) -> None:
    path = f"/schedules/{new_schedule(owner)}"
    owner.patch(path, {"availability": {"weekly": {}}}, **ANY)
    changed = owner.patch(path, {"name": "Closed"}, **ANY).json
    assert changed["name"] == "Closed"
    assert changed["availability"] == SCHEDULE_JSON["availability"] | {"weekly": {}}


def test_a_change_that_names_all_but_the_overrides_leaves_those_as_they_are(owner: Owner) -> None:
    path = f"/schedules/{new_schedule(owner)}"
    all_but_overrides = SCHEDULE_JSON | {"availability": {"weekly": {}}}
    changed = owner.patch(path, all_but_overrides, **ANY).json
    assert changed["availability"] == SCHEDULE_JSON["availability"] | {"weekly": {}}


def test_a_change_of_another_version_of_a_schedule_is_refused(owner: Owner) -> None:
    path = f"/schedules/{new_schedule(owner)}"
    owner.patch(path, {"name": "Early"}, **{"If-Match": '"1"'})
    refused = owner.patch(path, {"name": "Late"}, **{"If-Match": '"1"'})
    assert refusal(refused) == (412, "stale-version")
    assert refusal(owner.patch(path, {"name": "Late"})) == (428, "precondition-required")


def test_a_calendar_follows_a_schedule_and_has_its_own_hours_again(owner: Owner) -> None:
    schedule_id = new_schedule(owner)
    path = f"/calendars/{owner.new_calendar()}"
    follows = owner.patch(path, {"schedule_id": schedule_id}, **ANY).json
    assert follows["availability"] == SCHEDULE_JSON["availability"]
    refused = owner.patch(path, {"availability": EVENINGS}, **ANY)
    assert wrong_fields(refused) == {"schedule_id"}
    assert owner.patch(path, {"name": "Renamed"}, **ANY).json["schedule_id"] == schedule_id
    own = owner.patch(path, {"schedule_id": None, "availability": EVENINGS}, **ANY).json
    assert (own["schedule_id"], own["time_zone"]) == (None, "Europe/Paris")
    assert own["availability"] == EVENINGS
    assert owner.get(f"/schedules/{schedule_id}").json["calendar_ids"] == []


def test_a_calendar_has_its_hours_from_one_place(owner: Owner, services: Services) -> None:
    schedule_id = new_schedule(owner)
    calendar_id = owner.new_calendar()
    before = recorded(services)
    both = owner.post("/calendars", calendar_json(schedule_id=schedule_id))
    assert wrong_fields(both) == {"time_zone", "availability"}
    neither = owner.post("/calendars", {"name": "Call", "duration_minutes": 30})
    assert wrong_fields(neither) == {"time_zone", "availability"}
    change = {"schedule_id": schedule_id, "time_zone": "UTC"}
    assert wrong_fields(owner.patch(f"/calendars/{calendar_id}", change, **ANY)) == {"time_zone"}
    for nothing in (unknown_id(), calendar_id):
        assert wrong_fields(follower(owner, nothing)) == {"schedule_id"}
    assert recorded(services) == before


def test_a_schedule_is_archived_and_its_calendars_keep_a_copy(owner: Owner) -> None:
    schedule_id = new_schedule(owner)
    calendar = follower(owner, schedule_id).json
    path = f"/schedules/{schedule_id}/archive"
    assert refusal(owner.post(path)) == (409, "schedule-in-use")
    first = owner.post(path, {"release_calendars": True})
    assert (first.status_code, first.json["calendar_ids"]) == (200, [])
    again = owner.post(path)
    assert (again.json, again.headers["ETag"]) == (first.json, first.headers["ETag"])
    kept = owner.get(f"/calendars/{calendar['id']}").json
    assert kept == calendar | {"schedule_id": None}
    assert owner.get("/schedules").json == {"items": []}
    assert refusal(owner.get(f"/schedules/{schedule_id}")) == (404, "not-found")


def test_a_schedule_of_another_owner_is_not_found(
    owner: Owner, new_owner: Callable[..., Owner], services: Services
) -> None:
    theirs = new_schedule(new_owner("Bob Other"))
    calendar_id = owner.new_calendar()
    before = recorded(services)
    for schedule_id in (theirs, unknown_id(), calendar_id):
        path = f"/schedules/{schedule_id}"
        for refused in (
            owner.get(path),
            owner.patch(path, {"name": "X"}, **ANY),
            owner.post(f"{path}/archive"),
        ):
            assert refusal(refused) == (404, "not-found")
            assert refused.json["detail"] == str(ScheduleNotFound())
    assert wrong_fields(follower(owner, theirs)) == {"schedule_id"}
    assert recorded(services) == before
