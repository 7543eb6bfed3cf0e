"""Shared by all endpoints: authentication, waiting for a view, and the headers of a write."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar, cast

import flask_smorest
from flask import Response
from marshmallow import Schema
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from application.eventstore.event_sourced_application import Written
from application.people.rate_limits import WRONG_KEYS, TooManyAttempts
from application.people.recent_callers import Caller
from domain.errors import IdempotencyMismatch, Invalid, StaleVersion, ViewBehind
from interface.api.answers import Answer
from interface.api.arguments import reader
from interface.api.openapi import complete, has_etag, note, reads_header, refuses
from interface.api.reply import Reply
from interface.current_request import this_request
from interface.web.entity_tags import entity_tag, known_tag, version_in, with_version
from interface.web.fields import LAST_POSITION, whole_number
from interface.web.problems import (
    INVITEE_BLUEPRINTS,
    Forbidden,
    Malformed,
    PreconditionRequired,
    Unauthorized,
)
from interface.web.rate_limits import count_failure
from interface.web.request_context import sent, services
from projections.engine import positions

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V", bound=Callable[..., Any])

Headers = dict[str, str]

LONGEST_IDEMPOTENCY_KEY = 255

_REFUSALS_OF_ARGUMENTS: dict[str, tuple[type[Exception], ...]] = {
    "json": (Invalid, Malformed, RequestEntityTooLarge, UnsupportedMediaType),
    "query": (Invalid,),
}


class Blueprint(flask_smorest.Blueprint):
    """A group of endpoints whose input is read strictly and whose refusals are documented.

    flask-smorest only documents them: its own way to read and to answer builds schemas anew for
    each request.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks.append(self._complete_document)

    def route(self, rule: str, **options: Any) -> Callable[[V], V]:
        """Serves a view, whose name is part of the one that generated clients give to the call."""
        serve = super().route(rule, **options)

        def decorate(view: V) -> V:
            verb = view.__name__.removesuffix(
                f"_{self.name}"
            )  # calendars_list, not …_list_calendars
            name = f"{self.name}_{verb}".replace("-", "_")
            return cast("V", serve(note(view, names=[name])))

        return decorate

    def arguments(
        self,
        schema: type[Schema],
        *,
        location: str = "json",
        as_kwargs: bool = False,
        **documented: Any,
    ) -> Callable[[V], V]:
        """Passes what the request holds to the view: after its other positional arguments.

        With `as_kwargs`, passes the fields as keyword arguments. `reader` says how they are read.
        `documented` is what the document says beyond the schema.
        """
        read = reader(schema(), location)
        document = super().arguments(schema, location=location, **documented)

        def decorate(view: V) -> V:
            @wraps(view)
            def reading(*args: Any, **kwargs: Any) -> Any:
                if as_kwargs:
                    return view(*args, **read(), **kwargs)
                return view(*args, read(), **kwargs)

            _take_notes(reading, document(view))
            return cast("V", note(reading, refusals=_REFUSALS_OF_ARGUMENTS[location]))

        return decorate

    def response(self, status_code: int, schema: Any = None, **documented: Any) -> Callable[[V], V]:
        """Answers with JSON, by the schema, of what the view returns: a value, or it and headers.

        A response that the view returns is the answer. For one of another type than JSON,
        `schema` is a part of the document. `documented` is what the document says beyond it.
        """
        is_json = schema is None or not isinstance(schema, dict)
        answer = Answer(schema() if schema is not None and is_json else None)
        document = super().response(status_code, schema, **documented)

        def decorate(view: V) -> V:
            @wraps(view)
            def answering(*args: Any, **kwargs: Any) -> Reply | Response:
                result = view(*args, **kwargs)
                if isinstance(result, (Reply, Response)):
                    return result
                value, headers = result if type(result) is tuple else (result, {})
                return Reply(status_code, headers, answer.encoded(value))

            return cast("V", _take_notes(answering, document(view)))

        return decorate

    def _complete_document(self, doc: Any, doc_info: Any, **_: Any) -> Any:
        return complete(doc, doc_info, owner=self.name not in INVITEE_BLUEPRINTS)


def _take_notes(view: V, documented: Any) -> V:
    """Gives a view what flask-smorest has noted for the document."""
    cast("Any", view)._apidoc = documented._apidoc
    return view


def requires(scope: str | None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Refuses requests without an API key that has this scope. `caller()` is then set.

    None: any valid key will do.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            this_request().caller = _authenticated(scope)
            return view(*args, **kwargs)

        cast("Any", guarded).scope = scope or "any"
        refusals = (Unauthorized, Forbidden, TooManyAttempts)
        return note(guarded, security=[{"key": []}], refusals=refusals)

    return decorate


def caller() -> Caller:
    """Returns whom this request acts for. Only in views that `requires` decorates."""
    return cast("Caller", this_request().caller)


def shows(*views: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Waits until these views show the position that X-Min-Position names.

    Documents the header, and the refusal `view-behind` if the view does not catch up in time.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @reads_header(
            "X-Min-Position",
            "Wait, 2 seconds at most, until the view shows this position of the log. A position"
            " beyond the end of the log is refused.",
            schema={"type": "integer", "minimum": 0, "maximum": LAST_POSITION},
        )
        @refuses(Invalid, ViewBehind)
        @wraps(view)
        def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
            if (position := _min_position()) is not None:
                if position > services().event_store.head():
                    raise Invalid({"X-Min-Position": ["Is beyond the end of the log."]})
                positions.wait_for(services().database, views, position)
            return view(*args, **kwargs)

        return waiting

    return decorate


def may_be_old(view: Callable[P, R]) -> Callable[P, R]:
    """Lets a list come from the standby, unless the request names a position that it has to show.

    Before `revalidates`, whose tag is that of the database that the list is read from.
    """

    @wraps(view)
    def reading(*args: P.args, **kwargs: P.kwargs) -> R:
        this_request().reads_newest = "HTTP_X_MIN_POSITION" in this_request().environ
        return view(*args, **kwargs)

    return reading


def revalidates(*views: str, by_the_minute: bool = False) -> Callable[[V], V]:
    """Answers 304 without calling the view if the client has what it would answer.

    Only after `requires`. See `interface.web.entity_tags` for the arguments. If the view names a
    version in its ETag, so does the tag.
    """

    def decorate(view: V) -> V:
        @wraps(view)
        def revalidating(*args: Any, **kwargs: Any) -> Any:
            tag = entity_tag(*views, reader=caller().account_id, by_the_minute=by_the_minute)
            known = known_tag(tag)
            if known is not None:
                return not_modified(known)
            reply: Reply = view(*args, **kwargs)
            version = reply.headers.get("ETag", "").strip('"')
            reply.headers["ETag"] = _quoted(with_version(tag, version) if version else tag)
            return reply

        return has_etag(cast("V", revalidating))

    return decorate


def not_modified(tag: str) -> Reply:
    """Returns the answer that the client's copy with this tag is current."""
    return Reply(304, {"ETag": _quoted(tag)})


def _quoted(tag: str) -> str:
    return f'"{tag}"' if version_in(tag) else f'W/"{tag}"'


class Versioned(Protocol):
    """Something that changes from version to version."""

    @property
    def version(self) -> int:
        """The newest version."""
        ...


def names_version(view: V) -> V:
    """Documents that a change names the version that was read, which `version_read` returns."""
    documented = reads_header(
        "If-Match",
        "The ETag of the version that you have read, or * for any version.",
        required=True,
        schema={"type": "string"},
    )(view)
    return refuses(PreconditionRequired, StaleVersion)(documented)


def takes_idempotency_key(view: V) -> V:
    """Documents that a request can be repeated by its key, which `idempotency_key` returns."""
    documented = reads_header(
        "Idempotency-Key",
        "A repeated key with the same body gets the first response again.",
        schema={
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_IDEMPOTENCY_KEY,
            "pattern": "^[ -~]+$",
        },
    )(view)
    return refuses(IdempotencyMismatch, Invalid)(documented)


def idempotency_key() -> str | None:
    """Returns the key that the request carries, or None. Raises `Invalid`."""
    key: str | None = this_request().environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return None
    if not 1 <= len(key) <= LONGEST_IDEMPOTENCY_KEY or not (key.isascii() and key.isprintable()):
        raise Invalid(
            {"Idempotency-Key": [f"Must be 1 to {LONGEST_IDEMPOTENCY_KEY} printable characters."]}
        )
    return key


def version_read() -> int | None:
    """Returns the version that If-Match names, the newest of several, or None for any version.

    Returns 0, which nothing has, if it names none. Raises `PreconditionRequired`.
    """
    if "HTTP_IF_MATCH" not in this_request().environ:
        raise PreconditionRequired
    tags = sent().if_match
    if tags.star_tag:
        return None
    # Iterating leaves out weak tags, which never match. An empty tag comes as None.
    return max((version_in(tag) for tag in tags if tag), default=0)


def version_tag(read: Versioned) -> Headers:
    """Returns the header that names the version of what was read or written."""
    return {"ETag": f'"{read.version}"'}


def with_log_position(result: Written[Any], headers: Headers | None = None) -> Headers:
    """Returns `headers` with the position in the log at which a write ended."""
    return {"X-Log-Position": str(result.position)} | (headers or {})


def _authenticated(scope: str | None) -> Caller:
    kind, _, key = this_request().environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "bearer":
        raise Unauthorized
    current = services()
    authenticated = current.api_keys.caller(key.strip(), now=current.now())
    if authenticated is None:
        count_failure(WRONG_KEYS)
        raise Unauthorized
    if scope is not None and scope not in authenticated.scopes:
        raise Forbidden(f"This API key lacks the scope {scope}.")
    return authenticated


def _min_position() -> int | None:
    text = this_request().environ.get("HTTP_X_MIN_POSITION")
    if text is None:
        return None
    position = whole_number(text)
    if position is None:
        raise Invalid({"X-Min-Position": ["Must be a log position: a whole number."]})
    return position
