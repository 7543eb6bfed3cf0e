"""What the web server refuses is answered, logged and counted like every other refusal."""

import logging

import pytest
from flask import Flask

from domain.errors import AdmitOneError
from interface.observability import metrics
from interface.web.problems import MEDIA_TYPE, REFUSAL, Overloaded, RequestTimeout


@pytest.mark.parametrize(
    ("refusal", "status", "slug"),
    [(RequestTimeout(), 408, "request-timeout"), (Overloaded(), 503, "busy")],
)
@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/api/v1/links/revoke", MEDIA_TYPE), ("/account/password", "text/html; charset=utf-8")],
)
def test_a_refusal_is_answered_in_the_form_of_its_entrance_logged_and_counted(
    refusal: AdmitOneError,
    status: int,
    slug: str,
    path: str,
    media_type: str,
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(metrics, "KEEP_SECONDS", 0)
    caplog.set_level(logging.INFO)
    client = app.test_client()
    counted = f'admitone_refusals_total{{reason="{slug}"}}'
    answer = client.post(path, environ_overrides={REFUSAL: refusal})
    assert (answer.status_code, answer.content_type) == (status, media_type)
    assert refusal.detail in answer.text
    assert answer.headers.get("Retry-After") == ("1" if status == 503 else None)
    assert f"POST {path} {status} in" in caplog.text
    assert counted in client.get("/metrics").text
