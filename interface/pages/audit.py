"""What compliance staff see: the log, the story of one thing, and who read them.

Each page is written down, with who asked for it, before it is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate

from application import accesses
from application.audit import AsOf, History, HistoryNotFound, search
from application.finding import find_events
from application.reading import Recorded, read_streams
from interface.auditing import (
    LAST_POSITION,
    MAPPER,
    AsOfField,
    history_of,
    in_snapshot,
    note_access,
)
from interface.current import services
from interface.fields import LocalInstant, Text
from interface.pages import security
from interface.pages.audit_story import (
    TITLES,
    changes,
    kind_of,
    nothing,
    state_of,
    title_of,
    told,
)
from interface.pages.forms import load
from interface.pages.security import for_role, own_zone

P = ParamSpec("P")

blueprint = Blueprint("audit_pages", __name__)
security.guard(blueprint)

PAGE = 50
_FILTERS = ("type", "actor", "since", "until")
_IS_POSITION = validate.Range(0, LAST_POSITION)


def audited(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Show the page to auditors, once it is written down who asks and for what."""

    @for_role("auditor")
    @wraps(view)
    def noted(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        note_access(security.actor())
        return view(*args, **kwargs)

    return noted


class LogQuery(Schema):
    """What to look for, or which events; times by the auditor's wall clock."""

    class Meta:
        unknown = EXCLUDE

    q = Text(longest=254, load_default=None)
    topic = Text(data_key="type", longest=100, load_default=None)
    actor = Text(longest=200, load_default=None)
    since = LocalInstant(own_zone, load_default=None)
    until = LocalInstant(own_zone, load_default=None)
    after = fields.Integer(load_default=0, validate=_IS_POSITION)


class HistoryQuery(Schema):
    """As of when: a wall clock, else a position; and two moments to compare."""

    class Meta:
        unknown = EXCLUDE

    at = LocalInstant(own_zone, load_default=None)
    position = fields.Integer(load_default=None, validate=_IS_POSITION)
    first = AsOfField(data_key="from", load_default=None)
    last = AsOfField(data_key="to", load_default=None)


@dataclass(frozen=True)
class Comparison:
    """Two moments of a story, and what changed between them."""

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
        found = in_snapshot(lambda conn: find_events(conn, MAPPER, limit=PAGE, **wanted))
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
        zone=own_zone(),
    )
    return page, 422 if query.errors else 200


@blueprint.get("/audit/history/<uuid:subject_id>")
@audited
def history(subject_id: UUID) -> ResponseReturnValue:
    """One story: all of it, or as of a moment; and what changed between two moments."""
    query = load(HistoryQuery(), request.args)
    wanted = query.values
    as_of = None if query.errors else wanted["at"] if wanted["at"] else wanted["position"]
    whole = history_of(subject_id)
    found = whole if as_of is None else _as_of(subject_id, as_of)
    compared = None
    if not query.errors and (wanted["first"] is not None or wanted["last"] is not None):
        compared = _compared(whole, wanted["first"], wanted["last"])
    page = render_template(
        "audit/history.html",
        subject_id=subject_id,
        kind=next(
            kind_of(step.recorded.topic)
            for step in whole.steps
            if step.recorded.originator_id == subject_id
        ),
        whole=whole,
        story=list(told(found)),
        state=state_of(found.state),
        as_of=as_of,
        compared=compared,
        errors=query.errors,
        given=request.args,
        title_of=title_of,
        zone=own_zone(),
    )
    return page, 422 if query.errors else 200


@blueprint.get("/audit/accesses")
@audited
def list_accesses() -> ResponseReturnValue:
    """Who read the audit, newest first."""
    before = request.args.get("before", type=int)
    if before is not None and not 0 <= before <= LAST_POSITION:
        before = None
    found = accesses.newest(services().database, limit=PAGE + 1, before=before)
    return render_template(
        "audit/accesses.html",
        accesses=found[:PAGE],
        is_first=before is None,
        following=len(found) > PAGE and found[PAGE - 1].id,
        zone=own_zone(),
    )


def _searched(text: str) -> ResponseReturnValue:
    """The one thing that was found, or a list; what was found is written down as well."""
    first_events = in_snapshot(lambda conn: _first_events(read_streams(conn, search(conn, text))))
    ids = [recorded.originator_id for recorded in first_events]
    if ids:
        note_access(security.actor(), f", found {', '.join(map(str, ids))}")
    if len(ids) == 1:
        return redirect(url_for("audit_pages.history", subject_id=ids[0]))
    return render_template(
        "audit/found.html",
        text=text,
        found=first_events,
        kind_of=kind_of,
        zone=own_zone(),
    )


def _first_events(rows: list[Recorded]) -> list[Recorded]:
    return [recorded for recorded in rows if recorded.originator_version == 1]


def _as_of(subject_id: UUID, as_of: AsOf) -> History:
    """The story up to a moment; an empty one, if nothing was known of it."""
    try:
        return history_of(subject_id, as_of=as_of)
    except HistoryNotFound:
        return nothing(subject_id)


def _compared(whole: History, first: AsOf | None, last: AsOf | None) -> Comparison:
    """From `first` (default: before everything) to `last` (default: now)."""
    before = 0 if first is None else first
    after = whole.steps[-1].recorded.position if last is None else last
    return Comparison(before, after, changes(_as_of(whole.id, before), _as_of(whole.id, after)))
