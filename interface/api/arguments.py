"""Reads bodies and parameters strictly: anything ambiguous is refused."""

from collections.abc import Callable
from functools import lru_cache
from json import JSONDecoder
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from marshmallow import Schema, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import parse_options_header
from werkzeug.sansio.utils import get_content_length

from domain.errors import Invalid
from interface.current_request import this_request
from interface.web.problems import Malformed, field_errors
from interface.web.request_context import LARGEST_BODY, sent

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


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
    environ = this_request().environ
    body = _body(environ)
    if not body:
        return {}
    if not _is_json(environ.get("CONTENT_TYPE", "")):
        raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")
    if environ.get("HTTP_CONTENT_ENCODING", "").lower() not in ("", "identity"):
        raise UnsupportedMediaType("Send JSON as it is, without Content-Encoding.")
    return strict_json(body)


def _body(environ: "WSGIEnvironment") -> bytes:
    """Returns the body. One that was sent in chunks has no length; then the server ends it."""
    length = get_content_length(
        environ.get("CONTENT_LENGTH"), environ.get("HTTP_TRANSFER_ENCODING")
    )
    if length is None:
        length = LARGEST_BODY + 1 if environ.get("wsgi.input_terminated") else 0
    elif length > LARGEST_BODY:
        raise RequestEntityTooLarge
    body: bytes = environ["wsgi.input"].read(length)
    if len(body) > LARGEST_BODY:
        raise RequestEntityTooLarge
    return body


@lru_cache(maxsize=16)
def _is_json(content_type: str) -> bool:
    kind, _ = parse_options_header(content_type)
    kind = kind.lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _query() -> dict[str, str]:
    return sent().args.to_dict()


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
