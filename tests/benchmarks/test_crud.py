"""The hand-written service of the benchmarks keeps the promises that make it comparable."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from psycopg_pool import ConnectionPool

from tests.benchmarks.crud import mails
from tests.benchmarks.crud import service as crud
from tests.benchmarks.crud.mails import Mails
from tests.support.examples import redeem_json

KEY = "a-key-for-tests"
ISSUE = f"/api/v1/calendars/{crud.CALENDAR_ID}/links"
HEADERS = {"Authorization": f"Bearer {KEY}"}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)
LATER = TOMORROW + timedelta(minutes=1)


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    conninfo = new_database()
    crud.create_tables(conninfo)
    return conninfo


@pytest.fixture
def conninfo(database: str) -> str:
    with psycopg.connect(database) as conn:
        conn.execute("TRUNCATE links, bookings, outbox")
    return database


@pytest.fixture
def client(conninfo: str) -> Iterator[FlaskClient]:
    with crud.new_pool(conninfo, connections=1) as pool:
        yield client_of(pool)


def client_of(pool: ConnectionPool[Any], *, tells: bool = False) -> FlaskClient:
    app = crud.create_app(pool, hashlib.sha256(KEY.encode()).hexdigest(), tells=tells)
    return app.test_client()


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


def test_a_booking_is_mailed_to_both_once(conninfo: str, tmp_path: Path) -> None:
    with crud.new_pool(conninfo, connections=1) as pool:
        client = client_of(pool, tells=True)
        token = issued(client)
        assert redeem(client, token, TOMORROW).status_code == 201
        assert redeem(client, token, TOMORROW).status_code == 410
        with pool.connection() as conn:
            assert [Mails(conn, tmp_path).write_some() for _ in range(2)] == [2, 0]
    written = [message_from_bytes(file.read_bytes()) for file in tmp_path.glob("*.eml")]
    invitee = redeem_json(TOMORROW.isoformat())["invitee"]["email"]
    assert sorted(mail["To"] for mail in written) == sorted([invitee, mails.OWNER])
    kinds = ["multipart/alternative", "text/plain", "text/html", "text/calendar"]
    assert [[part.get_content_type() for part in mail.walk()] for mail in written] == [kinds] * 2


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
