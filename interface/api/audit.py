"""Endpoints for compliance staff: what happened, and the proof that nothing else did.

Each access is recorded before it is answered; where that fails, there is no answer.
"""

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from uuid import UUID

from flask import Response
from marshmallow import ValidationError

from application.audit.event_search import find_events
from application.audit.replay import HistoryNotFound
from application.people import access_log
from domain.agenda import AgendaDay
from domain.errors import Invalid
from interface.api.audit_schemas import (
    AccessPage,
    AccessQuery,
    EventPage,
    EventQuery,
    HistoryOutput,
    HistoryQuery,
    ProofOutput,
)
from interface.api.decorators import Blueprint, caller, requires
from interface.api.openapi import refuses
from interface.web.audit_queries import (
    MAPPER,
    history_of,
    record_access,
)
from interface.web.fields import Day
from interface.web.history_json import history_json, step_json
from interface.web.request_context import services
from projections.evidence.checkpoint_store import CheckpointDamaged, NoCheckpoint
from projections.evidence.event_proof import NotUnderCheckpoint, prove_event

P = ParamSpec("P")
R = TypeVar("R")

_TEXT = {"type": "string"}

blueprint = Blueprint(
    "audit",
    __name__,
    url_prefix="/api/v1/audit",
    description="What happened, and the proof. Every access is recorded before it is answered.",
)


def audited(view: Callable[P, R]) -> Callable[P, R]:
    """Serves keys with the scope `audit`, once it is on record who asks and for what."""

    @requires("audit")
    @wraps(view)
    def noted(*args: P.args, **kwargs: P.kwargs) -> R:
        record_access(caller().actor)
        return view(*args, **kwargs)

    cast("Any", noted).is_audited = True
    return noted


@blueprint.route("/links/<uuid:link_id>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound)
@blueprint.response(200, HistoryOutput)
def link(query: dict[str, Any], link_id: UUID) -> Any:
    """Read the history of a link and its booking, with the state after each event."""
    return history_json(history_of(link_id, kind="link.", **query))


@blueprint.route("/bookings/<uuid:booking_id>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound)
@blueprint.response(200, HistoryOutput)
def booking(query: dict[str, Any], booking_id: UUID) -> Any:
    """Read the history of a booking, its link's included."""
    return history_json(history_of(booking_id, kind="booking.", **query))


@blueprint.route("/calendars/<uuid:calendar_id>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound)
@blueprint.response(200, HistoryOutput)
def calendar(query: dict[str, Any], calendar_id: UUID) -> Any:
    """Read the history of a calendar."""
    return history_json(history_of(calendar_id, kind="calendar.", **query))


@blueprint.route("/agendas/<uuid:owner_id>/<day>")
@audited
@blueprint.arguments(HistoryQuery, location="query")
@refuses(HistoryNotFound, Invalid)
@blueprint.response(200, HistoryOutput)
def agenda(query: dict[str, Any], owner_id: UUID, day: str) -> Any:
    """Read the history of an owner's reserved time on a day (UTC), as in 2026-12-24."""
    return history_json(history_of(AgendaDay.id_for(owner_id, _day(day)), kind="agenda.", **query))


@blueprint.route("/events")
@audited
@blueprint.arguments(EventQuery, location="query")
@blueprint.response(200, EventPage)
def events(query: dict[str, Any]) -> Any:
    """List the log in order. A page scans 100,000 positions at most, so it may be short."""
    page = services().database.in_snapshot(lambda conn: find_events(conn, MAPPER, **query))
    return {"items": [step_json(step) for step in page.steps], "next_after": page.next_after}


@blueprint.route("/checkpoint")
@audited
@refuses(NoCheckpoint, CheckpointDamaged)
@blueprint.response(200, _TEXT, content_type="text/plain")
def checkpoint() -> Any:
    """Read the newest signed checkpoint of the log, to store elsewhere."""
    newest = services().checkpoint_store().require_newest()
    return Response(newest.text, content_type="text/plain; charset=utf-8")


@blueprint.route("/key")
@audited
@blueprint.response(200, _TEXT, content_type="text/plain")
def key() -> Any:
    """Read the public key of the checkpoints. Have it confirmed through another channel."""
    return Response(
        services().checkpoint_signer().verifier_key() + "\n",
        content_type="text/plain; charset=utf-8",
    )


@blueprint.route("/events/<int:position>/proof")
@audited
@refuses(NoCheckpoint, NotUnderCheckpoint, CheckpointDamaged)
@blueprint.response(200, ProofOutput)
def proof(position: int) -> Any:
    """Prove (RFC 9162) that an event is under the newest checkpoint. Hashes are hexadecimal."""
    newest = services().checkpoint_store().require_newest()
    proved = prove_event(services().database, position, newest.signed)
    return {
        "index": proved.index,
        "size": newest.signed.size,
        "leaf_hash": proved.leaf_hash.hex(),
        "proof": [node.hex() for node in proved.path],
        "checkpoint": newest.text,
    }


@blueprint.route("/accesses")
@audited
@blueprint.arguments(AccessQuery, location="query")
@blueprint.response(200, AccessPage)
def list_accesses(query: dict[str, Any]) -> Any:
    """List who read the audit, and what, newest first: this very call is the first."""
    limit = query["limit"]
    accesses = access_log.newest(services().database, limit=limit + 1, before=query["before"])
    page = accesses[:limit]
    return {"items": page, "next_before": page[-1].id if len(accesses) > limit else None}


def _day(text: str) -> date:
    """Raises `Invalid`."""
    try:
        day: date = Day().deserialize(text)
    except ValidationError as error:
        raise Invalid({"day": [str(sentence) for sentence in error.messages]}) from None
    return day
