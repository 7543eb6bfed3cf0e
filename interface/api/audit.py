"""Calls for compliance staff: what happened, and the proof that nothing else did.

Each call is written down before it is answered; where that fails, nothing is told.
"""

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from flask import Response
from marshmallow import ValidationError

from application import accesses
from application.audit import HistoryNotFound
from application.finding import find_events
from domain.agenda import AgendaDay
from domain.errors import Invalid
from interface.api.audit_shapes import (
    AccessPage,
    AccessQuery,
    EventPage,
    EventQuery,
    HistoryOutput,
    HistoryQuery,
    ProofOutput,
)
from interface.api.calls import Blueprint, caller, requires
from interface.api.document import refuses
from interface.auditing import (
    MAPPER,
    HeadSpoiled,
    NotUnderHead,
    history_of,
    in_snapshot,
    newest_head,
    note_access,
    proof_of,
    public_key,
)
from interface.current import services
from interface.fields import Day
from interface.heads import NoHead
from interface.history_json import history_json, step_json

P = ParamSpec("P")
R = TypeVar("R")

_TEXT = {"type": "string"}

blueprint = Blueprint(
    "audit",
    __name__,
    url_prefix="/api/v1/audit",
    description="What happened, and the proof. Every call is written down before it is answered.",
)


def audited(view: Callable[P, R]) -> Callable[P, R]:
    """Answer keys with the scope `audit`, once it is written down who asks and for what."""

    @requires("audit")
    @wraps(view)
    def noted(*args: P.args, **kwargs: P.kwargs) -> R:
        note_access(caller().actor)
        return view(*args, **kwargs)

    cast("Any", noted).is_audited = True
    return noted


@blueprint.route("/links/<uuid:link_id>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound)
@blueprint.response(200, HistoryOutput)
def link(query: dict[str, Any], link_id: UUID) -> Any:
    """The history of a link and its booking, with the state after each event."""
    return history_json(history_of(link_id, kind="link.", **query))


@blueprint.route("/bookings/<uuid:booking_id>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound)
@blueprint.response(200, HistoryOutput)
def booking(query: dict[str, Any], booking_id: UUID) -> Any:
    """The history of a booking, its link's included."""
    return history_json(history_of(booking_id, kind="booking.", **query))


@blueprint.route("/calendars/<uuid:calendar_id>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound)
@blueprint.response(200, HistoryOutput)
def calendar(query: dict[str, Any], calendar_id: UUID) -> Any:
    """The history of a calendar."""
    return history_json(history_of(calendar_id, kind="calendar.", **query))


@blueprint.route("/agendas/<uuid:owner_id>/<day>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound, Invalid)
@blueprint.response(200, HistoryOutput)
def agenda(query: dict[str, Any], owner_id: UUID, day: str) -> Any:
    """The history of an owner's reserved time on a day (UTC), as in 2026-12-24."""
    return history_json(history_of(AgendaDay.id_for(owner_id, _day(day)), kind="agenda.", **query))


@blueprint.route("/events")
@audited
@blueprint.arguments(EventQuery, location="query")
@blueprint.response(200, EventPage)
def events(query: dict[str, Any]) -> Any:
    """The log in order. A page looks at 100,000 positions at most: it may be short, or empty."""
    found = in_snapshot(lambda conn: find_events(conn, MAPPER, **query))
    return {"items": [step_json(step) for step in found.steps], "next_after": found.next_after}


@blueprint.route("/checkpoint")
@audited
@refuses(NoHead, HeadSpoiled)
@blueprint.response(200, _TEXT, content_type="text/plain")
def checkpoint() -> Any:
    """The newest signed head of the log, to keep elsewhere."""
    return Response(newest_head().text, content_type="text/plain; charset=utf-8")


@blueprint.route("/key")
@audited
@blueprint.response(200, _TEXT, content_type="text/plain")
def key() -> Any:
    """The public key with which heads are checked. Have it confirmed by another way."""
    return Response(public_key() + "\n", content_type="text/plain; charset=utf-8")


@blueprint.route("/events/<int:position>/proof")
@audited
@refuses(NoHead, NotUnderHead, HeadSpoiled)
@blueprint.response(200, ProofOutput)
def proof(position: int) -> Any:
    """Proof (RFC 9162) that an event is under the newest signed head. Hashes are hexadecimal."""
    head = newest_head()
    found = proof_of(position, head.signed)
    return {
        "index": found.index,
        "size": head.signed.size,
        "leaf_hash": found.leaf_hash.hex(),
        "proof": [node.hex() for node in found.path],
        "checkpoint": head.text,
    }


@blueprint.route("/accesses")
@audited
@blueprint.arguments(AccessQuery, location="query")
@blueprint.response(200, AccessPage)
def list_accesses(query: dict[str, Any]) -> Any:
    """Who read the audit, and what, newest first: this very call is the first."""
    limit = query["limit"]
    found = accesses.newest(services().database, limit=limit + 1, before=query["before"])
    page = found[:limit]
    return {"items": page, "next_before": page[-1].id if len(found) > limit else None}


def _day(text: str) -> date:
    """Raises `Invalid`."""
    try:
        day: date = Day().deserialize(text)
    except ValidationError as error:
        raise Invalid({"day": [str(sentence) for sentence in error.messages]}) from None
    return day
