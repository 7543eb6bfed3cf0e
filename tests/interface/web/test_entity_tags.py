"""Polling: whoever has the newest response gets 304, and whatever may change it changes its tag."""

from collections.abc import Callable
from typing import Any

import pytest

from interface.bootstrap import Services
from projections.open_slots import OpenSlots
from projections.views import booking_calendar, link_list
from tests.support.clock import Clock
from tests.support.examples import A_DAY, HALF_PAST_NINE, NINE
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner


def read(owner: Owner, path: str, tag: str = "") -> Any:
    owner.catch_up()
    headers = owner.headers | ({"If-None-Match": tag} if tag else {})
    return owner.client.get(f"/api/v1{path}", headers=headers)


@pytest.fixture
def polled(owner: Owner) -> dict[str, str]:
    """Everything with a tag, by what it is."""
    calendar_id = owner.new_calendar()
    booking_id = owner.book(owner.new_link(calendar_id))["booking_id"]
    link = owner.new_link(calendar_id)
    return {
        "links": "/links?limit=10",
        "link": f"/links/{link['id']}",
        "bookings": f"/bookings?from={A_DAY}T00:00:00Z",
        "booking": f"/bookings/{booking_id}",
        "slots": f"/booking-links/{link['token']}/slots?from={A_DAY}",
    }


def tags_of(owner: Owner, polled: dict[str, str]) -> dict[str, str]:
    tags = {}
    for name, path in polled.items():
        answer = read(owner, path)
        assert answer.status_code == 200, name
        tags[name] = answer.headers["ETag"]
        assert tags[name].startswith('"1-' if name == "link" else 'W/"'), name
    return tags


def test_an_asterisk_stands_for_no_response(owner: Owner, polled: dict[str, str]) -> None:
    for name, path in polled.items():
        assert read(owner, path, "*").status_code == 200, name
    assert read(owner, f"/links/{unknown_id()}", "*").status_code == 404
    assert read(owner, "/bookings?to=never", "*").status_code == 422


def test_what_has_not_changed_is_answered_without_looking_it_up(
    owner: Owner, polled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tags = tags_of(owner, polled)

    def looked_up(*_: object, **__: object) -> None:
        raise AssertionError("it was looked up")

    for module, name in (
        (link_list, "links_of"),
        (link_list, "link_of"),
        (booking_calendar, "bookings_of"),
        (booking_calendar, "booking_of"),
        (OpenSlots, "whole_days"),
    ):
        monkeypatch.setattr(module, name, looked_up)
    for name, path in polled.items():
        answer = read(owner, path, tags[name])
        assert (answer.status_code, answer.data) == (304, b""), name
        assert answer.headers["ETag"] == tags[name]


def test_a_write_changes_every_tag(owner: Owner, polled: dict[str, str]) -> None:
    tags = tags_of(owner, polled)
    owner.book(owner.new_link(owner.new_calendar()), HALF_PAST_NINE)
    for name, path in polled.items():
        answer = read(owner, path, tags[name])
        assert answer.status_code == 200, name
        assert answer.headers["ETag"] != tags[name]


def test_a_forgotten_invitee_changes_the_tag_before_the_view_knows(
    owner: Owner, polled: dict[str, str]
) -> None:
    tag = tags_of(owner, polled)["booking"]
    owner.post(f"{polled['booking']}/forget-invitee")
    headers = owner.headers | {"If-None-Match": tag}
    answer: Any = owner.client.get(f"/api/v1{polled['booking']}", headers=headers)
    assert (answer.status_code, answer.json["invitee"]) == (200, None)


def test_where_the_clock_decides_a_tag_lasts_for_a_minute(
    owner: Owner, polled: dict[str, str], clock: Clock
) -> None:
    clock.advance(seconds=5)
    tags = tags_of(owner, polled)
    clock.advance(seconds=50)
    assert {name for name, path in polled.items() if read(owner, path, tags[name]).data} == set()
    clock.advance(seconds=10)
    changed = {name for name, path in polled.items() if read(owner, path, tags[name]).data}
    assert changed == {"links", "link", "slots"}


def test_a_tag_is_that_of_one_address_and_one_reader(
    owner: Owner, polled: dict[str, str], new_owner: Callable[..., Owner]
) -> None:
    tag = tags_of(owner, polled)["links"]
    assert read(owner, "/links?limit=11", tag).status_code == 200
    answer = read(new_owner("Bob Other"), polled["links"], tag)
    assert (answer.status_code, answer.json["items"]) == (200, [])


def test_a_link_that_ended_is_refused_whatever_tag_is_named(
    owner: Owner, polled: dict[str, str], clock: Clock
) -> None:
    link = owner.new_link(expires_in_days=1)
    path = f"/booking-links/{link['token']}/slots"
    tag = read(owner, path).headers["ETag"]
    clock.advance(days=1)
    assert read(owner, path, tag).status_code == 410


def test_a_view_that_was_rebuilt_has_another_tag(
    owner: Owner, polled: dict[str, str], services: Services
) -> None:
    tags = tags_of(owner, polled)
    with services.database.connection() as conn:
        conn.execute(
            """INSERT INTO rebuilds (id, name, kind, state, by_projector, finished_at)
            VALUES (gen_random_uuid(), %s, 'rebuild', 'done', true, now())""",
            (booking_calendar.NAME,),
        )
    changed = {name for name, path in polled.items() if read(owner, path, tags[name]).data}
    assert changed == {"bookings", "booking", "slots"}


def test_every_tag_that_is_named_counts(owner: Owner, polled: dict[str, str]) -> None:
    tag = tags_of(owner, polled)["bookings"]
    for named, status in ((f'"x", {tag}', 304), (tag.removeprefix("W/"), 304), ('"x"', 200)):
        assert read(owner, polled["bookings"], named).status_code == status
    assert NINE in read(owner, polled["bookings"]).get_data(as_text=True)
