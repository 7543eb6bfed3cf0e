"""Holds every answer of the API to its schema, and every refusal to the document."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask, Response, json

from interface.api.answers import Answer
from interface.current_request import this_request
from interface.web import problems
from interface.web.problems import INVITEE_BLUEPRINTS

CONTRACT = (403, 404, 409, 410, 412, 422, 428)
"""The statuses of refusals by the call itself, and not by what stands before all calls."""


@pytest.fixture(autouse=True)
def every_answer_is_as_its_schema_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compares all answers with what their schemas make of the same values."""
    encoded: Callable[[Answer, Any], bytes] = Answer.encoded

    def compared(answer: Answer, value: Any) -> bytes:
        body = encoded(answer, value)
        dumped = answer.schema.dump(value) if answer.schema is not None else value
        assert json.loads(body) == json.loads(json.dumps(dumped))
        return body

    monkeypatch.setattr(Answer, "encoded", compared)


@pytest.fixture(autouse=True)
def every_refusal_is_documented(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Holds each refusal by a call to what the document says of that call."""
    if "app" not in request.fixturenames:
        yield
        return
    app: Flask = request.getfixturevalue("app")
    undocumented: list[tuple[str, Any]] = []

    def checked(refused: Callable[[Any], Response], error: Exception) -> Response:
        response = refused(error)
        endpoint = this_request().endpoint
        notes = getattr(app.view_functions.get(endpoint), "_apidoc", {})
        is_owner = endpoint.rpartition(".")[0] not in INVITEE_BLUEPRINTS
        documented = {
            problems.problem_of(kind, owner=is_owner)[:2] for kind in notes.get("refusals", ())
        }
        found = response.status_code, getattr(response, "refusal", None)
        if notes and found[0] in CONTRACT and found not in documented:
            undocumented.append((endpoint, found))
        return response

    for name in ("refused", "http_refused"):
        monkeypatch.setattr(problems, name, partial(checked, getattr(problems, name)))
    yield
    assert undocumented == []
