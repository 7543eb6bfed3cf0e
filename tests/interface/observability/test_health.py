"""Liveness and readiness, with the reasons when not ready."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import psycopg
import pytest
from flask import Flask
from psycopg import sql

from application.eventstore import write_probe
from application.eventstore.advisory_locks import APPEND, PROJECTOR
from interface.bootstrap import Services
from interface.observability import health
from interface.runtime.readiness_probe import why_not_ready
from interface.settings import Settings
from interface.version import version
from projections.catalogue import CATALOGUE, FOLLOWERS
from projections.status import statuses
from tests.support.examples import IN_90_DAYS, calendar_json
from tests.support.log_trigger import writable_log
from tests.support.owner import Owner
from tests.support.service import Service, free_port
from tests.support.unappliable_event import unappliable_expiry
from tests.support.waiting import wait_until


def test_it_is_alive_and_ready(app: Flask) -> None:
    assert app.test_client().get("/healthz").json == {"status": "alive", "version": version()}
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready"})


def test_a_view_that_is_far_behind_is_a_reason_against_ready(
    owner: Owner, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "MOST_EVENTS_BEHIND", 1)
    client = app.test_client()
    owner.post("/calendars", calendar_json())
    assert client.get("/readyz").status_code == 200
    owner.post("/calendars", calendar_json())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "status": "not ready",
        "reasons": [
            f"The view {projection.name} is behind: at 0, head 2." for projection in CATALOGUE
        ],
    }
    owner.catch_up()
    assert client.get("/readyz").status_code == 200


def make_the_oldest_event_older(conninfo: str, seconds: float) -> None:
    with psycopg.connect(conninfo, autocommit=True) as conn, writable_log(conn):
        conn.execute(
            "UPDATE stored_events SET recorded_at = recorded_at - make_interval(secs => %s)"
            " WHERE notification_id = (SELECT min(notification_id) FROM stored_events)",
            (seconds,),
        )


def test_views_that_wait_without_a_projector_are_a_reason_against_ready(
    owner: Owner, app: Flask, conninfo: str
) -> None:
    client = app.test_client()
    owner.post("/calendars", calendar_json())
    assert client.get("/readyz").status_code == 200  # one may be about to begin
    make_the_oldest_event_older(conninfo, health.MOST_SECONDS_BEHIND)
    owner.post("/calendars", calendar_json())
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {
            "status": "not ready",
            "reasons": ["No projector is running: lists are not being updated."],
        },
    )
    owner.catch_up()
    assert client.get("/readyz").status_code == 200  # nothing waits for one


def test_a_projector_that_has_much_to_do_is_no_reason_against_ready(
    owner: Owner, app: Flask, conninfo: str
) -> None:
    owner.post("/calendars", calendar_json())
    make_the_oldest_event_older(conninfo, 3600)
    with psycopg.connect(conninfo, autocommit=True) as projector:
        projector.execute("SELECT pg_advisory_lock(%s)", (PROJECTOR,))
        assert app.test_client().get("/readyz").status_code == 200
    wait_until(lambda: app.test_client().get("/readyz").status_code == 503)


def test_one_view_that_waits_without_a_projector_is_enough(
    owner: Owner, app: Flask, conninfo: str
) -> None:
    owner.post("/calendars", calendar_json())
    owner.catch_up()
    make_the_oldest_event_older(conninfo, 3600)
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(
            "UPDATE projection_positions SET position = 0 WHERE name = %s", (CATALOGUE[-1].name,)
        )
    assert app.test_client().get("/readyz").status_code == 503


def test_parked_events_are_no_reason_against_ready(
    owner: Owner, app: Flask, services: Services
) -> None:
    with unappliable_expiry(services.database, IN_90_DAYS):
        owner.new_link(expires_at=IN_90_DAYS.isoformat())
        owner.catch_up()
    assert [view.state for view in statuses(services.database)].count("parked") == 1
    assert app.test_client().get("/readyz").status_code == 200


@pytest.mark.parametrize("table", ["schema_steps", "projection_positions"])
def test_what_the_database_lacks_is_a_reason_against_ready(
    app: Flask, conninfo: str, table: str
) -> None:
    everything = sql.Identifier(table)
    with psycopg.connect(conninfo, autocommit=True) as conn:
        rows = conn.execute(sql.SQL("SELECT * FROM {} ORDER BY name").format(everything)).fetchall()
        conn.execute(sql.SQL("DELETE FROM {}").format(everything))
        try:
            answer = app.test_client().get("/readyz")
        finally:
            values = sql.SQL(", ").join([sql.Placeholder()] * len(rows[0]))
            back = sql.SQL("INSERT INTO {} VALUES ({})").format(everything, values)
            conn.cursor().executemany(back, rows)
    views = [follower.name for follower in FOLLOWERS]
    names = views if table == "projection_positions" else [name for name, _ in rows]
    assert (answer.status_code, answer.json) == (
        503,
        {
            "status": "not ready",
            "reasons": [f"The database lacks {', '.join(names)}: run `admitone schema apply`."],
        },
    )


def test_writes_that_do_not_get_through_are_a_reason_against_ready(
    app: Flask, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_probe, "KEEP_SECONDS", 0.0)
    client = app.test_client()
    with psycopg.connect(conninfo) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND,))
        answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json is not None
    (reason,) = answer.json["reasons"]
    assert reason.endswith(" holds up the log: nothing can be saved.")
    assert client.get("/readyz").status_code == 200


def test_the_service_says_itself_whether_it_is_ready(service: Service) -> None:
    running = Settings(host=service.host, port=service.port)
    assert why_not_ready(running) is None


def test_a_running_service_says_within_15_seconds_that_nothing_can_be_saved(
    service: Service,
) -> None:
    running = Settings(host=service.host, port=service.port)
    calendar_id = service.new_calendar()
    with psycopg.connect(service.environment["ADMITONE_DATABASE_URL"]) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (APPEND,))
        wait_until(lambda: why_not_ready(running) is not None, 15)
        reason = why_not_ready(running)
        write = service.post(f"/calendars/{calendar_id}/links", {})
        assert service.call("GET", "/healthz").status_code == 200
    assert reason is not None
    assert reason.endswith(" holds up the log: nothing can be saved.")
    assert (write.status_code, write.json["type"]) == (503, "/problems/unavailable")
    assert "holds up the log" in write.json["detail"]
    assert write.headers["retry-after"] == "1"
    wait_until(lambda: why_not_ready(running) is None, 15)


def test_a_service_that_does_not_answer_is_not_ready() -> None:
    nobody = Settings(port=free_port())
    assert why_not_ready(nobody) == f"{nobody.local_url} does not answer: Connection refused."


@contextmanager
def somebody(status: int, body: bytes) -> Iterator[Settings]:
    """Runs a server that gives every request this answer, and yields settings that point to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Settings(port=server.server_port)
        finally:
            server.shutdown()
            thread.join()


def test_reasons_are_joined_into_one_text() -> None:
    reasons = b'{"status": "not ready", "reasons": ["No soup.", "No bread."]}'
    with somebody(503, reasons) as settings:
        assert why_not_ready(settings) == "No soup. No bread."


@pytest.mark.parametrize(
    "body", [b"<h1>Welcome to another server</h1>", b'{"status": "ok"}', b"[]", b"\xff"]
)
def test_another_http_server_on_our_port_is_not_admit_one(body: bytes) -> None:
    with somebody(200, body) as settings:
        assert why_not_ready(settings) == (
            f"What answers at {settings.local_url} is not Admit One."
        )


def test_a_server_that_does_not_speak_http_is_not_admit_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-example\r\n")

        thread = Thread(target=answer)
        thread.start()
        settings = Settings(port=server.getsockname()[1])
        assert why_not_ready(settings) == f"What answers at {settings.local_url} is not Admit One."
        thread.join()


def test_a_proxy_that_the_environment_names_is_not_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert why_not_ready(Settings(host=service.host, port=service.port)) is None
