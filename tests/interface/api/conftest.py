"""Holds every answer of the API to its schema."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import json

from interface.api.answers import Answer


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
