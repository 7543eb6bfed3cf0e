"""Pages have every header that protects them, programs only those that help them."""

import pytest
from flask import Flask

from interface.web import fixed_headers
from tests.support.owner import Owner

FOR_PROGRAMS = {
    *("Content-Type", "Content-Length"),
    *("X-Content-Type-Options", "Cache-Control", "X-Request-Id", "Strict-Transport-Security"),
}
FOR_PAGES = FOR_PROGRAMS | {
    *("Referrer-Policy", "X-Frame-Options", "X-Robots-Tag"),
    *("Cross-Origin-Opener-Policy", "Content-Security-Policy"),
}


def test_json_has_only_the_headers_that_mean_something_on_json(owner: Owner) -> None:
    calendar_id = owner.new_calendar()
    for answer in (owner.get("/calendars"), owner.call("GET", "/healthz")):
        assert set(answer.headers.keys()) == FOR_PROGRAMS
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
    assert set(owner.get("/nothing").headers.keys()) == FOR_PROGRAMS
    issued = owner.post(f"/calendars/{calendar_id}/links")
    assert set(issued.headers.keys()) == FOR_PROGRAMS | {"X-Log-Position", "ETag", "Location"}
    assert owner.call("GET", "/api/v1/links").headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/", "/no-such-page", "/api/docs", "/static/no-such-file"])
def test_pages_have_all_headers_that_protect_them(app: Flask, path: str) -> None:
    headers = app.test_client().get(path).headers
    assert set(headers.keys()) - {"Vary"} == FOR_PAGES
    assert len(headers) == len(set(headers.keys()))
    assert ("unsafe-inline" in headers["Content-Security-Policy"]) == (path == "/api/docs")


def test_browsers_are_not_held_to_https_where_people_reach_the_service_without(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fixed_headers, "is_https", lambda: False)
    for path in ("/", "/healthz", "/static/app.css"):
        assert "Strict-Transport-Security" not in app.test_client().get(path).headers


def test_a_refusal_where_only_programs_read_is_no_page(owner: Owner) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = owner.client.post(path)
        assert answer.status_code == 405
        assert answer.content_type == "application/problem+json"
        assert set(answer.headers.keys()) == FOR_PROGRAMS | {"Allow"}
