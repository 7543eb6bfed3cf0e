"""What owners and invitees do in the tests of the API, and how its refusals are read."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from itertools import count
from threading import Barrier
from typing import Any, TypeVar
from uuid import uuid4

from interface.bootstrap import Services
from tests.conftest import Owner
from tests.support.examples import calendar_json, redeem_json

T = TypeVar("T")

A_DAY = "2026-11-24"  # the day after `examples.NOW`
NINE, HALF_PAST_NINE, TEN = (f"{A_DAY}T{time}:00Z" for time in ("09:00", "09:30", "10:00"))

_addresses = count(int(IPv4Address("10.0.0.1")))


def refusal(answer: Any) -> tuple[int, str]:
    """Status and slug of a problem, which has to be a whole one."""
    assert answer.content_type == "application/problem+json", answer.data
    body = answer.json
    assert set(body) - {"errors"} == {"type", "title", "status", "detail"}, body
    assert body["status"] == answer.status_code
    assert body["title"]
    assert body["detail"]
    return body["status"], body["type"].removeprefix("/problems/")


def wrong_fields(answer: Any) -> set[str]:
    """The fields that a 422 `validation` names, each with sentences."""
    assert refusal(answer) == (422, "validation"), answer.json
    errors: dict[str, list[str]] = answer.json["errors"]
    assert all(sentences and all(sentences) for sentences in errors.values()), errors
    return set(errors)


def new_calendar(owner: Owner, **changes: Any) -> str:
    """The id of a new calendar."""
    answer = owner.post("/calendars", calendar_json(**changes))
    assert answer.status_code == 201, answer.json
    calendar_id: str = answer.json["id"]
    return calendar_id


def new_link(owner: Owner, calendar_id: str | None = None, **wish: Any) -> dict[str, Any]:
    """A new link, for a new calendar unless one is named."""
    answer = owner.post(f"/calendars/{calendar_id or new_calendar(owner)}/links", wish)
    assert answer.status_code == 201, answer.json
    link: dict[str, Any] = answer.json
    return link


def redeem(
    owner: Owner, link: dict[str, Any], start: str = NINE, *, key: str | None = None, **changes: Any
) -> Any:
    """Book as an invitee does: without an account."""
    return owner.client.post(
        f"/api/v1/booking-links/{link['token']}/redeem",
        json=redeem_json(start, **changes),
        headers={"Idempotency-Key": key} if key else {},
    )


def booked(owner: Owner, link: dict[str, Any], start: str = NINE, **changes: Any) -> dict[str, Any]:
    """The answer to a redemption that went well."""
    answer = redeem(owner, link, start, **changes)
    assert answer.status_code == 201, answer.json
    confirmation: dict[str, Any] = answer.json
    return confirmation


def all_calls(owner: Owner, token: str) -> list[Any]:
    """The answers to all that the bearer of a token can do, from views that have caught up."""
    owner.catch_up()
    path, base = f"/api/v1/booking-links/{token}", from_another_address()
    read = [owner.client.get(address, environ_base=base) for address in (path, f"{path}/slots")]
    body = redeem_json(NINE)
    return [*read, owner.client.post(f"{path}/redeem", json=body, environ_base=base)]


def from_another_address() -> dict[str, str]:
    """The part of a request's environment that lets it come from an address of its own.

    So rate limits do not refuse tests that fail often on purpose.
    """
    return {"REMOTE_ADDR": str(IPv4Address(next(_addresses)))}


def unknown_id() -> str:
    """An id that nothing has."""
    return str(uuid4())


def recorded(services: Services) -> tuple[int, int]:
    """How many events and rows of personal data there are."""
    row = services.database.fetch_one(
        """SELECT (SELECT count(*) FROM stored_events) AS events,
        (SELECT count(*) FROM personal_data) AS personal_data"""
    )
    assert row is not None
    return row["events"], row["personal_data"]


def together(people: int, call: Callable[[], T]) -> list[T]:
    """What `call` gives that many people who make it at the same moment."""
    barrier = Barrier(people)

    def start(_: int) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(people) as pool:
        return list(pool.map(start, range(people)))
