"""The audit pages: the event log, the history of one aggregate, and the access log."""

import re
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, ValidationError, fields, validate

from application.audit.event_search import find_aggregates, find_bookings, find_events
from application.audit.found import Found, describe
from application.eventstore.database import PatientConnection
from application.people import access_log
from application.people.accounts import AccountNotFound
from application.people.security_log import account_actor
from interface.pages.auditor.actors import names_of
from interface.pages.auditor.audited import audited, audited_with_result
from interface.pages.auditor.history_view import (
    TITLES,
    kind_of,
    title_of,
)
from interface.pages.shared.auth import user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.audit_queries import MAPPER, add_to_record
from interface.web.fields import LAST_POSITION, Day, LocalInstant, Text
from interface.web.period import Period
from interface.web.request_context import services
from projections.views.calendar_list import calendars_called

blueprint = Blueprint("audit_pages", __name__)
protect_from_csrf(blueprint)

PAGE_SIZE = 50
_FILTERS = ("type", "actor", "since", "until")
_DOTTED_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_IS_POSITION = validate.Range(0, LAST_POSITION)


class LogQuery(Period):
    """A text to search for, or filters of the log; times are wall-clock times of the auditor."""

    class Meta:
        unknown = EXCLUDE

    q = Text(longest=254, load_default=None)
    topic = Text(data_key="type", longest=100, load_default=None)
    actor = Text(longest=200, load_default=None)
    since = LocalInstant(user_time_zone, load_default=None)
    until = LocalInstant(user_time_zone, load_default=None)
    after = fields.Integer(load_default=0, validate=_IS_POSITION)


@blueprint.get("/audit")
@audited_with_result
def index() -> ResponseReturnValue:
    """Shows the log with its filters, or the results of a search."""
    query = load(LogQuery(), request.args)
    if query.values and (text := query.values["q"]):
        return _search_results(text)
    events = None
    if not query.errors:
        filters = {name: value for name, value in query.values.items() if name != "q"}
        events = services().database.in_snapshot(
            lambda conn: find_events(conn, MAPPER, limit=PAGE_SIZE, **filters)
        )
    used: dict[str, Any] = {name: request.args[name] for name in _FILTERS if request.args.get(name)}
    page = render_template(
        "audit/index.html",
        events=events,
        errors=query.errors,
        typed=request.args,
        is_filtered=bool(used),
        start=url_for("audit_pages.index", **used) if request.args.get("after") else None,
        following=events
        and events.next_after is not None
        and url_for("audit_pages.index", **used, after=events.next_after),
        titles={topic: title_of(topic) for topic in TITLES},
        title_of=title_of,
        name_of=names_of(step.actor for step in events.steps) if events else None,
        zone=user_time_zone(),
    )
    return page, 422 if query.errors else 200


@blueprint.get("/audit/accesses")
@audited
def list_accesses() -> ResponseReturnValue:
    """Shows who viewed audit data, newest first."""
    before = request.args.get("before", type=int)
    if before is not None and not 0 <= before <= LAST_POSITION:
        before = None
    accesses = access_log.newest(services().database, limit=PAGE_SIZE + 1, before=before)
    return render_template(
        "audit/accesses.html",
        accesses=accesses[:PAGE_SIZE],
        name_of=names_of(access.actor for access in accesses),
        is_first=before is None,
        following=len(accesses) > PAGE_SIZE and accesses[PAGE_SIZE - 1].id,
        zone=user_time_zone(),
    )


def _search_results(text: str) -> ResponseReturnValue:
    """Redirects to the only result, or lists all; the access log names what was found."""
    day = _day_in(text)
    found = services().database.in_snapshot(lambda conn: _found(conn, text, day))
    if found:
        add_to_record(f", found {', '.join(str(each.id) for each in found)}")
    if not found and (owner_id := _owner_with_address(text)):
        add_to_record(f", found {owner_id}")
        return redirect(url_for("history_pages.agenda", owner_id=owner_id))
    if len(found) == 1 and day is None:
        return redirect(url_for("history_pages.history", aggregate_id=found[0].id))
    return render_template(
        "audit/search_results.html",
        text=text,
        day=day,
        following_day=day and day + timedelta(days=1),
        results=found,
        kind_of=kind_of,
        title_of=title_of,
        name_of=names_of(account_actor(each.owner_id) for each in found if each.owner_id),
        account_actor=account_actor,
        zone=user_time_zone(),
    )


def _found(conn: PatientConnection, text: str, day: date | None) -> list[Found]:
    """Returns what `text` names, and the bookings of a day of the auditor's clock."""
    ids = [*find_aggregates(conn, text, services().tokens), *calendars_called(conn, text)]
    if day is not None:
        zone = ZoneInfo(user_time_zone())
        start, end = (datetime.combine(day + timedelta(days=n), time(), zone) for n in (0, 1))
        ids += find_bookings(conn, MAPPER, start, end)
    return describe(conn, MAPPER, ids)


def _day_in(text: str) -> date | None:
    """Returns the day if the text is a date such as 2026-12-24 or 24.12.2026, else None."""
    if dotted := _DOTTED_DATE.fullmatch(text.strip()):
        day, month, year = dotted.groups()
        text = f"{year}-{month:>02}-{day:>02}"
    try:
        found: date = Day().deserialize(text.strip())
    except ValidationError:
        return None
    return found


def _owner_with_address(text: str) -> UUID | None:
    try:
        return services().accounts.by_email(text).id
    except AccountNotFound:
        return None
