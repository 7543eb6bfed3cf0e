"""The pages of compliance staff: the log, the history of one aggregate, and who read them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate

from application.audit.event_search import find_aggregates, find_events
from application.audit.replay import AsOf, History
from application.eventstore.event_log import RecordedEvent, read_streams
from application.people import access_log
from interface.pages.auditor.audited import audited
from interface.pages.auditor.history_view import (
    TITLES,
    changes,
    history_entries,
    kind_of,
    state_of,
    title_of,
)
from interface.pages.shared import auth
from interface.pages.shared.auth import user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.audit_queries import MAPPER, history_of, record_access
from interface.web.fields import LAST_POSITION, AsOfField, LocalInstant, Text
from interface.web.request_context import services

blueprint = Blueprint("audit_pages", __name__)
protect_from_csrf(blueprint)

PAGE = 50
_FILTERS = ("type", "actor", "since", "until")
_IS_POSITION = validate.Range(0, LAST_POSITION)


class LogQuery(Schema):
    """What to look for, or which events; times by the auditor's wall clock."""

    class Meta:
        unknown = EXCLUDE

    q = Text(longest=254, load_default=None)
    topic = Text(data_key="type", longest=100, load_default=None)
    actor = Text(longest=200, load_default=None)
    since = LocalInstant(user_time_zone, load_default=None)
    until = LocalInstant(user_time_zone, load_default=None)
    after = fields.Integer(load_default=0, validate=_IS_POSITION)


class HistoryQuery(Schema):
    """The moment to show, by its time or its position, and two moments to compare."""

    class Meta:
        unknown = EXCLUDE

    at = AsOfField(user_time_zone, load_default=None)
    position = AsOfField(user_time_zone, load_default=None)
    first = AsOfField(user_time_zone, data_key="from", load_default=None)
    last = AsOfField(user_time_zone, data_key="to", load_default=None)


@dataclass(frozen=True)
class Comparison:
    """Two moments of a history, and what changed between them."""

    before: AsOf
    after: AsOf
    changed: list[Any]


@blueprint.get("/audit")
@audited
def index() -> ResponseReturnValue:
    """The log, filtered, or what was searched for."""
    query = load(LogQuery(), request.args)
    if query.values and (text := query.values["q"]):
        return _searched(text)
    found = None
    if not query.errors:
        wanted = {name: value for name, value in query.values.items() if name != "q"}
        found = services().database.in_snapshot(
            lambda conn: find_events(conn, MAPPER, limit=PAGE, **wanted)
        )
    kept: dict[str, Any] = {name: request.args[name] for name in _FILTERS if request.args.get(name)}
    page = render_template(
        "audit/index.html",
        found=found,
        errors=query.errors,
        given=request.args,
        is_filtered=bool(kept),
        start=url_for("audit_pages.index", **kept) if request.args.get("after") else None,
        following=found
        and found.next_after is not None
        and url_for("audit_pages.index", **kept, after=found.next_after),
        titles={topic: title_of(topic) for topic in TITLES},
        title_of=title_of,
        zone=user_time_zone(),
    )
    return page, 422 if query.errors else 200


@blueprint.get("/audit/history/<uuid:aggregate_id>")
@audited
def history(aggregate_id: UUID) -> ResponseReturnValue:
    """Shows one history, all of it or as of a moment, and what changed between two moments."""
    query = load(HistoryQuery(), request.args)
    moments = query.values
    as_of = None
    if not query.errors:
        as_of = moments["position"] if moments["at"] is None else moments["at"]
    whole = history_of(aggregate_id)
    shown = whole if as_of is None else whole.as_of(as_of)
    compared = None
    if not query.errors and (moments["first"] is not None or moments["last"] is not None):
        compared = _compared(whole, moments["first"], moments["last"])
    page = render_template(
        "audit/history.html",
        aggregate_id=aggregate_id,
        kind=next(
            kind_of(step.recorded.topic)
            for step in whole.steps
            if step.recorded.originator_id == aggregate_id
        ),
        whole=whole,
        entries=list(history_entries(shown)),
        state=state_of(shown.state),
        as_of=as_of,
        compared=compared,
        errors=query.errors,
        given=request.args,
        title_of=title_of,
        zone=user_time_zone(),
    )
    return page, 422 if query.errors else 200


@blueprint.get("/audit/accesses")
@audited
def list_accesses() -> ResponseReturnValue:
    """Who read the audit, newest first."""
    before = request.args.get("before", type=int)
    if before is not None and not 0 <= before <= LAST_POSITION:
        before = None
    found = access_log.newest(services().database, limit=PAGE + 1, before=before)
    return render_template(
        "audit/accesses.html",
        accesses=found[:PAGE],
        is_first=before is None,
        following=len(found) > PAGE and found[PAGE - 1].id,
        zone=user_time_zone(),
    )


def _searched(text: str) -> ResponseReturnValue:
    """The one thing that was found, or a list; what was found is written down as well."""
    first_events = services().database.in_snapshot(
        lambda conn: _first_events(read_streams(conn, find_aggregates(conn, text)))
    )
    ids = [recorded.originator_id for recorded in first_events]
    if ids:
        record_access(auth.actor(), f", found {', '.join(map(str, ids))}")
    if len(ids) == 1:
        return redirect(url_for("audit_pages.history", aggregate_id=ids[0]))
    return render_template(
        "audit/found.html",
        text=text,
        found=first_events,
        kind_of=kind_of,
        zone=user_time_zone(),
    )


def _first_events(rows: list[RecordedEvent]) -> list[RecordedEvent]:
    return [recorded for recorded in rows if recorded.originator_version == 1]


def _compared(whole: History, first: AsOf | None, last: AsOf | None) -> Comparison:
    """Compares `first` (default: before the first event) with `last` (default: now)."""
    before = 0 if first is None else first
    after = whole.steps[-1].recorded.position if last is None else last
    return Comparison(before, after, changes(whole.as_of(before), whole.as_of(after)))
