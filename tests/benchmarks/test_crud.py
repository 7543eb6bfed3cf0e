"""The hand-written service of the benchmarks keeps the promises that make it comparable."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from tests.benchmarks.crud import service as crud
from tests.support.examples import redeem_json

KEY = "a-key-for-tests"
ISSUE = f"/api/v1/calendars/{crud.CALENDAR_ID}/links"
HEADERS = {"Authorization": f"Bearer {KEY}"}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)
LATER = TOMORROW + timedelta(minutes=1)


@pytest.fixture(scope="module")
def conninfo(new_database: Callable[[], str]) -> str:
    database = new_database()
    crud.create_tables(database)
    return database


@pytest.fixture
def client(conninfo: str) -> Iterator[FlaskClient]:
    with psycopg.connect(conninfo) as conn:
        conn.execute("TRUNCATE links, bookings")
    with crud.new_pool(conninfo, connections=1) as pool:
        yield crud.create_app(pool, hashlib.sha256(KEY.encode()).hexdigest()).test_client()


def issued(client: FlaskClient) -> str:
    """Issues a link and returns its token."""
    answer = client.post(ISSUE, json={"recipient": "Ada"}, headers=HEADERS)
    assert answer.status_code == 201
    assert answer.json is not None
    token: str = answer.json["token"]
    return token


def redeem(client: FlaskClient, token: str, start: datetime) -> Any:
    path = f"/api/v1/booking-links/{token}/redeem"
    return client.post(path, json=redeem_json(start.isoformat()))


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["type"]


def test_a_link_books_once(client: FlaskClient) -> None:
    token = issued(client)
    assert redeem(client, token, TOMORROW).status_code == 201
    assert refusal(redeem(client, token, LATER)) == (410, "/problems/link-redeemed")


def test_losing_a_time_does_not_cost_the_link(client: FlaskClient) -> None:
    redeem(client, issued(client), TOMORROW)
    token = issued(client)
    assert refusal(redeem(client, token, TOMORROW)) == (409, "/problems/slot-taken")
    assert redeem(client, token, LATER).status_code == 201


def test_what_is_wrong_is_refused_and_leaves_nothing(client: FlaskClient, conninfo: str) -> None:
    token = issued(client)
    off_the_grid = TOMORROW + timedelta(seconds=1)
    assert client.post(ISSUE, json={}, headers={}).status_code == 401
    assert client.post(ISSUE, json={"note": 1}, headers=HEADERS).status_code == 422
    assert refusal(redeem(client, "unknown", TOMORROW)) == (404, "/problems/link-not-found")
    assert refusal(redeem(client, token, off_the_grid)) == (422, "/problems/slot-not-offered")
    with psycopg.connect(conninfo) as conn:
        counts = "SELECT (SELECT count(*) FROM links), (SELECT count(*) FROM bookings)"
        assert conn.execute(counts).fetchone() == (1, 0)
