"""Reads bodies and parameters strictly: anything ambiguous is refused."""

from collections.abc import Callable
from json import JSONDecoder
from typing import Any, Literal, NoReturn

from flask import request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from domain.errors import Invalid
from interface.web.problems import Malformed, field_errors


def reader(schema: Schema, location: str) -> Callable[[], Any]:
    """Returns a function that reads the current request's arguments by this schema.

    `location` is `json`, the body, or `query`, where unknown names are ignored and the first of
    several values counts. The function raises `Invalid`, which names every field that is wrong,
    and what `json_body` raises.
    """
    read, unknown = _LOCATIONS[location]

    def arguments() -> Any:
        try:
            return schema.load(read(), unknown=unknown)
        except ValidationError as error:
            messages = error.messages
            named = messages if isinstance(messages, dict) else {"": messages}
            raise Invalid(field_errors(named)) from None

    return arguments


def json_body() -> Any:
    """Returns the body of the current request as JSON. An empty one is an object without fields.

    Raises `RequestEntityTooLarge`, `UnsupportedMediaType`, and what `strict_json` raises.
    """
    body = request.get_data()
    if _has_more():
        raise RequestEntityTooLarge
    if not body:
        return {}
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    return strict_json(body)


def _has_more() -> bool:
    """Returns True if a body sent in chunks goes on: werkzeug silently cuts it at the limit."""
    if request.content_length is not None or not request.environ.get("wsgi.input_terminated"):
        return False
    return bool(request.environ["wsgi.input"].read(1))


def _query() -> dict[str, str]:
    return request.args.to_dict()


_LOCATIONS: dict[str, tuple[Callable[[], Any], Literal["raise", "exclude"]]] = {
    "json": (json_body, "raise"),
    "query": (_query, "exclude"),
}


def strict_json(body: bytes) -> Any:
    """Parses JSON as in RFC 8259, but refuses an object that has a name twice.

    Raises `Malformed`, or `Invalid`, which names the field that is there twice.
    """
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Malformed from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise Invalid({name: ["Given more than once."]})
            seen.add(name)
    return members


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)
