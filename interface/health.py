"""Is it alive, is it ready, and if not, why."""

from flask import Blueprint, Flask, Response, jsonify

from application.database import Database
from application.deadline import deadline
from domain.errors import Unavailable
from interface.bootstrap import SchemaMissing, missing_tables
from interface.current import services
from projections import lag, positions
from projections.catalogue import CATALOGUE
from projections.runner import is_running

READY_SECONDS = 2.0
MOST_EVENTS_BEHIND = 1000
MOST_SECONDS_BEHIND = 10.0  # without a projector

blueprint = Blueprint("health", __name__)


def init_app(app: Flask) -> None:
    """Serve /healthz and /readyz to everybody."""
    app.register_blueprint(blueprint)


@blueprint.get("/healthz")
def alive() -> Response:
    """This process answers; nothing else is asked of anybody."""
    return jsonify(status="alive")


@blueprint.get("/readyz")
def ready() -> tuple[Response, int]:
    """Whether people can book now: 200, or 503 with the reasons why not."""
    reasons = reasons_against_ready()
    if reasons:
        return jsonify(status="not ready", reasons=reasons), 503
    return jsonify(status="ready"), 200


def reasons_against_ready() -> list[str]:
    """Sentences for an operator; none when all is well."""
    current = services()
    with deadline(READY_SECONDS):
        try:
            if missing := current.database.repeat(missing_tables):
                return [str(SchemaMissing(missing))]
            head = current.bookings.head()
            seen = positions.all_positions(current.database)
            stands_still = _stands_still(current.database)
        except Unavailable:
            return ["The database does not answer."]
    reasons = ["No projector is at work: lists stand still."] if stands_still else []
    return reasons + [
        f"The view {projection.name} is behind: at {seen[projection.name]}, head {head}."
        for projection in CATALOGUE
        if seen[projection.name] < head - MOST_EVENTS_BEHIND
    ]


def _stands_still(database: Database) -> bool:
    """Whether nobody takes the views on. None is at work for a moment at a start or takeover."""
    names = [projection.name for projection in CATALOGUE]
    has_waited = lag.longest_seconds(database, names) > MOST_SECONDS_BEHIND
    return has_waited and not is_running(database)
