"""Turns refusals into RFC 9457 problems. Only this file knows the status codes of refusals."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flask import Response
from werkzeug.exceptions import HTTPException

from application.audit.single_use_report import LogTooLong
from application.commands.agent_limits import AgentLimitReached, TooManyOpenLinks
from application.deliveries.deliveries import DeliveryOver
from application.link_requests import LinkRequestNotFound
from application.outgoing import AddressNotAllowed
from application.people.accounts import (
    AccountDisabled,
    AccountNotFound,
    LastAdmin,
    OnlyByProvider,
)
from application.people.identities import AlreadyConnected, NotAdmitted, SignInNotProved
from application.people.passkeys import PasskeyRefused
from application.people.rate_limits import TooManyAttempts
from domain import errors
from domain.errors import AdmitOneError, Unavailable
from interface.current_request import this_request
from interface.observability.metrics import RefusalResponse
from interface.web import public_address
from projections.evidence.checkpoint_store import CheckpointDamaged, NoCheckpoint
from projections.rebuild.jobs import RebuildRunning

MEDIA_TYPE = "application/problem+json"
REFUSAL = "admitone.refusal"
"""The key in a request's WSGI environment for the `AdmitOneError` by which it is refused."""
RETRY_AFTER_SECONDS = "1"  # with a 503

# The blueprints whose problems an invitee reads.
INVITEE_BLUEPRINTS = ("booking-links", "manage", "booking_page")

# The problem of each kind of refusal, as invitees and all others but owners get it.
_PROBLEMS: dict[type[AdmitOneError], tuple[int, str]] = {
    errors.Invalid: (422, "validation"),
    errors.NotFound: (404, "not-found"),
    errors.LinkNotFound: (404, "link-not-found"),
    errors.LinkRedeemed: (410, "link-redeemed"),
    errors.LinkExpired: (410, "link-expired"),
    errors.LinkRevoked: (410, "link-revoked"),
    errors.SlotTaken: (409, "slot-taken"),
    errors.SlotNotOffered: (422, "slot-not-offered"),
    errors.CalendarArchived: (409, "calendar-archived"),
    errors.ScheduleInUse: (409, "schedule-in-use"),
    errors.BookingCancelled: (409, "booking-cancelled"),
    errors.InviteeForgotten: (409, "invitee-forgotten"),
    errors.TooLate: (409, "too-late"),
    errors.RescheduleLimitReached: (409, "reschedule-limit"),
    errors.NoOtherTimes: (409, "no-other-times"),
    errors.StaleVersion: (412, "stale-version"),
    errors.IdempotencyMismatch: (422, "idempotency-mismatch"),
    errors.Busy: (503, "busy"),
    errors.ViewBehind: (503, "view-behind"),
    errors.Unavailable: (503, "unavailable"),
    PasskeyRefused: (422, "passkey-refused"),
    TooManyAttempts: (429, "too-many-requests"),
    AccountNotFound: (404, "not-found"),
    AccountDisabled: (409, "account-disabled"),
    LinkRequestNotFound: (404, "not-found"),
    LastAdmin: (409, "last-admin"),
    AgentLimitReached: (429, "agent-limit"),
    TooManyOpenLinks: (429, "too-many-open-links"),
    OnlyByProvider: (403, "only-by-provider"),
    NotAdmitted: (403, "not-admitted"),
    SignInNotProved: (422, "sign-in-not-proved"),
    AlreadyConnected: (409, "already-connected"),
    DeliveryOver: (409, "delivery-over"),
    AddressNotAllowed: (422, "address-not-allowed"),
    RebuildRunning: (409, "rebuild-running"),
    LogTooLong: (409, "log-too-long"),
    NoCheckpoint: (404, "no-checkpoint"),
    CheckpointDamaged: (503, "checkpoint-damaged"),
}

# An owner acts on links by id. A link that has ended conflicts with the request; it is not gone.
_PROBLEMS_FOR_OWNERS: dict[type[AdmitOneError], tuple[int, str]] = {
    errors.LinkNotFound: (404, "not-found"),
    errors.LinkRedeemed: (409, "link-redeemed"),
    errors.LinkExpired: (409, "link-expired"),
    errors.LinkRevoked: (409, "link-revoked"),
}

# The slugs of refusals by the framework, of which only the status is known.
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
    """Send If-Match with the ETag of the version that you want to change."""


class Malformed(AdmitOneError):
    """The body is not valid JSON."""


class WrongHost(AdmitOneError):
    """The Host header must name this service, once."""


class Unauthorized(AdmitOneError):
    """A valid API key is needed, sent as Authorization: Bearer."""


class Forbidden(AdmitOneError):
    """The scopes of this API key do not allow this."""


class Overloaded(Unavailable):
    """Too many of these requests at this moment. Try again shortly."""


class TooManySignIns(Overloaded):
    """Too many people are signing in at this moment. Try again shortly."""


class RequestTimeout(AdmitOneError):
    """The request took too long to arrive."""


class LengthRequired(AdmitOneError):
    """A form must come with its Content-Length."""


_PROBLEMS |= {
    PreconditionRequired: (428, "precondition-required"),
    Malformed: (400, "malformed"),
    WrongHost: (400, "wrong-host"),
    Unauthorized: (401, "unauthorized"),
    Forbidden: (403, "forbidden"),
    Overloaded: (503, "busy"),
    RequestTimeout: (408, "request-timeout"),
    LengthRequired: (411, "length-required"),
}


class Problem(NamedTuple):
    """A kind of refusal over HTTP."""

    status: int
    slug: str
    sentence: str


def problem_of(kind: type[Exception], *, owner: bool) -> Problem:
    """Returns the problem of this kind of refusal, as an owner or anybody else gets it.

    Raises `LookupError` for a kind that has none, because it must never reach HTTP.
    """
    if issubclass(kind, HTTPException):
        status = kind.code or 500
        return Problem(status, _HTTP_SLUGS[status], str(kind.description))
    for base in kind.__mro__:
        for problems in (_PROBLEMS_FOR_OWNERS, _PROBLEMS) if owner else (_PROBLEMS,):
            if base in problems:
                return Problem(*problems[base], str(kind.__doc__).partition("\n")[0])
    raise LookupError(f"{kind.__name__} has no problem: it must never reach HTTP")


def slug_of(status: int) -> str:
    """Returns the slug of a problem by its status alone."""
    return _HTTP_SLUGS.get(status, "error")


def refuse_at_the_door() -> None:
    """Raises `WrongHost` for a request to another host, and what the server could not let through.

    Every request comes through here before anything is done for it.
    """
    if not public_address.is_for_us():
        raise WrongHost
    refusal: AdmitOneError | None = this_request().environ.get(REFUSAL)
    if refusal is not None:
        raise refusal


def refused(error: AdmitOneError) -> Response:
    """Returns the problem document for a refusal."""
    blueprint = this_request().endpoint.rpartition(".")[0]
    problem = problem_of(type(error), owner=blueprint not in INVITEE_BLUEPRINTS)
    members = {"errors": error.errors} if isinstance(error, errors.Invalid) else {}
    body = document(problem.status, problem.slug, error.detail) | members
    response = _response(problem.status, problem.slug, body)
    return _with_retry_after(response, error)


def http_refused(error: HTTPException) -> Response:
    """Returns the problem document for a refusal by the framework."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    slug = slug_of(status)
    body = document(status, slug, error.description or error.name, title=error.name)
    response = _with_retry_after(_response(status, slug, body), error)
    response.headers.update(headers_of(error))
    return response


def headers_of(error: HTTPException) -> list[tuple[str, str]]:
    """Returns the headers that a refusal has beside its body, such as the methods allowed."""
    return [(name, value) for name, value in error.get_headers() if name != "Content-Type"]


def refusal_page(html: str, error: AdmitOneError, *, owner: bool) -> Response:
    """Returns a page about a refusal, with the status of its problem."""
    problem = problem_of(type(error), owner=owner)
    response = RefusalResponse(html, problem.status, content_type="text/html; charset=utf-8")
    response.refusal = problem.slug
    return _with_retry_after(response, error)


def document(status: int, slug: str, detail: str, *, title: str | None = None) -> dict[str, object]:
    """Returns the members of a problem document (RFC 9457). The title follows from the slug."""
    return {
        "type": f"/problems/{slug}",
        "title": title or slug.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
    }


def _response(status: int, slug: str, body: dict[str, object]) -> Response:
    response = RefusalResponse(json.dumps(body, sort_keys=True), status, content_type=MEDIA_TYPE)
    response.refusal = slug
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Admit One"'
    return response


def _with_retry_after(response: Response, error: Exception) -> Response:
    """Adds after how many seconds to try again, if that is of any use."""
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after)
    elif response.status_code == 503:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    return response


def field_errors(messages: Mapping[Any, Any]) -> dict[str, list[str]]:
    """Returns marshmallow's nested messages as lists of sentences by dotted field path."""
    sentences: dict[str, list[str]] = {}
    for path, sentence in _sentences(messages, ()):
        sentences.setdefault(path or "body", []).append(sentence)
    return sentences


def _sentences(messages: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            # Steps of marshmallow's own: the whole object, and the two halves of a dict's item.
            is_own = key in ("_schema", "value", "key")
            yield from _sentences(inner, path if is_own else (*path, str(key)))
    elif isinstance(messages, list | tuple):
        for inner in messages:
            yield from _sentences(inner, path)
    else:
        yield ".".join(path), messages if isinstance(messages, str) else str(messages)
