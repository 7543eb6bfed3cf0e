"""Every access to the audit API is recorded before anything is read, or refused."""

from typing import Any

import pytest
from flask import Flask

from domain.errors import Unavailable
from interface.bootstrap import Services
from tests.interface.routes import Route, routes
from tests.support.audit_trail import BookedLink, accesses_cannot_be_recorded, recorded_accesses
from tests.support.http_desk import refusal
from tests.support.owner import Owner


def audit_calls(app: Flask) -> list[Route]:
    found = [route for route in routes(app) if "/audit" in route.rule]
    assert len(found) >= 9
    return found


def test_every_call_is_recorded_whatever_it_finds(
    app: Flask, auditor: Owner, services: Services
) -> None:
    actor = f"key:{auditor.key.split('_')[1]}"
    for route in audit_calls(app):
        before = len(recorded_accesses(services))
        answer = auditor.client.get(f"{route.path}?as_of=x", headers=auditor.headers)
        assert recorded_accesses(services)[before:] == [(actor, f"GET {route.path}?as_of=x")], (
            answer.json
        )


def test_a_call_is_refused_if_the_access_cannot_be_recorded(
    app: Flask, auditor: Owner, services: Services
) -> None:
    with accesses_cannot_be_recorded(services):
        for route in audit_calls(app):
            answer = auditor.client.get(route.path, headers=auditor.headers)
            assert refusal(answer) == (503, "unavailable"), route


def test_an_access_is_recorded_before_anything_is_read(
    app: Flask, auditor: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(*_: Any, **__: Any) -> None:
        asked.append("access")
        raise Unavailable

    monkeypatch.setattr("application.people.access_log.record", refuse)
    for reader in ("history_of", "find_events", "prove_event"):
        monkeypatch.setattr(f"interface.api.audit.{reader}", lambda *_, **__: asked.append("read"))
    for route in audit_calls(app):
        auditor.client.get(route.path, headers=auditor.headers)
    assert set(asked) == {"access"}


def test_a_call_without_the_scope_is_refused_and_not_recorded(
    app: Flask, owner: Owner, services: Services
) -> None:
    for route in audit_calls(app):
        assert refusal(owner.client.get(route.path, headers=owner.headers)) == (403, "forbidden")
        assert refusal(owner.client.get(route.path)) == (401, "unauthorized")
    assert recorded_accesses(services) == []


def test_accesses_are_listed_newest_first_and_show_this_one(
    auditor: Owner, booked: BookedLink
) -> None:
    auditor.get(f"/audit/links/{booked.link}")
    auditor.get("/audit/key")
    whole = auditor.get("/audit/accesses").json
    assert [access["what"] for access in whole["items"]] == [
        "GET /api/v1/audit/accesses",
        "GET /api/v1/audit/key",
        f"GET /api/v1/audit/links/{booked.link}",
    ]
    assert whole["next_before"] is None
    page = auditor.get("/audit/accesses?limit=1").json
    following = auditor.get(f"/audit/accesses?limit=200&before={page['next_before']}").json
    assert following["items"] == whole["items"]
