"""Reads bodies and parameters strictly: anything ambiguous is refused."""

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
    """webargs' parser with a JSON reader that refuses what is ambiguous."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Returns the body as JSON. An empty body counts as an object without fields."""
        body = req.get_data()
        if _has_more(req):
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
        """Raises `Invalid`, which names every field that is wrong."""
        assert isinstance(error.messages, dict)  # noqa: S101 - webargs nests by location
        merged: dict[str, list[str]] = {}
        for messages in error.messages.values():
            merged |= field_errors(messages if isinstance(messages, dict) else {"": messages})
        raise Invalid(merged)


def _has_more(req: Request) -> bool:
    """Returns True if a body sent in chunks goes on: werkzeug silently cuts it at the limit."""
    if req.content_length is not None or not req.environ.get("wsgi.input_terminated"):
        return False
    return bool(req.environ["wsgi.input"].read(1))


def strict_json(body: bytes) -> Any:
    """Parses JSON as in RFC 8259, but refuses an object that has a name twice.

    Raises `Malformed`, or `Invalid`, which names the field that is there twice.
    """
    try:
        return json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise Malformed from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise Invalid({name: ["Given more than once."]})
        members[name] = value
    return members


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")
