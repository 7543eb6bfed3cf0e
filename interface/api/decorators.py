"""What the calls of the API have in common: who calls, what a view must show, how a write ends."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import flask_smorest
from flask import g, request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from application.eventstore.event_sourced_application import Written
from application.people.accounts import Caller
from domain.errors import Invalid, ViewBehind
from interface.api.openapi import complete, note, reads_header, refuses
from interface.api.strict_json import StrictParser
from interface.web.problems import INVITEES_CALLS, Forbidden, Malformed, Unauthorized
from interface.web.request_context import services
from projections.engine import positions

P = ParamSpec("P")
R = TypeVar("R")

Headers = dict[str, str]

MAX_POSITION = 2**63 - 1

_REFUSALS_OF_ARGUMENTS: dict[str, tuple[type[Exception], ...]] = {
    "json": (Invalid, Malformed, RequestEntityTooLarge, UnsupportedMediaType),
    "query": (Invalid,),
}


class Blueprint(flask_smorest.Blueprint):
    """A group of calls, read strictly and documented in full."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(self._prepare_notes)

    def arguments(self, schema: Any, *, location: str = "json", **kwargs: Any) -> Any:
        """As flask-smorest's, and the document tells how reading can fail."""
        read = super().arguments(schema, location=location, **kwargs)
        return lambda view: note(read(view), refusals=_REFUSALS_OF_ARGUMENTS[location])

    def _prepare_notes(self, doc: Any, doc_info: Any, **_: Any) -> Any:
        return complete(doc, doc_info, owner=self.name not in INVITEES_CALLS)


def requires(scope: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only API keys with this scope through; `caller()` then says who it is."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.caller = _authenticated(scope)
            return view(*args, **kwargs)

        cast("Any", guarded).scope = scope
        return note(guarded, security=[{"key": []}], refusals=[Unauthorized, Forbidden])

    return decorate


def caller() -> Caller:
    """Who makes this request."""
    return cast("Caller", g.caller)


def shows(*views: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Wait until these views show what X-Min-Position names, then answer from them."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @reads_header(
            "X-Min-Position",
            "Wait (2 s at most) until the view shows this log position.",
            schema={"type": "integer", "minimum": 0, "maximum": MAX_POSITION},
        )
        @refuses(Invalid, ViewBehind)
        @wraps(view)
        def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
            if (position := _min_position()) is not None:
                positions.wait_for(services().database, views, position)
            return view(*args, **kwargs)

        return waiting

    return decorate


def with_log_position(result: Written[Any], headers: Headers | None = None) -> Headers:
    """Returns the headers of a write: where in the log it ended, and these."""
    return {"X-Log-Position": str(result.position)} | (headers or {})


def _authenticated(scope: str) -> Caller:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    found = None
    if kind.lower() == "bearer":
        current = services()
        found = current.accounts.caller(key.strip(), now=current.now())
    if found is None:
        raise Unauthorized
    if scope not in found.scopes:
        raise Forbidden(f"This API key lacks the scope {scope}.")
    return found


def _min_position() -> int | None:
    text = request.headers.get("X-Min-Position")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= MAX_POSITION):
        raise Invalid({"X-Min-Position": ["Must be a log position: a whole number."]})
    return int(text)
