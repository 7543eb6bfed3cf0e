"""Calls about the views, for operators."""

from typing import Any
from uuid import UUID

from flask import url_for

from application.mapper import JSONMapper
from interface.api.answers import ProjectionPage, RebuildOutput, RetryOutput
from interface.api.calls import Blueprint, requires
from interface.api.document import LOCATION, refuses
from interface.api.schemas import NoFields
from interface.current import services
from projections import applying, generations
from projections.catalogue import ViewNotFound, view_named
from projections.generations import Generation, RebuildNotFound, RebuildRunning
from projections.runner import is_running
from projections.status import statuses

blueprint = Blueprint(
    "projections",
    __name__,
    url_prefix="/api/v1/projections",
    description="The views beside the log. A name may be given without its version.",
)


@blueprint.route("")
@requires("projections")
@blueprint.response(200, ProjectionPage)
def index() -> Any:
    """List the views: how far each has come, and its newest rebuild or verification."""
    database = services().database
    return {"items": statuses(database), "projector_at_work": is_running(database)}


@blueprint.route("/<name>/rebuilds", methods=["POST"])
@requires("projections")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(ViewNotFound, RebuildRunning)
@blueprint.response(202, RebuildOutput, headers=LOCATION)
def rebuild(name: str) -> Any:
    """Ask the projector to build a view anew. One that was interrupted is gone on with."""
    asked = request_rebuild(name)
    address = url_for("projections.read_rebuild", name=asked.name, rebuild_id=asked.id)
    return asked, {"Location": address}


@blueprint.route("/<name>/rebuilds/<uuid:rebuild_id>")
@requires("projections")
@refuses(ViewNotFound, RebuildNotFound)
@blueprint.response(200, RebuildOutput)
def read_rebuild(name: str, rebuild_id: UUID) -> Any:
    """Read how far a rebuild or verification has come, or how it ended."""
    projection = view_named(name)
    found = services().database.repeat(lambda conn: generations.find(conn, rebuild_id))
    if found.name != projection.name:
        raise RebuildNotFound
    return found


@blueprint.route("/<name>/retry", methods=["POST"])
@requires("projections")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(ViewNotFound)
@blueprint.response(200, RetryOutput)
def retry(name: str) -> Any:
    """Apply the parked events of a view again: how many it took, how many stay parked."""
    applied, left = retry_parked(name)
    return {"applied": applied, "parked": left}


def request_rebuild(name: str) -> Generation:
    """Ask for a rebuild of the view. Raises `ViewNotFound` or `RebuildRunning`."""
    projection = view_named(name)
    with services().database.connection() as conn:
        return generations.request(conn, projection.name)


def retry_parked(name: str) -> tuple[int, int]:
    """How many parked events the view took now, and how many stay. Raises `ViewNotFound`."""
    projection = view_named(name)
    with services().database.connection() as conn:
        return applying.retry(conn, projection, JSONMapper())
