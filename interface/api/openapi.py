"""Completes the OpenAPI document: refusals, headers and rights, and the page that shows it."""

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from itertools import groupby
from threading import Lock
from typing import Any, TypeVar, cast

import flask_smorest
from flask import Flask, Response, json, url_for
from jinja2 import Environment, PackageLoader
from marshmallow import Schema, fields

from domain.errors import Unavailable
from interface.web import problems
from interface.web.fields import AsOfField, Day, Instant, InstantOrDay
from interface.web.request_context import services
from interface.web.static_files import asset

V = TypeVar("V", bound=Callable[..., Any])

_PAGES = Environment(loader=PackageLoader("interface.api"), autoescape=True)

_JSON = "application/json"
_DATE = re.compile(r'(?<=")\d{4}-\d\d-\d\d')
_EXAMPLE_DAY = date(2027, 1, 18)
"""The Monday on which the examples book."""

LOG_POSITION = {
    "X-Log-Position": {
        "description": "Where in the log this write ended. Reads take it as X-Min-Position.",
        "schema": {"type": "integer"},
    }
}
ETAG = {
    "ETag": {
        "description": "The version. A change names it in If-Match.",
        "schema": {"type": "string"},
    }
}
_WEAK_ETAG = {
    "ETag": {
        "description": "Weak. Send it as If-None-Match when you read the same again.",
        "schema": {"type": "string"},
    }
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The ETag of an earlier response. If nothing has changed since, answers 304.",
    "schema": {"type": "string"},
}
LOCATION = {
    "Location": {
        "description": "Where to read what was created.",
        "schema": {"type": "string", "format": "uri-reference"},
    }
}

_RETRY_AFTER = {
    "Retry-After": {
        "description": "After how many seconds to try again.",
        "schema": {"type": "integer"},
    }
}
_HEADERS_OF_PROBLEMS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}


class ProblemSchema(Schema):
    """A refusal as a problem document (RFC 9457). `errors` is there if single fields are wrong."""

    type = fields.String(required=True, metadata={"example": "/problems/link-redeemed"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


class Api(flask_smorest.Api):
    """flask-smorest's document with problem documents instead of its own form of errors.

    `interface.web.problems` answers with them.
    """

    DEFAULT_ERROR_RESPONSE_NAME = "Problem"

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._unwritten: list[Callable[[], None]] = []
        self._writing = Lock()
        self.register_field(Instant, "string", "date-time")
        self.register_field(Day, "string", "date")
        self.register_field(InstantOrDay, "string", None)
        self.register_field(AsOfField, "string", None)
        self.spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})

    def register_blueprint(
        self, blp: flask_smorest.Blueprint, *, parameters: Any = None, **options: Any
    ) -> None:
        """Serves the endpoints of a blueprint, and has them written into the document later."""
        app = self._app
        app.register_blueprint(blp, **options)

        def write() -> None:
            blp.register_views_in_doc(self, app, self.spec, name=blp.name, parameters=parameters)
            self.spec.tag({"name": blp.name, "description": blp.description})

        self.write_later(write)

    def write_later(self, write: Callable[[], None]) -> None:
        """Has a part of the document written when somebody first reads the document.

        That takes longer than building the rest of the application, and most processes never need
        the document.
        """
        self._unwritten.append(write)

    def document(self) -> dict[str, Any]:
        """Returns the document, without its servers."""
        with self._writing:
            while self._unwritten:
                self._unwritten.pop(0)()
        document: dict[str, Any] = self.spec.to_dict()
        return document

    def _openapi_json(self) -> Response:
        """Returns the document. Its server is the public address, if one is set."""
        settings = services().settings
        server = settings.public_url if settings.public_url_is_set else "/"
        document = {**self.document(), "servers": [{"url": server}]}
        text = json.dumps(document, indent=2, sort_keys=False)
        return Response(_with_dates_ahead(text, services().now().date()), mimetype=_JSON)

    def _openapi_rapidoc(self) -> str:
        """Returns the page /api/docs, with a title, a way back and room for small screens."""
        return _PAGES.get_template("docs.html").render(
            title=self.spec.title,
            home_url=url_for("home.show"),
            icon_url=asset("icon.svg"),
            style_url=asset("app.css"),
            show_url=asset("api-docs.js"),
            script_url=asset(self._rapidoc_url.removeprefix("/static/")),
            spec_url=url_for("api-docs.openapi_json"),
        )

    def _register_responses(self) -> None:
        """Registers one problem response instead of flask-smorest's one for each status."""
        self.spec.components.schema("Problem", schema=ProblemSchema)
        self.spec.components.response("Problem", _problems("Any other problem."))

    def _register_pagination_header(self) -> None:
        """Registers nothing: pages use cursors instead of flask-smorest's page numbers."""


def note(view: V, **lists: Iterable[Any]) -> V:
    """Adds to what the document will say of an endpoint.

    The lists are `refusals`, `headers`, `security`, `revalidated` and `names`.
    """
    notes = getattr(view, "_apidoc", {})
    added = {name: [*notes.get(name, ()), *values] for name, values in lists.items()}
    cast("Any", view)._apidoc = notes | added
    return view


def refuses(*kinds: type[Exception]) -> Callable[[V], V]:
    """Documents how an endpoint can refuse, beyond what its arguments and rights imply."""
    return lambda view: note(view, refusals=kinds)


def has_etag(view: V) -> V:
    """Documents a weak ETag, If-None-Match and the response 304."""
    return note(view, revalidated=[True])


def reads_header(name: str, description: str, **more: Any) -> Callable[[V], V]:
    """Documents a header of the request. `more` are members of its OpenAPI object."""
    header = {"in": "header", "name": name, "description": description} | more
    return lambda view: note(view, headers=[header])


def complete(operation: dict[str, Any], notes: dict[str, Any], *, owner: bool) -> dict[str, Any]:
    """Returns an operation with its notes added. `owner` is that of `problems.problem_of`."""
    operation["operationId"] = notes["names"][-1]
    if "headers" in notes:
        operation["parameters"] = [*operation.get("parameters", ()), *notes["headers"]]
    if "revalidated" in notes:
        operation["parameters"] = [*operation.get("parameters", ()), _IF_NONE_MATCH]
        headers = operation["responses"][200].setdefault("headers", {})
        headers.setdefault("ETag", _WEAK_ETAG["ETag"])
        operation["responses"][304] = {
            "description": "Nothing has changed since.",
            "headers": {"ETag": headers["ETag"]},
        }
    if "security" in notes:
        operation["security"] = notes["security"]
    possible = {
        problems.problem_of(kind, owner=owner) for kind in (*notes.get("refusals", ()), Unavailable)
    }
    for status, problems_of_status in groupby(sorted(possible), key=lambda problem: problem.status):
        text = "\n".join(f"* `{slug}`: {sentence}" for _, slug, sentence in problems_of_status)
        headers = _HEADERS_OF_PROBLEMS.get(status)
        operation["responses"][status] = _problems(text) | ({"headers": headers} if headers else {})
    return operation


def _with_dates_ahead(document: str, today: date) -> str:
    """Moves the dates of examples by whole weeks if need be, so that they work when tried."""
    weeks = max(0, (today - _EXAMPLE_DAY).days // 7 + 2)
    if weeks == 0:
        return document
    return _DATE.sub(
        lambda found: (date.fromisoformat(found[0]) + timedelta(weeks=weeks)).isoformat(), document
    )


def _problems(description: str) -> dict[str, Any]:
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}
