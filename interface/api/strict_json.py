"""Bodies and parameters, read strictly: what is not exactly understood is refused."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Request
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from domain.errors import Invalid
from interface.web.problems import Malformed, field_errors


class StrictParser(FlaskParser):
    """webargs' parser with a JSON reader that lets nothing ambiguous through."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body as JSON. No body at all is one without fields."""
        body = req.get_data()
        if _goes_on(req):
            raise RequestEntityTooLarge
        if not body:
            return {}
        if not req.is_json:
            raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
        return strict_json(body)

    def handle_error(
        self,
        error: ValidationError,
        req: Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Name every field that is wrong."""
        assert isinstance(error.messages, dict)  # noqa: S101 - webargs nests by location
        merged: dict[str, list[str]] = {}
        for messages in error.messages.values():
            merged |= field_errors(messages if isinstance(messages, dict) else {"": messages})
        raise Invalid(merged)


def _goes_on(req: Request) -> bool:
    """Whether there is more of a body sent in chunks: werkzeug cuts it at the limit in silence."""
    if req.content_length is not None or not req.environ.get("wsgi.input_terminated"):
        return False
    return bool(req.environ["wsgi.input"].read(1))


def strict_json(body: bytes) -> Any:
    """Parse JSON as RFC 8259 has it; a name given twice in an object is refused.

    Raises `Malformed`, or `Invalid` naming the field that was given twice.
    """
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Invalid({name: ["Given more than once."]})
        found[name] = value
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
