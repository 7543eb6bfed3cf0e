"""Calendars elsewhere over HTTP."""

from collections.abc import Callable

import pytest

from tests.support.http_desk import created, refusal, unknown_id, wrong_fields
from tests.support.owner import Owner

BUSY = "/busy-calendars"
URL = "https://93.184.216.34/private-3f9a/basic.ics"
ADDED_AT = "2026-11-23T08:00:00Z"


def test_an_owner_adds_sees_and_removes_a_calendar_whose_address_stays_secret(
    owner: Owner,
) -> None:
    answer = owner.post(BUSY, {"url": URL, "name": "Family"})
    added = created(answer)
    assert added == {
        "id": added["id"],
        "name": "Family",
        "url": "https://93.184.216.34/…",
        "created_at": ADDED_AT,
        "last_read_at": None,
        "problem": None,
        "problem_since": None,
    }
    assert owner.call("GET", answer.headers["Location"], **owner.headers).json == added
    assert owner.get(BUSY).json == {"items": [added]}
    asked = owner.post(f"{BUSY}/{added['id']}/read")
    assert (asked.status_code, asked.json) == (202, added)
    path = f"/api/v1{BUSY}/{added['id']}"
    assert owner.call("DELETE", path, **owner.headers).status_code == 204
    assert refusal(owner.call("DELETE", path, **owner.headers)) == (404, "not-found")
    assert owner.get(BUSY).json == {"items": []}


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "[::ffff:10.0.0.1]", "169.254.169.254"])
def test_an_address_inside_the_network_is_refused_and_not_stored(owner: Owner, host: str) -> None:
    answer = owner.post(BUSY, {"url": f"http://{host}/secret"})
    assert refusal(answer) == (422, "address-not-allowed")
    assert "secret" not in answer.text
    assert owner.get(BUSY).json == {"items": []}


def test_an_address_that_is_none_is_a_wrong_field(owner: Owner) -> None:
    assert wrong_fields(owner.post(BUSY, {"url": "ftp://example.org/"})) == {"url"}


def test_the_calendars_of_others_do_not_exist(
    owner: Owner, new_owner: Callable[..., Owner]
) -> None:
    added = created(owner.post(BUSY, {"url": URL}))
    other = new_owner("Oscar")
    for calendar_id in (added["id"], unknown_id()):
        path = f"{BUSY}/{calendar_id}"
        assert refusal(other.get(path)) == (404, "not-found")
        assert refusal(other.post(f"{path}/read")) == (404, "not-found")
        gone = other.call("DELETE", f"/api/v1{path}", **other.headers)
        assert refusal(gone) == (404, "not-found")
    assert owner.get(BUSY).json == {"items": [added]}
