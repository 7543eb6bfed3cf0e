"""What the OpenAPI document tells of a call beyond its schemas: refusals, headers, rights."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import groupby
from typing import Any, TypeVar, cast

import flask_smorest
from flask import Flask
from marshmallow import Schema, fields

from domain.errors import Unavailable
from interface.web import problems
from interface.web.fields import AsOfField, Day, Instant

V = TypeVar("V", bound=Callable[..., Any])

LOG_POSITION = {
    "X-Log-Position": {
        "description": "Where the log ended with this write; give it to reads as X-Min-Position.",
        "schema": {"type": "integer"},
    }
}
ETAG = {
    "ETag": {
        "description": "The version of the calendar; a change names it in If-Match.",
        "schema": {"type": "string"},
    }
}
LOCATION = {
    "Location": {
        "description": "Where to read what was made.",
        "schema": {"type": "string", "format": "uri-reference"},
    }
}

_HEADERS_OF_PROBLEMS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    503: {
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "schema": {"type": "integer"},
        }
    },
}


class ProblemSchema(Schema):
    """Why a request was refused (RFC 9457). `errors` only tells of single fields."""

    type = fields.String(required=True, metadata={"example": "/problems/link-redeemed"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


class Api(flask_smorest.Api):
    """flask-smorest's document, with problems instead of its own form of errors.

    Who answers with these problems is `problems`, for refusals and for the framework's errors.
    """

    DEFAULT_ERROR_RESPONSE_NAME = "Problem"

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.register_field(Instant, "string", "date-time")
        self.register_field(Day, "string", "date")
        self.register_field(AsOfField, "string", None)
        self.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})

    def _register_responses(self) -> None:
        """One form of problem, instead of flask-smorest's response for each status."""
        self.spec.components.schema("Problem", schema=ProblemSchema)
        self.spec.components.response("Problem", _problems("Any other problem."))

    def _register_pagination_header(self) -> None:
        """Pages are ours: cursors, not flask-smorest's page numbers."""


def note(view: V, **lists: Iterable[Any]) -> V:
    """Add to what the document will tell of a call: `refusals`, `headers`, `security`."""
    known = deepcopy(getattr(view, "_apidoc", {}))
    for name, values in lists.items():
        known[name] = [*known.get(name, ()), *values]
    cast("Any", view)._apidoc = known
    return view


def refuses(*kinds: type[Exception]) -> Callable[[V], V]:
    """Tell how a call may be refused, apart from what its arguments and rights bring."""
    return lambda view: note(view, refusals=kinds)


def reads_header(name: str, description: str, **more: Any) -> Callable[[V], V]:
    """Tell of a header of the request."""
    header = {"in": "header", "name": name, "description": description} | more
    return lambda view: note(view, headers=[header])


def complete(operation: dict[str, Any], notes: dict[str, Any], *, owner: bool) -> dict[str, Any]:
    """The document of a call with its notes; `owner` as in `problems.problem_of`."""
    if "headers" in notes:
        operation["parameters"] = [*operation.get("parameters", ()), *notes["headers"]]
    if "security" in notes:
        operation["security"] = notes["security"]
    known = {
        problems.problem_of(kind, owner=owner) for kind in (*notes.get("refusals", ()), Unavailable)
    }
    for status, problems_of_status in groupby(sorted(known), key=lambda problem: problem.status):
        text = "\n".join(f"* `{slug}`: {sentence}" for _, slug, sentence in problems_of_status)
        headers = _HEADERS_OF_PROBLEMS.get(status)
        operation["responses"][status] = _problems(text) | ({"headers": headers} if headers else {})
    return operation


def _problems(description: str) -> dict[str, Any]:
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}
