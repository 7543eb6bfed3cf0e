"""The pages of a history: of a link, a booking, a calendar, or an owner's reserved time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, Schema, fields, validate

from application.audit.replay import AsOf, History, HistoryNotFound
from application.people.security_log import account_actor
from domain.errors import Invalid
from interface.pages.auditor.actors import names_of
from interface.pages.auditor.audited import audited
from interface.pages.auditor.history_view import (
    ChangedAggregate,
    actors_in,
    changes,
    history_entries,
    kind_of,
    state_of,
    title_of,
)
from interface.pages.shared.auth import user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web import audit_queries
from interface.web.fields import LAST_POSITION, AsOfField, Day
from interface.web.request_context import services

blueprint = Blueprint("history_pages", __name__)
protect_from_csrf(blueprint)

PAGE_SIZE = 100
PAST, FUTURE = timedelta(days=30), timedelta(days=60)
_IS_POSITION = validate.Range(0, LAST_POSITION)


class HistoryQuery(Schema):
    """The moment to show, by time or position, two moments to compare, and the page."""

    class Meta:
        unknown = EXCLUDE

    at = AsOfField(user_time_zone, load_default=None)
    position = AsOfField(user_time_zone, load_default=None)
    first = AsOfField(user_time_zone, data_key="from", load_default=None)
    last = AsOfField(user_time_zone, data_key="to", load_default=None)
    after = fields.Integer(load_default=0, validate=_IS_POSITION)


class AgendaQuery(Schema):
    """The days to show, in UTC, and the page."""

    class Meta:
        unknown = EXCLUDE

    first = Day(data_key="from", load_default=None)
    last = Day(data_key="to", load_default=None)
    after = fields.Integer(load_default=0, validate=_IS_POSITION)


_EVERYTHING = HistoryQuery().load({})


@dataclass(frozen=True)
class Comparison:
    """Two moments of a history, and what changed between them."""

    before: AsOf
    after: AsOf | None
    changed: list[ChangedAggregate]


@blueprint.get("/audit/history/<uuid:aggregate_id>")
@audited
def history(aggregate_id: UUID) -> ResponseReturnValue:
    """Shows a history, whole or as of a moment, and what changed between two moments."""
    query = load(HistoryQuery(), request.args)
    wish = query.values or _EVERYTHING
    as_of = wish["position"] if wish["at"] is None else wish["at"]
    visible = audit_queries.history_of(
        aggregate_id, as_of=as_of, after=wish["after"], limit=PAGE_SIZE
    )
    comparison = None
    if wish["first"] is not None or wish["last"] is not None:
        comparison = _compare(aggregate_id, wish["first"] or 0, wish["last"])
    page = render_template(
        "audit/history.html",
        kind=kind_of(visible.kind),
        as_of=as_of,
        is_ahead=isinstance(as_of, datetime) and as_of > services().now(),
        comparison=comparison,
        errors=query.errors,
        typed=request.args,
        title_of=title_of,
        name_of=names_of(actors_in(visible)),
        **_shown(visible, wish["after"]),
    )
    return page, 422 if query.errors else 200


@blueprint.get("/audit/agendas/<uuid:owner_id>")
@audited
def agenda(owner_id: UUID) -> ResponseReturnValue:
    """Shows the history of the time that an owner reserved in a period."""
    query = load(AgendaQuery(), request.args)
    owner, errors, shown = account_actor(owner_id), query.errors, {}
    actors: list[str | None] = [owner]
    today = services().now().date()
    first = query.values.get("first") or today - PAST
    last = query.values.get("last") or max(first, today) + FUTURE
    if not errors:
        after = query.values["after"]
        try:
            visible = audit_queries.history_of_agenda(
                owner_id, first, last, after=after, limit=PAGE_SIZE
            )
            shown = _shown(visible, after)
            actors += actors_in(visible)
        except Invalid as refusal:
            errors = errors_of(refusal)
        except HistoryNotFound:
            pass
    page = render_template(
        "audit/agenda.html",
        owner_id=owner_id,
        owner=owner,
        name_of=names_of(actors),
        errors=errors,
        typed={"from": first.isoformat(), "to": last.isoformat()} | request.args,
        **shown,
    )
    return page, 422 if errors else 200


def _shown(history: History, after: int) -> dict[str, Any]:
    """Returns what the template shows of a page of a history."""
    return {
        "history": history,
        "entries": list(history_entries(history)),
        "state": state_of(history.state),
        "zone": user_time_zone(),
        "start": after and _here(after=None),
        "following": history.next_after is not None and _here(after=history.next_after),
    }


def _here(*, after: int | None) -> str:
    """Returns the address of another page of the history that is shown."""
    given: dict[str, Any] = request.args.to_dict() | (request.view_args or {})
    return url_for(str(request.endpoint), **(given | {"after": after}))


def _compare(aggregate_id: UUID, first: AsOf, last: AsOf | None) -> Comparison:
    """Compares `first` with `last` (default: now)."""
    before, after = audit_queries.compared_states(aggregate_id, (first, last))
    return Comparison(first, last, changes(before, after))
