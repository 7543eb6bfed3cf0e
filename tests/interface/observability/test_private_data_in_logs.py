"""The log of a running service holds no secrets and no personal data."""

import json
import re
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest

from tests.support.database_proxy import Proxy
from tests.support.processes import web_workers
from tests.support.service import Answer, Service, log_of, running_service
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PASSWORD = "a-password-that-is-long-enough"  # noqa: S105
PERSONAL = ["Rosalind", "the fair", "Lovelace", "ada@", "nuts", "a-retry-key", "grace@", PASSWORD]

# The worst of errors: it repeats all that was typed.
FAIL = """
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not %', NEW.data USING DETAIL = NEW.data; END $$;
    CREATE TRIGGER fail BEFORE INSERT ON personal_data FOR EACH ROW EXECUTE FUNCTION fail();"""


@pytest.fixture(scope="module")
def busy_service(network: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for people who do all that can be done."""
    with running_service(tmp_path_factory.mktemp("discreet"), network.conninfo) as running:
        yield running


class Browser:
    """Keeps cookies and sends forms."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        connection = HTTPConnection(self.service.host, self.service.port, timeout=60)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, path, urlencode(form or {}), headers)
        response = connection.getresponse()
        page = response.read().decode()
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, rest = cookie.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        connection.close()
        return response.status, page


@pytest.fixture(scope="module")
def secrets(busy_service: Service, network: Proxy) -> list[str]:
    """Does all that can be done, and gives the tokens and keys that were used for it."""
    running, secrets = busy_service, []
    calendar = running.new_calendar()
    link, other = (
        running.new_link(calendar, recipient="Rosalind Recipient", note="met at the fair")
        for _ in range(2)
    )
    token, start = link["token"], running.slots(link)[0]
    secrets += [running.key, token, other["token"]]

    booked = running.redeem(link, start, key="a-retry-key", notes="I am allergic to nuts")
    assert booked.status_code == 201
    manage = booked.json["manage_url"].rpartition("/")[2]
    secrets.append(manage)
    for answer, status in (
        (running.redeem(link, start), 410),
        (running.redeem(other, start), 409),
        (running.redeem(other, start, invitee={"name": "Ada", "email": "ada@"}), 422),
        (running.call("GET", f"/b/{token}"), 410),
        (running.call("GET", f"/b/{token[:-2]}?tz={quote(token)}"), 404),
        (running.call("GET", f"/b/{other['token']}?start={start}&name=Lovelace"), 200),
        (running.call("GET", f"/api/v1/booking-links/{token[:-2]}"), 404),
        (running.call("GET", f"/m/{manage}"), 200),
        (running.call("GET", f"/m/{manage}/booking.ics"), 200),
        (running.call("GET", f"/m/{manage}x"), 404),
        (running.call("GET", f"/no-such-page/{token}"), 404),
        (running.call("GET", "/api/v1/links", Authorization=f"Bearer {token}"), 401),
        (running.get("/bookings?q=ada@example.org"), 200),
        (running.get("/links?q=Rosalind"), 200),
    ):
        assert answer.status_code == status, answer

    secrets += signs_in(running)
    database_fails(running, network, other)
    keys = Path(running.environment["ADMITONE_DATA"]) / "secret_keys"
    return secrets + keys.read_text().split()


def signs_in(running: Service) -> list[str]:
    """Signs in by link, tries the link again, signs in by password, and returns the secrets."""
    browser = Browser(running)
    said = running.command("accounts", "create", "grace@example.org").stdout
    found = re.search(r"/sign-in/(\S+)", said)
    assert found
    assert browser.ask("POST", f"/sign-in/{found[1]}")[0] == 303
    assert Browser(running).ask("POST", f"/sign-in/{found[1]}")[0] == 410
    page = browser.ask("GET", "/settings/access")[1]
    token = re.search(r'name="form_token" value="(\w+)"', page)
    assert token
    form = {"form_token": token[1], "password": PASSWORD, "password_again": PASSWORD}
    assert browser.ask("POST", "/account/password", form)[0] == 303
    typed = {"email": "grace@example.org", "password": PASSWORD}
    assert Browser(running).ask("POST", "/", typed)[0] == 303
    assert browser.ask("GET", "/bookings?q=ada%40example.org")[0] == 200
    return [found[1], token[1], *browser.cookies.values()]


def database_fails(running: Service, network: Proxy, link: dict[str, Any]) -> None:
    """Lets the database repeat personal data in an error, then be away, then a worker die."""
    later = running.slots(link)[3]
    with psycopg.connect(network.conninfo, autocommit=True) as conn:
        conn.execute(FAIL)
    assert running.redeem(link, later, notes="nuts").status_code == 500
    with psycopg.connect(network.conninfo, autocommit=True) as conn:
        conn.execute("DROP TRIGGER fail ON personal_data; DROP FUNCTION fail")
    network.refuse()
    network.cut()
    assert running.redeem(link, later).status_code == 503
    network.accept()
    answers: list[Answer] = []

    def is_back() -> bool:
        answers.append(running.call("GET", f"/b/{link['token']}"))
        return answers[-1].status_code == 200

    wait_until(is_back)
    web_workers(running.process.pid)[0].kill()
    wait_until(lambda: "_granian" in log_of(running))


def logged(service: Service) -> list[dict[str, Any]]:
    """All lines but the supervisor's own words."""
    return [json.loads(line) for line in log_of(service).splitlines() if line.startswith("{")]


def test_nothing_secret_or_personal_is_logged(busy_service: Service, secrets: list[str]) -> None:
    said = log_of(busy_service)
    assert len(secrets) >= 8
    assert [text for text in secrets + PERSONAL if text in said] == []


def test_every_kind_of_event_was_logged(busy_service: Service, secrets: list[str]) -> None:
    lines = logged(busy_service)
    loggers = {line["logger"] for line in lines}
    # Loops that look for work every few seconds may log as well, when they find no database.
    assert loggers >= {
        "interface.observability.request_log",
        "projections.engine.runner",
        "_granian",
    }
    (fault,) = [line for line in lines if "exception" in line]
    assert fault["exception"].endswith("RaiseException: P0001")
    (answered,) = [line for line in lines if line.get("status") == 500]
    assert answered["request_id"] == fault["request_id"]
    assert [line for line in lines if line.get("status") == 503]


def test_every_line_is_json_except_those_of_the_supervisor(
    busy_service: Service, secrets: list[str]
) -> None:
    others = [line for line in log_of(busy_service).splitlines() if not line.startswith("{")]
    assert [line.partition(" ")[0] for line in others] == ["Admit", "To"]
