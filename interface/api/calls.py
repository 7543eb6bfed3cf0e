"""What the calls of the API have in common: who calls, what a view must show, how a write ends."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import flask_smorest
from flask import g, request

from application.accounts import Caller
from application.deadline import deadline
from application.log import Written
from domain.errors import Invalid
from interface.api.parsing import StrictParser
from interface.api.problems import Forbidden, Unauthorized
from interface.current import services
from projections import positions

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

MAX_POSITION = 2**63 - 1


class Blueprint(flask_smorest.Blueprint):
    """A group of calls, read strictly."""

    ARGUMENTS_PARSER = StrictParser()


def requires(scope: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only API keys with this scope through; `caller()` then says who it is."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.caller = _authenticated(scope)
            return view(*args, **kwargs)

        described = cast("Any", guarded)
        described.scope = scope
        described._apidoc = _with_manual_doc(view, {"security": [{"key": []}]})
        return guarded

    return decorate


def caller() -> Caller:
    """Who makes this request."""
    return cast("Caller", g.caller)


def shows(*views: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Wait until these views show what X-Min-Position names, then answer from them."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
            if (position := _min_position()) is not None:
                positions.wait_for(services().database, views, position)
            return view(*args, **kwargs)

        parameter = {
            "in": "header",
            "name": "X-Min-Position",
            "description": "Wait (2 s at most) until the view shows this log position.",
            "schema": {"type": "integer", "minimum": 0},
        }
        cast("Any", waiting)._apidoc = _with_manual_doc(view, {"parameters": [parameter]})
        return waiting

    return decorate


def within_deadline(view: Callable[P, R]) -> Callable[P, R]:
    """Answer before the deadline of a request, whatever the database does."""

    @wraps(view)
    def timed(*args: P.args, **kwargs: P.kwargs) -> R:
        with deadline():
            return view(*args, **kwargs)

    return timed


def written(result: Written[T]) -> T:
    """The outcome of a command; the answer will carry its log position."""
    g.log_position = result.position
    return result.value


def log_position_header(response: Any) -> Any:
    """After a request: where in the log its write ended."""
    if (position := g.pop("log_position", None)) is not None:
        response.headers["X-Log-Position"] = str(position)
    return response


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


def _with_manual_doc(view: object, doc: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = dict(getattr(view, "_apidoc", {}))
    manual = dict(known.get("manual_doc", {}))
    for name, value in doc.items():
        manual[name] = [*manual.get(name, []), *value]
    return known | {"manual_doc": manual}
