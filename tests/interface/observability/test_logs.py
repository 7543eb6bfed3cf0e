"""The lines of the log, their format, and the parts of an error that are left out."""

import io
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask

from application.commands.calendars import CalendarCommands
from interface.observability import logs
from interface.observability.logs import JSONHandler, JSONLines, TextLines
from interface.pages.shared import sign_in
from tests.support.examples import NOW, calendar_json
from tests.support.owner import Owner


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Captures the log as JSON lines."""
    yield from _captured(JSONLines())


@pytest.fixture
def text() -> Iterator[io.StringIO]:
    """Captures the log as text."""
    yield from _captured(TextLines())


def _captured(form: logging.Formatter) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form)
    root = logging.getLogger()
    root.addHandler(handler)
    logging.getLogger("interface").setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_request_is_one_line_with_its_route_and_its_outcome(
    owner: Owner, written: io.StringIO
) -> None:
    link = owner.new_link()
    answer = owner.redeem(link)
    assert answer.status_code == 201
    _, _, line = lines(written)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line.pop("milliseconds") > 0
    message = line.pop("message")
    assert message.startswith("POST /api/v1/booking-links/<token>/redeem 201 in ")
    assert line == {
        "level": "info",
        "logger": "interface.observability.request_log",
        "request_id": answer.headers["X-Request-Id"],
        "method": "POST",
        "route": "/api/v1/booking-links/<token>/redeem",
        "status": 201,
    }


def test_a_line_written_without_a_record_is_like_one_with_it(
    written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = logging.getLogger("interface")
    words, facts = "%(method)s took %(milliseconds).1f ms", {"method": "GET", "milliseconds": 2.0}
    logs.info(log, words, facts, now=NOW)
    monkeypatch.setattr(logging.root, "handlers", [JSONHandler(stream := io.StringIO())])
    logs.info(log, words, facts, now=NOW)
    log.setLevel(logging.WARNING)
    logs.info(log, words, facts, now=NOW)
    found = lines(written) + lines(stream)
    _, time_without_record = [line.pop("time") for line in found]
    assert time_without_record == "2026-11-23T08:00:00.000Z"
    line = {"level": "info", "logger": "interface", "message": "GET took 2.0 ms", **facts}
    assert found == [line, line]


def test_a_request_is_answered_although_its_line_cannot_be_written(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(logging.root, "handlers", [JSONHandler(stream)])
    assert app.test_client().get("/").status_code == 200


def test_probes_metrics_and_static_files_are_not_logged(app: Flask, written: io.StringIO) -> None:
    client = app.test_client()
    for path in ("/healthz", "/readyz", "/metrics", "/static/icon.svg"):
        with client.get(path) as answer:
            assert answer.status_code == 200
    assert written.getvalue() == ""
    assert client.get("/static/none.svg").status_code == 404
    assert client.get("/nowhere/secret").status_code == 404
    assert [line["route"] for line in lines(written)] == ["none"]
    assert "secret" not in written.getvalue()


@pytest.mark.parametrize("given", ["a", "7f3a.B_c-9", "x" * 64])
def test_a_request_keeps_the_id_that_it_came_with(
    app: Flask, written: io.StringIO, given: str
) -> None:
    answer = app.test_client().get("/", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] == given
    assert [line["request_id"] for line in lines(written)] == [given]


@pytest.mark.parametrize("given", ["", "x" * 65, "ada@example.org", "a b", "a\tb", "ä", "a/b"])
def test_a_request_without_a_plain_id_is_given_one(
    app: Flask, written: io.StringIO, given: str
) -> None:
    client = app.test_client()
    ids = {
        client.get("/", headers={"X-Request-Id": given}).headers["X-Request-Id"] for _ in range(3)
    }
    assert len(ids) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)
    assert {line["request_id"] for line in lines(written)} == ids


def test_an_unexpected_error_is_logged_with_its_traceback_and_without_its_message(
    owner: Owner, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "Ada's secret"

    def fail(*_: Any, **__: Any) -> None:
        try:
            raise KeyError(words)
        except KeyError as cause:
            raise ValueError(words) from cause

    monkeypatch.setattr(CalendarCommands, "create", fail)
    answer = owner.post("/calendars", calendar_json())
    assert answer.status_code == 500
    fault, access = lines(written)
    assert fault["level"] == "error"
    assert fault["message"] == "unexpected error in POST /api/v1/calendars"
    assert fault["request_id"] == access["request_id"] == answer.headers["X-Request-Id"]
    assert access["status"] == 500
    trace = fault["exception"].splitlines()
    assert [line for line in trace if not line.startswith(" ")] == [
        "Traceback (most recent call last):",
        "KeyError",
        "Traceback (most recent call last):",
        "ValueError",
    ]
    assert any(line.endswith("in fail") for line in trace)
    assert "Ada's" not in written.getvalue()


def test_a_page_that_fails_is_logged_without_its_address(
    app: Flask, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(sign_in, "services", fail)
    answer = app.test_client().get("/sign-in/a-token?and=more")
    assert answer.status_code == 500
    assert lines(written)[0]["message"] == "unexpected error in GET /sign-in/<token>"
    assert "a-token" not in written.getvalue()


def test_a_database_error_is_logged_by_type_and_constraint(
    conninfo: str, written: io.StringIO
) -> None:
    insert = "INSERT INTO projection_positions VALUES ('calendar_list_v2', 0)"
    with psycopg.connect(conninfo) as conn:
        try:
            conn.execute(insert)
        except psycopg.Error as error:
            logging.getLogger("interface.tests").warning("it said: %s", error, exc_info=error)
    (line,) = lines(written)
    assert line["message"] == "it said: UniqueViolation: 23505 projection_positions_pkey"
    assert line["exception"].endswith("UniqueViolation: 23505 projection_positions_pkey")
    assert "link_list_v1" not in written.getvalue()


def test_a_connection_error_is_logged_with_its_message(written: io.StringIO) -> None:
    error = psycopg.OperationalError("connection refused\nIs the server running?")
    logging.getLogger("others").warning("error connecting: %s", error)
    (line,) = lines(written)
    assert line["message"] == (
        "error connecting: OperationalError: connection refused Is the server running?"
    )


def test_a_line_of_text_is_short(app: Flask, text: io.StringIO) -> None:
    app.test_client().get("/", headers={"X-Request-Id": "abc"})
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INFO interface\.observability\.request_log \[abc\]:"
        r" GET / 200 in \d+\.\d ms\n",
        text.getvalue(),
    )


def test_an_error_in_text_form_has_several_lines(text: io.StringIO) -> None:
    words = "Ada's secret"
    try:
        raise ValueError(words)
    except ValueError:
        logging.getLogger("interface.tests").exception("a fault")
    first, *others, last = text.getvalue().splitlines()
    assert first.endswith("ERROR interface.tests: a fault")
    assert others[0] == "Traceback (most recent call last):"
    assert last == "ValueError"


class Terminal(io.StringIO):
    """Standard error, where somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("setting", "stderr", "form"),
    [
        (None, Terminal(), TextLines),
        (None, io.StringIO(), JSONLines),
        ("json", Terminal(), JSONLines),
        ("text", io.StringIO(), TextLines),
    ],
)
def test_the_format_follows_the_setting_or_the_terminal(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, stderr: io.StringIO, form: type
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(sys, "stderr", stderr)
    logs.configure(setting)
    logs.configure(setting)
    logging.getLogger("interface.tests").info("a word of ours")
    logging.getLogger("others").info("a word of others")
    logging.getLogger("others").warning("a warning of others")
    assert [type(handler.formatter) for handler in root.handlers] == [form]
    assert len(stderr.getvalue().splitlines()) == 2
