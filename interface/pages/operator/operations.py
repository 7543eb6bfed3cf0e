"""The operations page: the state of the read models, their rebuilds and parked events."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from application.deliveries.deliveries import DeliveryOver
from application.deliveries.delivery import DeliveryState
from application.eventstore.database import Database
from interface.i18n import gettext
from interface.pages.operator.lag_chart import LagChart, lag_chart
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.deliveries import kind_text
from interface.web.problems import refusal_page
from interface.web.request_context import services
from projections.catalogue import CATALOGUE, REACTIONS, follower_named, projection_named
from projections.engine import lag, parking
from projections.engine.batch import retry_parked
from projections.engine.runner import is_running
from projections.rebuild.jobs import RebuildRunning, request_rebuild
from projections.status import statuses

blueprint = Blueprint("operations", __name__)
protect_from_csrf(blueprint)

MOST_SHOWN = 20
_NAMES = [projection.name for projection in CATALOGUE]


@blueprint.get("/operations")
@for_role("operator")
def index() -> ResponseReturnValue:
    """Shows the state and the lag of each read model, and what needs attention."""
    return _page()


@blueprint.get("/operations/<name>/rebuild")
@for_role("operator")
def ask_to_rebuild(name: str) -> ResponseReturnValue:
    """Asks for confirmation; says what a rebuild does and how long the last one took."""
    view = projection_named(name).name
    (status,) = [status for status in statuses(services().database) if status.name == view]
    return render_template("operations/rebuild.html", view=status)


@blueprint.post("/operations/<name>/rebuild")
@for_role("operator")
def rebuild(name: str) -> ResponseReturnValue:
    """Requests a rebuild from the projector."""
    try:
        request_rebuild(services().database, projection_named(name))
    except RebuildRunning as refusal:
        page = _page(refusal=gettext(str(RebuildRunning.__doc__)))
        return refusal_page(page, refusal, owner=True)
    return redirect(url_for("operations.index", notice="rebuild-requested"), 303)


@blueprint.post("/operations/<name>/retry")
@for_role("operator")
def retry(name: str) -> ResponseReturnValue:
    """Applies the parked events again."""
    _, left = retry_parked(services().database, follower_named(name))
    notice = "parked-left" if left else "parked-applied"
    return redirect(url_for("operations.index", notice=notice), 303)


@blueprint.post("/operations/deliveries/<uuid:delivery_id>/retry")
@for_role("operator")
def retry_delivery(delivery_id: UUID) -> ResponseReturnValue:
    """Tries a delivery again that was given up."""
    current = services()
    try:
        current.deliveries.retry(delivery_id, now=current.now())
    except DeliveryOver as refusal:
        page = _page(refusal=gettext(str(DeliveryOver.__doc__)))
        return refusal_page(page, refusal, owner=True)
    return redirect(url_for("operations.index", notice="delivery-retried"), 303)


def _page(refusal: str | None = None) -> str:
    current = services()
    database = current.database
    views = statuses(database)
    findings = views + statuses(database, REACTIONS)
    backlog = current.deliveries.backlog(now=current.now())
    parked_deliveries = current.deliveries.newest(limit=MOST_SHOWN, state=DeliveryState.PARKED)
    return render_template(
        "operations/index.html",
        views=views,
        findings=findings,
        needs_attention=bool(parked_deliveries)
        or any(view.parked or (view.rebuild and view.rebuild.differing) for view in findings),
        backlog=backlog,
        parked_deliveries=parked_deliveries,
        kind_text=kind_text,
        charts=_charts(database),
        parked=parking.first_parked(database, [view.name for view in findings]),
        is_running=is_running(database),
        refusal=refusal,
        columns_of=_columns_of,
        zone=user_time_zone(),
    )


def _charts(database: Database) -> dict[str, LagChart | None]:
    now, samples = lag.last_hour(database, _NAMES)
    return {name: lag_chart(samples[name], now) for name in _NAMES}


def _columns_of(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the columns of a row and their values as JSON."""
    return [(name, json.dumps(value, ensure_ascii=False)) for name, value in row.items()]
