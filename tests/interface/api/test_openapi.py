"""The OpenAPI document is right about every call, refusal, header and field."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from interface.api.openapi import Api
from interface.bootstrap import build
from interface.settings import Settings
from interface.wsgi import create_app
from tests.interface.api.openapi import (
    API,
    example_of,
    faults,
    operations,
    resolved,
    success,
)
from tests.interface.api.recorded_document import RECORD, lines_of
from tests.interface.routes import routes
from tests.support.examples import NINE, TEN, calendar_json, redeem_json
from tests.support.http_desk import unknown_id
from tests.support.owner import Owner

# What writes nothing to the log and waits for no view.
OUTSIDE_THE_LOG = ("/projections", "/busy-calendars", "/webhooks", "/feeds", "/key")
REQUESTS_OUTSIDE_THE_LOG = {"GET /link-requests", "DELETE /link-requests/{link_id}"}

# What auditors call reads the log itself and waits for no view.
AUDIT = "/audit"

# What changes from version to version.
VERSIONED = {
    "POST /calendars",
    "GET /calendars/{calendar_id}",
    "PATCH /calendars/{calendar_id}",
    "POST /calendars/{calendar_id}/archive",
    "POST /schedules",
    "GET /schedules/{schedule_id}",
    "PATCH /schedules/{schedule_id}",
    "POST /schedules/{schedule_id}/archive",
    "POST /calendars/{calendar_id}/links",
    "GET /links/{link_id}",
    "PATCH /links/{link_id}",
    "POST /links/{link_id}/replace",
    "POST /link-requests/{link_id}/answer",
}
# What is changed by its version; an empty change of it changes nothing.
ENTITY_CHANGES = {
    "PATCH /calendars/{calendar_id}",
    "PATCH /schedules/{schedule_id}",
    "PATCH /links/{link_id}",
}

# What can be repeated by its key.
REPEATABLE = {
    "POST /calendars/{calendar_id}/links",
    "POST /calendars/{calendar_id}/links/batch",
    "POST /links/{link_id}/replace",
    "POST /booking-links/{token}/redeem",
}

# What programs read again and again.
POLLED = {
    "GET /links",
    "GET /links/{link_id}",
    "GET /bookings",
    "GET /bookings/{booking_id}",
    "GET /feeds/{token}.ics",
    "GET /calendars/{calendar_id}/slots",
    "GET /booking-links/{token}/slots",
    "GET /manage/{token}/slots",
}


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    """The document as everybody can read it."""
    answer = app.test_client().get("/api/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json or {}
    return found


def headers_read(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = operation.get("parameters", [])
    return {parameter["name"]: parameter for parameter in found if parameter["in"] == "header"}


def _as_documented(rule: str) -> str:
    """A rule of the application as the document writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule).removeprefix(API)


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for inner in part.values() for found in references(inner)]
    return (
        [found for inner in part for found in references(inner)] if isinstance(part, list) else []
    )


def test_the_document_is_openapi_3_1_without_dangling_references(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Admit One"
    for reference in references(document):
        assert resolved(document, {"$ref": reference})
    used = {reference.rpartition("/")[2] for reference in references(document)}
    assert set(document["components"]["schemas"]) == used - set(
        document["components"]["responses"]
    ) | {"Problem"}


def test_the_document_is_byte_for_byte_the_recorded_one(document: dict[str, Any]) -> None:
    remedy = "is the change meant? Then: python -m tests.interface.api.recorded_document"
    assert lines_of(document) == RECORD.read_text().splitlines(), remedy


def test_the_document_is_written_only_when_somebody_reads_it() -> None:
    services = build(Settings(secret_keys=("k" * 32,)), "host=nowhere.invalid")
    api: Api = create_app(services).extensions["flask-smorest"]["apis"][""]["ext_obj"]
    assert not api.spec.to_dict()["paths"]
    assert api.document() == api.document()
    assert api.spec.to_dict()["paths"]
    services.close()


def test_every_call_is_in_the_document_and_nothing_else(
    app: Flask, document: dict[str, Any]
) -> None:
    served = {
        (route.method, _as_documented(route.rule))
        for route in routes(app)
        if route.rule.startswith(API)
    }
    documented = {tuple(call.split(" ")) for call in operations(document)}
    assert documented == served


def test_every_call_has_a_short_summary_and_a_description(document: dict[str, Any]) -> None:
    for call, operation in operations(document).items():
        assert 8 < len(operation["summary"]) < 60, call
        assert operation["summary"].endswith("."), call
        assert operation["description"].endswith("."), call
    assert "Idempotency-Key" in document["info"]["description"]
    assert all(tag["description"] for tag in document["tags"])


def test_the_examples_of_answers_are_as_the_document_says(document: dict[str, Any]) -> None:
    for call, operation in operations(document).items():
        for content in success(operation).get("content", {}).values():
            schema = resolved(document, content["schema"])
            if schema.get("type") == "object":
                example = example_of(document, schema)
                assert faults(document, schema, example) == [], call


def test_refusals_are_problems(document: dict[str, Any]) -> None:
    for call, operation in operations(document).items():
        for status, response in operation["responses"].items():
            if status == "304":
                assert "content" not in response, call
            elif not status.startswith("2"):
                whole = resolved(document, response)
                assert list(whole["content"]) == ["application/problem+json"], (call, status)
                (schema,) = (content["schema"] for content in whole["content"].values())
                assert schema == {"$ref": "#/components/schemas/Problem"}, (call, status)
            if status in ("401", "429", "503"):
                named = {"401": "WWW-Authenticate"}.get(status, "Retry-After")
                assert named in response["headers"], (call, status)


def test_a_call_needs_a_key_where_the_document_says_so(
    app: Flask, document: dict[str, Any]
) -> None:
    assert document["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    documented = operations(document)
    for route in routes(app):
        if route.rule.startswith(API):
            security = documented[f"{route.method} {_as_documented(route.rule)}"].get("security")
            assert security == ([{"key": []}] if route.scope else None), route


def test_every_header_that_is_read_or_sent_is_documented(document: dict[str, Any]) -> None:
    for call, operation in operations(document).items():
        read, answered = headers_read(operation), success(operation).get("headers", {})
        is_of_log = not call.split(" ")[1].startswith(OUTSIDE_THE_LOG)
        is_of_log &= call not in REQUESTS_OUTSIDE_THE_LOG
        is_write = is_of_log and not call.startswith("GET")
        assert ("X-Log-Position" in answered) == is_write, call
        waits = (
            (is_of_log or call.endswith("/deliveries"))  # which events have caused
            and call.startswith("GET")
            and "security" in operation
            and not call.split(" ")[1].startswith(AUDIT)
        )
        assert ("X-Min-Position" in read) == waits, call
        assert ("If-Match" in read) == (call in ENTITY_CHANGES), call
        assert ("Idempotency-Key" in read) == (call in REPEATABLE), call
        has_version = call in VERSIONED
        assert ("ETag" in answered) == (has_version or call in POLLED), call
        assert ("If-None-Match" in read) == (call in POLLED), call
        assert ("304" in operation["responses"]) == (call in POLLED), call
        assert "If-Match" not in read or read["If-Match"]["required"], call


def test_lists_document_their_filters(document: dict[str, Any]) -> None:
    for call, names in {
        "GET /links": {"status", "calendar_id", "q", "limit", "cursor"},
        "GET /deliveries": {"booking_id", "status", "limit", "cursor"},
        "GET /bookings": {"from", "to", "status", "calendar_id", "q", "limit", "cursor"},
        "GET /booking-links/{token}/slots": {"from", "to", "time_zone"},
        "GET /manage/{token}/slots": {"from", "to", "time_zone"},
        "GET /audit/links/{link_id}": {"as_of", "after", "limit"},
        "GET /audit/events": {"after", "limit", "type", "actor"},
        "GET /audit/accesses": {"limit", "before"},
    }.items():
        parameters = operations(document)[call]["parameters"]
        assert {item["name"] for item in parameters if item["in"] == "query"} == names, call


def test_a_body_is_required_where_it_can_not_be_empty(document: dict[str, Any]) -> None:
    for call, operation in operations(document).items():
        optional = call.endswith(
            (
                "/links",
                "}/revoke",
                "/replace",
                "/answer",
                "/archive",
                "/forget-invitee",
                "}/cancel",
                "/ask-to-reschedule",
                "/forget",
                "/rebuilds",
                "/retry",
                "/read",
                "/rotate-secret",
                "/test",
            )
        )
        if "requestBody" in operation:
            optional |= call in {*ENTITY_CHANGES, "PATCH /webhooks/{webhook_id}"}
            assert operation["requestBody"].get("required", False) != optional, call
        else:
            assert call.startswith(("GET", "DELETE")), call


def test_responses_match_the_document(
    owner: Owner, new_owner: Callable[..., Owner], document: dict[str, Any]
) -> None:
    documented = operations(document)

    def check(call: str, answer: Any) -> Any:
        response = documented[call]["responses"][str(answer.status_code)]
        (schema,) = (content["schema"] for content in response["content"].values())
        assert answer.content_type in response["content"]
        assert faults(document, schema, answer.json) == [], call
        for name in response.get("headers", {}):
            assert name in answer.headers, (call, name)
        return answer.json

    overrides = {"weekly": {"monday": [["09:00", "17:00"]]}, "overrides": {"2026-12-24": []}}
    check("POST /calendars", owner.post("/calendars", calendar_json(availability=overrides)))
    calendar = check("POST /calendars", owner.post("/calendars", calendar_json()))
    path = f"/calendars/{calendar['id']}"
    link = check("POST /calendars/{calendar_id}/links", owner.post(f"{path}/links", {"note": "n"}))
    batch = owner.post(f"{path}/links/batch", {"links": [{}, {}]})
    first, second = check("POST /calendars/{calendar_id}/links/batch", batch)["items"]
    bearer = f"/booking-links/{link['token']}"
    check("GET /booking-links/{token}", owner.get(bearer))
    check("GET /booking-links/{token}/slots", owner.get(f"{bearer}/slots"))
    redeemed = check(
        "POST /booking-links/{token}/redeem", owner.post(f"{bearer}/redeem", redeem_json(NINE))
    )
    check("POST /links/{link_id}/revoke", owner.post(f"/links/{first['id']}/revoke"))
    check("POST /links/{link_id}/replace", owner.post(f"/links/{second['id']}/replace"))
    check("GET /links", owner.get("/links"))
    check("GET /links/{link_id}", owner.get(f"/links/{link['id']}"))
    check("GET /links/{link_id}", owner.get(f"/links/{second['id']}"))
    assert owner.redeem(link).status_code == 410
    attempts = owner.get(f"/links/{link['id']}/refused-attempts")
    assert check("GET /links/{link_id}/refused-attempts", attempts)["items"]
    check("GET /bookings", owner.get("/bookings"))
    check("GET /bookings/{booking_id}", owner.get(f"/bookings/{redeemed['booking_id']}"))
    check("GET /deliveries", owner.get("/deliveries"))
    booking = f"/bookings/{redeemed['booking_id']}"
    check("PATCH /bookings/{booking_id}", owner.patch(booking, {"location": "Room 2"}))
    for act, body in (("reschedule", {"start": TEN}), ("ask-to-reschedule", {"message": "Noon?"})):
        check(f"POST /bookings/{{booking_id}}/{act}", owner.post(f"{booking}/{act}", body))
    own = f"/manage/{redeemed['manage_url'].rpartition('/')[2]}"
    check("GET /manage/{token}", owner.get(own))
    check("GET /manage/{token}/slots", owner.get(f"{own}/slots"))
    moved = owner.post(f"{own}/reschedule", {"start": NINE})
    check("POST /manage/{token}/reschedule", moved)
    check("POST /manage/{token}/cancel", owner.post(f"{own}/cancel", {"reason": "Ill"}))
    check("POST /manage/{token}/forget", owner.post(f"{own}/forget"))
    check("GET /manage/{token}", owner.get(own))
    check("POST /bookings/{booking_id}/cancel", owner.post(f"{booking}/cancel"))
    check("PATCH /bookings/{booking_id}", owner.patch(booking, {"location": "Room 3"}))
    check("GET /manage/{token}/slots", owner.get(f"{own}/slots"))
    check("GET /calendars", owner.get("/calendars"))
    check("GET /calendars/{calendar_id}", owner.get(path))
    change = owner.patch(path, {"name": "X"}, **{"If-Match": "*"})
    check("PATCH /calendars/{calendar_id}", change)
    check("POST /calendars/{calendar_id}/archive", owner.post(f"{path}/archive"))

    operator = new_owner("Otto Operator", roles=("operator",))
    rebuilds = "/projections/link_list/rebuilds"
    rebuild = check("POST /projections/{name}/rebuilds", operator.post(rebuilds))
    check("POST /projections/{name}/rebuilds", operator.post(rebuilds))
    read = operator.get(f"{rebuilds}/{rebuild['id']}")
    check("GET /projections/{name}/rebuilds/{rebuild_id}", read)
    check("GET /projections", operator.get("/projections"))
    check("POST /projections/{name}/retry", operator.post("/projections/link_list/retry"))

    check("POST /calendars", owner.post("/calendars", {"name": ""}))
    check("PATCH /calendars/{calendar_id}", owner.patch(path, {}))
    check("GET /links/{link_id}", owner.get(f"/links/{unknown_id()}"))
    check("GET /booking-links/{token}", owner.get(bearer))
    check("POST /booking-links/{token}/redeem", owner.redeem({"token": "x"}))


def test_a_response_with_a_wrong_field_would_be_noticed(
    owner: Owner, document: dict[str, Any]
) -> None:
    link = owner.new_link()
    schema = document["components"]["schemas"]["LinkOutput"]
    assert faults(document, schema, link) == []
    for wrong in (
        link | {"id": "x"},
        link | {"status": "used"},
        link | {"issued_at": None},
        link | {"booking": {}},
        link | {"more": 1},
        {name: value for name, value in link.items() if name != "note"},
    ):
        assert len(faults(document, schema, wrong)) >= 1, wrong


def test_the_page_of_the_document_loads_nothing_from_elsewhere(app: Flask) -> None:
    page = app.test_client().get("/api/docs")
    assert page.status_code == 200
    assert "//" not in page.get_data(as_text=True).replace("<!-- ", "")
