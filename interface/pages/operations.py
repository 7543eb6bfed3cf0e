"""The views beside the log, for those who operate the service."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from psycopg import Connection
from psycopg.rows import DictRow

from interface.api.problems import answer_to
from interface.api.projections import request_rebuild, retry_parked
from interface.current import services
from interface.pages import security
from interface.pages.lag_chart import LagChart, lag_chart
from interface.pages.locale import gettext
from interface.pages.security import for_role, own_zone
from projections import lag, parking
from projections.catalogue import CATALOGUE, view_named
from projections.generations import RebuildRunning
from projections.parking import ParkedEvent
from projections.runner import is_running
from projections.status import statuses

blueprint = Blueprint("operations", __name__)
security.guard(blueprint)

_NAMES = [projection.name for projection in CATALOGUE]


@blueprint.get("/operations")
@for_role("operator")
def index() -> ResponseReturnValue:
    """All views: how far each has come, its last hour, and what needs somebody to act."""
    return _page()


@blueprint.get("/operations/<name>/rebuild")
@for_role("operator")
def ask_to_rebuild(name: str) -> ResponseReturnValue:
    """Say first what a rebuild does, and how long the last one took."""
    view = view_named(name).name
    (status,) = [status for status in statuses(services().database) if status.name == view]
    return render_template("operations/rebuild.html", view=status)


@blueprint.post("/operations/<name>/rebuild")
@for_role("operator")
def rebuild(name: str) -> ResponseReturnValue:
    """Ask the projector for it."""
    try:
        request_rebuild(name)
    except RebuildRunning as refusal:
        status, _ = answer_to(refusal, owner=True)
        return _page(refusal=gettext(str(RebuildRunning.__doc__))), status
    return redirect(url_for("operations.index", notice="rebuild-asked"), 303)


@blueprint.post("/operations/<name>/retry")
@for_role("operator")
def retry(name: str) -> ResponseReturnValue:
    """Apply what is parked again."""
    _, left = retry_parked(name)
    notice = "parked-left" if left else "parked-applied"
    return redirect(url_for("operations.index", notice=notice), 303)


def _page(refusal: str | None = None) -> str:
    database = services().database
    views = statuses(database)
    return render_template(
        "operations/index.html",
        views=views,
        needs_somebody=any(
            view.parked or (view.rebuild and view.rebuild.differing) for view in views
        ),
        charts=database.repeat(_charts),
        parked=database.repeat(_parked),
        is_running=is_running(database),
        refusal=refusal,
        in_words=_in_words,
        zone=own_zone(),
    )


def _charts(conn: Connection[DictRow]) -> dict[str, LagChart | None]:
    by_name = defaultdict(list)
    with conn.transaction():
        for name, sample in lag.samples(conn, _NAMES):
            by_name[name].append(sample)
        (row,) = conn.execute("SELECT now() AS now").fetchall()
    return {name: lag_chart(by_name[name], row["now"]) for name in _NAMES}


def _parked(conn: Connection[DictRow]) -> dict[str, list[ParkedEvent]]:
    return {name: parking.first_parked(conn, name) for name in _NAMES}


def _in_words(side: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The columns of one side of a difference, as JSON writes their values."""
    return [(name, json.dumps(value, ensure_ascii=False)) for name, value in side.items()]
