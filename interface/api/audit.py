"""Endpoints for auditors: what happened, and the proof that nothing else did.

Each access is recorded before it is answered. If it can't be recorded, it is not answered.
"""

from collections.abc import Callable
from datetime import date
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from flask import Response
from marshmallow import ValidationError

from application.audit.event_search import find_events
from application.audit.replay import History, HistoryNotFound
from application.audit.single_use_report import LogTooLong
from application.people import access_log
from domain.agenda import AgendaDay
from domain.errors import Invalid
from interface.api.audit_query_schemas import (
    AccessQuery,
    AgendaQuery,
    EventQuery,
    HistoryQuery,
    ReportQuery,
    SecurityQuery,
    WitnessQuery,
)
from interface.api.audit_response_schemas import (
    AccessPage,
    EventPage,
    HistoryOutput,
    ProofOutput,
    ReportOutput,
    SecurityPage,
)
from interface.api.decorators import Blueprint, caller, requires
from interface.api.openapi import refuses
from interface.web.audit_queries import (
    MAPPER,
    add_checkpoint_to_record,
    history_of,
    history_of_agenda,
    newest_checkpoint,
    proof_of_single_use,
    record_access,
    recording_access,
)
from interface.web.fields import Day
from interface.web.history_json import history_json, step_json
from interface.web.request_context import services
from interface.web.request_schemas import Query
from interface.web.security_log_json import entry_json
from projections.evidence.checkpoint_store import CheckpointDamaged, NoCheckpoint
from projections.evidence.event_proof import NotUnderCheckpoint, prove_event
from projections.evidence.witness_request import request_to_witness

P = ParamSpec("P")
R = TypeVar("R")

_TEXT = {"type": "string"}

blueprint = Blueprint(
    "audit",
    __name__,
    url_prefix="/api/v1/audit",
    description="The log and its proofs. Every access is recorded before it is answered.",
)


def audited(view: Callable[P, R]) -> Callable[P, R]:
    """Serves only keys with the scope `audit`, and records who asks for what first."""

    @requires("audit")
    @refuses(Invalid)
    @wraps(view)
    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        record_access(caller().actor)
        return view(*args, **kwargs)

    return recorded


def audited_with_result(view: Callable[P, R]) -> Callable[P, R]:
    """Serves like `audited`, but records the access after the view, with the result it adds."""

    @requires("audit")
    @refuses(Invalid)
    @wraps(view)
    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        with recording_access(caller().actor):
            return view(*args, **kwargs)

    return recorded


def reads_history(query_schema: type[Query]) -> Callable[[Callable[..., History]], Any]:
    """Answers with the page of a history that the view returns for a query of this schema."""

    def decorate(view: Callable[..., History]) -> Callable[..., Any]:
        @audited
        @blueprint.arguments(query_schema, location="query")
        @refuses(HistoryNotFound)
        @blueprint.response(200, HistoryOutput)
        @wraps(view)
        def answering(query: dict[str, Any], **path: Any) -> Any:
            history = view(query, **path)
            if not history.has_begun:
                raise HistoryNotFound
            return history_json(history)

        return answering

    return decorate


@blueprint.route("/links/<uuid:link_id>")
@reads_history(HistoryQuery)
def link(query: dict[str, Any], link_id: UUID) -> History:
    """Read the history of a link.

    Includes its booking. Each event comes with what it changed, and the state after the last of
    them once. `as_of` ends the history at a time or at a position of the log.
    """
    return history_of(link_id, kind="link.", **query)


@blueprint.route("/bookings/<uuid:booking_id>")
@reads_history(HistoryQuery)
def booking(query: dict[str, Any], booking_id: UUID) -> History:
    """Read the history of a booking.

    Includes its link. Each event comes with what it changed, and the state after the last of them
    once. `as_of` ends the history at a time or at a position of the log.
    """
    return history_of(booking_id, kind="booking.", **query)


@blueprint.route("/calendars/<uuid:calendar_id>")
@reads_history(HistoryQuery)
def calendar(query: dict[str, Any], calendar_id: UUID) -> History:
    """Read the history of a calendar.

    Each event comes with what it changed, and the state after the last of them once. A page of
    large events is shorter than `limit`. `as_of` ends the history at a time or at a position of the
    log.
    """
    return history_of(calendar_id, kind="calendar.", **query)


@blueprint.route("/agendas/<uuid:owner_id>")
@reads_history(AgendaQuery)
def agenda(query: dict[str, Any], owner_id: UUID) -> History:
    """Read the history of an owner's reserved time in a period.

    On all of their calendars, from the first to the last day. Each event comes with what it
    changed, and the state after the last of them once. `as_of` ends the history at a time or at a
    position of the log.
    """
    return history_of_agenda(owner_id, **query)


@blueprint.route(
    "/agendas/<uuid:owner_id>/<day>",
    parameters=[{"in": "path", "name": "day", "schema": Day.SCHEMA}],
)
@reads_history(HistoryQuery)
def agenda_day(query: dict[str, Any], owner_id: UUID, day: str) -> History:
    """Read the history of an owner's reserved time on one day.

    The day is a date in UTC, for example 2026-12-24. Each event comes with what it changed, and the
    state after the last of them once. `as_of` ends the history at a time or at a position of the
    log.
    """
    return history_of(AgendaDay.id_for(owner_id, _day(day)), kind="agenda.", **query)


@blueprint.route("/events")
@audited
@blueprint.arguments(EventQuery, location="query")
@blueprint.response(200, EventPage)
def events(query: dict[str, Any]) -> Any:
    """List events.

    In the order of the log. A page scans at most 100,000 positions, so it can hold fewer events
    than `limit`, or none: `next_after` says where to go on, and is null at the end of the log.
    """
    page = services().database.in_snapshot(lambda conn: find_events(conn, MAPPER, **query))
    return {"items": [step_json(step) for step in page.steps], "next_after": page.next_after}


@blueprint.route("/reports/single-use")
@audited
@blueprint.arguments(ReportQuery, location="query")
@refuses(LogTooLong)
@blueprint.response(200, ReportOutput)
def report_single_use(query: dict[str, Any]) -> Any:
    """Report whether any link was used twice.

    Checks the whole log, up to 100,000 events: each statement with how many events it was checked
    on, and the counts of the period. `admitone audit report single-use` checks any number.
    """
    proof = proof_of_single_use(**query)
    statements = [each | {"statement": str(each["statement"])} for each in proof["statements"]]
    return proof | {"statements": statements}


@blueprint.route("/checkpoint")
@audited_with_result
@refuses(NoCheckpoint, CheckpointDamaged)
@blueprint.response(200, _TEXT, content_type="text/plain")
def checkpoint() -> Any:
    """Read the newest signed checkpoint of the log.

    Store it where the service can't change it: later it proves that the log was not changed.
    """
    newest = newest_checkpoint()
    add_checkpoint_to_record(newest)
    return Response(newest.text, content_type="text/plain; charset=utf-8")


@blueprint.route("/witness-request")
@audited_with_result
@blueprint.arguments(WitnessQuery, location="query")
@refuses(NoCheckpoint, CheckpointDamaged)
@blueprint.response(200, _TEXT, content_type="text/plain")
def ask_witness(query: dict[str, Any]) -> Any:
    """Ask a witness to cosign the newest checkpoint.

    Returns the checkpoint, and the proof that it extends the tree of size `old`, which the witness
    cosigned last: the body of `add-checkpoint` as in c2sp.org/tlog-witness.
    """
    newest = newest_checkpoint()
    request = request_to_witness(services().database, query["old"], newest)
    add_checkpoint_to_record(newest)
    return Response(request, content_type="text/plain; charset=utf-8")


@blueprint.route("/key")
@audited
@blueprint.response(200, _TEXT, content_type="text/plain")
def key() -> Any:
    """Read the public key that verifies checkpoints.

    Have it confirmed by another channel than this service.
    """
    return Response(
        services().checkpoint_signer().verifier_key() + "\n",
        content_type="text/plain; charset=utf-8",
    )


@blueprint.route("/events/<int:position>/proof")
@audited
@refuses(NoCheckpoint, NotUnderCheckpoint, CheckpointDamaged)
@blueprint.response(200, ProofOutput)
def proof(position: int) -> Any:
    """Prove that an event is in the log.

    Returns an inclusion proof as in RFC 9162 for the tree of the newest checkpoint. Hashes are
    hexadecimal.
    """
    newest = services().checkpoint_store().require_newest()
    proved = prove_event(services().database, position, newest.signed)
    return {
        "index": proved.index,
        "size": newest.signed.size,
        "leaf_hash": proved.leaf_hash.hex(),
        "proof": [node.hex() for node in proved.path],
        "checkpoint": newest.text,
    }


@blueprint.route("/security")
@audited
@blueprint.arguments(SecurityQuery, location="query")
@blueprint.response(200, SecurityPage)
def list_security(query: dict[str, Any]) -> Any:
    """List the security log.

    Who signed in, and what was done to accounts, keys and personal data, newest first. To follow
    the log, ask for what comes `after` the newest position that you have.
    """
    limit = query.pop("limit")
    entries = services().security_log.newest(limit=limit + 1, **query)
    page = entries[:limit]
    return {
        "items": [entry_json(entry) for entry in page],
        "next_before": page[-1].position if len(entries) > limit else None,
    }


@blueprint.route("/security/checkpoint")
@audited
@refuses(NoCheckpoint, CheckpointDamaged)
@blueprint.response(200, _TEXT, content_type="text/plain")
def security_checkpoint() -> Any:
    """Read the newest signed checkpoint of the security log.

    The key is that of the log, under its name followed by `/security`.
    """
    newest = services().checkpoint_store().of_security_log().require_newest()
    return Response(newest.text, content_type="text/plain; charset=utf-8")


@blueprint.route("/security/witness-request")
@audited
@blueprint.arguments(WitnessQuery, location="query")
@refuses(NoCheckpoint, CheckpointDamaged)
@blueprint.response(200, _TEXT, content_type="text/plain")
def ask_witness_of_security_log(query: dict[str, Any]) -> Any:
    """Ask a witness to cosign the security log.

    Like the request for the log of events. A witness has a folder for each of the two.
    """
    newest = services().checkpoint_store().of_security_log().require_newest()
    request = request_to_witness(services().database, query["old"], newest, of_security_log=True)
    return Response(request, content_type="text/plain; charset=utf-8")


@blueprint.route("/accesses")
@audited
@blueprint.arguments(AccessQuery, location="query")
@blueprint.response(200, AccessPage)
def list_accesses(query: dict[str, Any]) -> Any:
    """List who read the audit.

    Newest first. This request itself is the first entry.
    """
    limit = query["limit"]
    accesses = access_log.newest(services().database, limit=limit + 1, before=query["before"])
    page = accesses[:limit]
    return {"items": page, "next_before": page[-1].id if len(accesses) > limit else None}


def _day(text: str) -> date:
    """Returns the date that the text names. Raises `Invalid`."""
    try:
        day: date = Day().deserialize(text)
    except ValidationError as error:
        raise Invalid({"day": [str(sentence) for sentence in error.messages]}) from None
    return day
