"""Refusals as RFC 9457 problems. Status codes of refusals exist only here."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flask import Response, g, json, request
from werkzeug.exceptions import HTTPException

from application.accounts import AccountNotFound
from domain import errors
from domain.errors import AdmitOneError
from interface.auditing import HeadSpoiled
from interface.heads import NoHead
from projections.generations import RebuildRunning

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = "1"

# The calls by blueprint whose answers an invitee reads.
INVITEES_CALLS = ("booking-links",)

# What everybody is told, the invitee first of all.
_ANSWERS: dict[type[AdmitOneError], tuple[int, str]] = {
    errors.Invalid: (422, "validation"),
    errors.NotFound: (404, "not-found"),
    errors.LinkNotFound: (404, "link-not-found"),
    errors.LinkRedeemed: (410, "link-redeemed"),
    errors.LinkExpired: (410, "link-expired"),
    errors.LinkRevoked: (410, "link-revoked"),
    errors.SlotTaken: (409, "slot-taken"),
    errors.SlotNotOffered: (422, "slot-not-offered"),
    errors.CalendarArchived: (409, "calendar-archived"),
    errors.BookingCancelled: (409, "booking-cancelled"),
    errors.StaleVersion: (412, "stale-version"),
    errors.IdempotencyMismatch: (422, "idempotency-mismatch"),
    errors.Busy: (503, "busy"),
    errors.ViewBehind: (503, "view-behind"),
    errors.Unavailable: (503, "unavailable"),
    AccountNotFound: (404, "not-found"),
    RebuildRunning: (409, "rebuild-running"),
    NoHead: (404, "no-head"),
    HeadSpoiled: (503, "head-spoiled"),
}

# An owner acts on links by id: one that has ended is in conflict with the wish, not gone.
_ANSWERS_TO_OWNERS: dict[type[AdmitOneError], tuple[int, str]] = {
    errors.LinkNotFound: (404, "not-found"),
    errors.LinkRedeemed: (409, "link-redeemed"),
    errors.LinkRevoked: (409, "link-revoked"),
}

# What a status says where no refusal of ours was told with it.
_HTTP_SLUGS = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "validation",
    428: "precondition-required",
    429: "too-many-requests",
    500: "internal",
}


class PreconditionRequired(AdmitOneError):
    """Name the version that you change, in If-Match: it is the ETag you were given."""


class Malformed(AdmitOneError):
    """The body is not JSON that can be read."""


class Unauthorized(AdmitOneError):
    """This needs an API key that is valid, as Authorization: Bearer."""


class Forbidden(AdmitOneError):
    """This API key's scopes do not cover that."""


_ANSWERS |= {
    PreconditionRequired: (428, "precondition-required"),
    Malformed: (400, "malformed"),
    Unauthorized: (401, "unauthorized"),
    Forbidden: (403, "forbidden"),
}


class Answer(NamedTuple):
    """How a refusal is told."""

    status: int
    slug: str
    sentence: str


def described(kind: type[Exception], *, owner: bool) -> Answer:
    """How refusals of this kind are told, to an owner or to an invitee."""
    if issubclass(kind, HTTPException):
        status = kind.code or 500
        return Answer(status, _HTTP_SLUGS[status], str(kind.description))
    for base in kind.__mro__:
        for answers in (_ANSWERS_TO_OWNERS, _ANSWERS) if owner else (_ANSWERS,):
            if base in answers:
                return Answer(*answers[base], str(kind.__doc__).partition("\n")[0])
    raise LookupError(f"nobody has said how {kind.__name__} is answered")


def answer_to(error: AdmitOneError, *, owner: bool) -> tuple[int, str]:
    """Status and slug for a refusal that is told now, to an owner or to an invitee."""
    status, slug, _ = described(type(error), owner=owner)
    g.refusal = slug  # for the metrics
    return status, slug


def slug_of(status: int) -> str:
    """The name of a refusal that has no other than its status."""
    return _HTTP_SLUGS.get(status, "error")


def problem(status: int, slug: str, title: str, detail: str, **members: object) -> Response:
    """A problem document."""
    body = {"type": f"/problems/{slug}", "title": title, "status": status, "detail": detail}
    response = Response(json.dumps(body | members), status, content_type=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Admit One"'
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def refused(error: AdmitOneError) -> Response:
    """The problem document for a refusal."""
    status, slug = answer_to(error, owner=request.blueprint not in INVITEES_CALLS)
    title = slug.replace("-", " ").capitalize()
    members = {}
    if isinstance(error, errors.Invalid):
        members["errors"] = error.errors
    return problem(status, slug, title, error.detail, **members)


def http_refused(error: HTTPException) -> Response:
    """The problem document for what the framework itself refuses."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    response = problem(status, slug_of(status), error.name, error.description or error.name)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def field_errors(messages: Mapping[Any, Any]) -> dict[str, list[str]]:
    """marshmallow's nested messages as sentences by dotted field path."""
    found: dict[str, list[str]] = {}
    for path, sentence in _sentences(messages, ()):
        found.setdefault(path or "body", []).append(sentence)
    return found


def _sentences(messages: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            # marshmallow's own steps: the whole object, and the two halves of a dict's item.
            own = key in ("_schema", "value", "key")
            yield from _sentences(inner, path if own else (*path, str(key)))
    elif isinstance(messages, list | tuple):
        for inner in messages:
            yield from _sentences(inner, path)
    else:
        yield ".".join(path), messages if isinstance(messages, str) else str(messages)
