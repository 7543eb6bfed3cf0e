"""Loading forms with marshmallow schemas, with the fields and the messages of the API."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from jinja2 import pass_eval_context
from jinja2.filters import do_xmlattr
from jinja2.nodes import EvalContext
from marshmallow import Schema, ValidationError

from domain.errors import Invalid
from interface.web.problems import field_errors


class Loaded(NamedTuple):
    """The values of a form that is valid, else the errors by field."""

    values: dict[str, Any]
    errors: dict[str, list[str]]


def load(schema: Schema, typed: Mapping[str, Any]) -> Loaded:
    """Loads a form; a field that is empty or holds only spaces counts as missing."""
    filled = {name: value for name, value in typed.items() if not _is_blank(value)}
    try:
        return Loaded(schema.load(filled), {})
    except ValidationError as error:
        messages = error.messages
        return Loaded({}, field_errors(messages if isinstance(messages, dict) else {"": messages}))


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


@pass_eval_context
def attributes(context: EvalContext, values: Mapping[str, Any]) -> str:
    """Returns HTML attributes: those that are True without a value, and none that is None."""
    shown = {name: "" if value is True else value for name, value in values.items()}
    return do_xmlattr(context, shown, autospace=False)


def errors_of(refusal: Invalid) -> dict[str, list[str]]:
    """Returns the messages of a refusal by field, for a template."""
    return {field: list(sentences) for field, sentences in refusal.errors.items()}
