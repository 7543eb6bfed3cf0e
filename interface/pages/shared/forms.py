"""Forms are checked by the schemas of the API: one set of rules, one set of sentences."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from marshmallow import Schema, ValidationError

from domain.errors import Invalid
from interface.web.problems import field_errors


class Loaded(NamedTuple):
    """What a form held: values when all is well, else errors by field."""

    values: dict[str, Any]
    errors: dict[str, list[str]]


def load(schema: Schema, given: Mapping[str, Any]) -> Loaded:
    """Read a form; an empty field is one that was not given."""
    filled = {name: value for name, value in given.items() if value not in ("", None)}
    try:
        return Loaded(schema.load(filled), {})
    except ValidationError as error:
        messages = error.messages
        return Loaded({}, field_errors(messages if isinstance(messages, dict) else {"": messages}))


def errors_of(refusal: Invalid) -> dict[str, list[str]]:
    """The sentences of a refusal by field, for a template."""
    return {field: list(sentences) for field, sentences in refusal.errors.items()}
