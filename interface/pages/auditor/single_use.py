"""The proof of single use as a page to print."""

from contextlib import suppress
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE

from application.audit.single_use_report import LogTooLong
from application.eventstore import event_log
from interface.pages.auditor.audited import audited
from interface.pages.shared.auth import user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.audit_queries import proof_of_single_use
from interface.web.fields import Day
from interface.web.period import Period
from interface.web.request_context import services

blueprint = Blueprint("single_use_pages", __name__)
protect_from_csrf(blueprint)


class PeriodQuery(Period):
    """The days whose events are counted, by the auditor's clock. The whole log is checked."""

    class Meta:
        unknown = EXCLUDE

    since = Day(data_key="from", load_default=None)
    until = Day(data_key="to", load_default=None)


@blueprint.get("/audit/single-use")
@audited
def show() -> ResponseReturnValue:
    """Checks the whole log, and shows each statement with how many events it was checked on."""
    query = load(PeriodQuery(), request.args)
    head = services().database.in_snapshot(event_log.head)
    proof = None
    if not query.errors:
        with suppress(LogTooLong):
            proof = proof_of_single_use(*_period(query.values["since"], query.values["until"]))
    page = render_template(
        "audit/single_use.html",
        proof=proof,
        head=head,
        errors=query.errors,
        typed=request.args,
        moment=datetime.fromisoformat,
        zone=user_time_zone(),
    )
    return page, 422 if query.errors else 200


def _period(first: date | None, last: date | None) -> tuple[datetime | None, datetime | None]:
    """Returns when the first of these days starts and the last one ends, if they are named."""
    since = None if first is None else _start_of(first)
    until = None if last is None else _start_of(last + timedelta(days=1))
    return since, until


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(user_time_zone()))
