"""Serves liveness and readiness, with the reasons for not being ready."""

from flask import Blueprint, Flask, Response, json, jsonify

from application.eventstore.database import Database
from application.eventstore.deadline import deadline
from domain.errors import Unavailable
from interface.bootstrap import SchemaMissing, Services, missing_tables
from interface.version import version
from projections.catalogue import CATALOGUE
from projections.engine import lag, positions
from projections.engine.runner import is_running

READY_SECONDS = 2.0
MOST_EVENTS_BEHIND = 1000
MOST_SECONDS_BEHIND = 10.0  # without a projector


def init_app(app: Flask, services: Services) -> None:
    """Serves /healthz and /readyz to everybody."""
    blueprint = Blueprint("health", __name__)
    is_alive = json.dumps({"status": "alive", "version": version()})

    @blueprint.get("/healthz")
    def alive() -> Response:
        """Answers that this process is alive. Asks nothing of the database."""
        return Response(is_alive, content_type="application/json")

    @blueprint.get("/readyz")
    def ready() -> tuple[Response, int]:
        """Answers 200 if people can book now, else 503 with the reasons.

        Says also why a standby is not read, which keeps nobody from booking.
        """
        reasons = reasons_against_ready(services)
        if reasons:
            return jsonify(status="not ready", reasons=reasons), 503
        if (obstacle := standby_obstacle(services)) is not None:
            return jsonify(status="ready", standby=obstacle), 200
        return jsonify(status="ready"), 200

    app.register_blueprint(blueprint)


def reasons_against_ready(services: Services) -> list[str]:
    """Returns the reasons why people can't book, as sentences. An empty list means they can.

    What keeps writes from getting through shows within 10 seconds.
    """
    with deadline(READY_SECONDS):
        try:
            if missing := services.database.run_idempotent(missing_tables):
                return [str(SchemaMissing(missing))]
            head = services.event_store.head()
            reached = positions.all_positions(services.database)
            is_stalled = _is_stalled(services.database)
        except Unavailable:
            return ["The database does not answer."]
    reasons = []
    if obstacle := services.write_probe.obstacle():
        reasons.append(obstacle)
    if is_stalled:
        reasons.append("No projector is running: lists are not being updated.")
    return reasons + [
        f"The view {projection.name} is behind: at {reached[projection.name]}, head {head}."
        for projection in CATALOGUE
        if reached[projection.name] < head - MOST_EVENTS_BEHIND
    ]


def standby_obstacle(services: Services) -> str | None:
    """Returns why the standby that the settings name is not read, as a sentence."""
    return None if services.standby is None else services.standby.obstacle()


def _is_stalled(database: Database) -> bool:
    """Returns True if events have waited over 10 s with no projector running.

    A short gap at a start or a takeover is normal.
    """
    names = [projection.name for projection in CATALOGUE]
    has_waited = lag.longest_seconds(database, names) > MOST_SECONDS_BEHIND
    return has_waited and not is_running(database)
