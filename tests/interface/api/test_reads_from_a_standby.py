"""Calendar feeds, and lists that name no position, come from the standby; all else does not.

The standby is a database of its own that has stood still: whatever is read there is not found.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from application.eventstore.standby import Standby
from interface.bootstrap import Services
from tests.support.examples import NINE, SCHEDULE_JSON, redeem_json
from tests.support.http_desk import created
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn

OBSTACLE = "It is more than 5 s behind."


@pytest.fixture
def standby(services: Services, new_database: Callable[[], str]) -> Iterator[Standby]:
    """An empty database that counts as a standby of the other one."""
    standby = Standby(new_database(), services.database, max_pool_size=2)
    yield standby
    standby.close()


@pytest.fixture
def obstacles(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Why the standby is passed over: the last one in the list."""
    obstacles: list[str | None] = [None]
    monkeypatch.setattr(Standby, "obstacle", lambda _: obstacles[-1])
    return obstacles


@pytest.fixture
def client(
    standby: Standby, services: Services, web_application: Callable[[Services], Flask]
) -> FlaskClient:
    """A client of the service with that standby."""
    return web_application(replace(services, standby=standby)).test_client()


@pytest.fixture
def booked(owner: Owner, client: FlaskClient) -> Owner:
    """An owner of that service with one of everything that is listed, which the views show."""
    created(owner.post("/schedules", SCHEDULE_JSON))
    link = owner.new_link(recipient="Grace")
    owner.post(f"/booking-links/{link['token']}/redeem", redeem_json(NINE))
    owner.catch_up()
    return owner


LISTS = ("/calendars", "/schedules", "/links", "/bookings")


def test_lists_that_name_no_position_may_be_old(booked: Owner, obstacles: list[str | None]) -> None:
    def items(path: str, headers: dict[str, str] | None = None) -> int:
        return len(
            booked.call("GET", f"/api/v1{path}", **booked.headers, **(headers or {})).json["items"]
        )

    assert [items(path) for path in LISTS] == [0, 0, 0, 0]
    assert [items(path, {"X-Min-Position": "1"}) for path in LISTS] == [1, 1, 1, 1]
    obstacles.append(OBSTACLE)
    assert [items(path) for path in LISTS] == [1, 1, 1, 1]


def test_what_is_newer_has_another_tag(booked: Owner, obstacles: list[str | None]) -> None:
    tag = booked.get("/links").headers["ETag"]
    assert (
        booked.call("GET", "/api/v1/links", **booked.headers, **{"If-None-Match": tag}).status_code
        == 304
    )
    obstacles.append(OBSTACLE)
    assert (
        booked.call("GET", "/api/v1/links", **booked.headers, **{"If-None-Match": tag}).status_code
        == 200
    )


def test_a_calendar_feed_may_be_old(booked: Owner, obstacles: list[str | None]) -> None:
    feed = urlsplit(created(booked.post("/feeds", {"detail": "full"}))["url"]).path
    assert booked.call("GET", feed).text.count("BEGIN:VEVENT") == 0
    obstacles.append(OBSTACLE)
    assert booked.call("GET", feed).text.count("BEGIN:VEVENT") == 1


@pytest.mark.parametrize("path", LISTS)
def test_a_single_thing_and_its_tag_are_never_old(
    booked: Owner, path: str, obstacles: list[str | None]
) -> None:
    listed = booked.call("GET", f"/api/v1{path}", **booked.headers, **{"X-Min-Position": "1"}).json[
        "items"
    ]
    one = booked.get(f"{path}/{listed[0]['id']}")
    assert (one.status_code, one.json["id"]) == (200, listed[0]["id"])
    obstacles.append(OBSTACLE)
    again = booked.get(f"{path}/{listed[0]['id']}")
    assert again.headers.get("ETag") == one.headers.get("ETag")


@pytest.mark.usefixtures("obstacles")
def test_pages_are_never_old(booked: Owner, person: SignedIn) -> None:
    assert "Grace" in person.get("/links").text
    assert "Ada Lovelace" in person.get("/bookings").text
    link = booked.new_link()
    assert "Intro call" in booked.client.get(urlsplit(link["url"]).path).text
    assert booked.slots(link)


def test_readiness_says_why_the_standby_is_not_read(
    client: FlaskClient, obstacles: list[str | None]
) -> None:
    assert client.get("/readyz").json == {"status": "ready"}
    obstacles.append(OBSTACLE)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "standby": OBSTACLE})
