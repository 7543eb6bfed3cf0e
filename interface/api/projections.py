"""Endpoints about the views, for operators."""

from typing import Any
from uuid import UUID

from interface.api.calls import address_of
from interface.api.decorators import Blueprint, requires
from interface.api.openapi import LOCATION, refuses
from interface.web.projection_response_schemas import ProjectionPage, RebuildOutput, RetryOutput
from interface.web.request_context import services
from interface.web.request_schemas import NoFields
from projections.catalogue import ViewNotFound, follower_named, projection_named
from projections.engine.batch import retry_parked
from projections.engine.runner import is_running
from projections.rebuild import jobs
from projections.rebuild.jobs import RebuildNotFound, RebuildRunning, request_rebuild
from projections.status import statuses

blueprint = Blueprint(
    "projections",
    __name__,
    url_prefix="/api/v1/projections",
    description="The views: tables built from the log. A view's name may omit its version.",
)


@blueprint.route("")
@requires("projections")
@blueprint.response(200, ProjectionPage)
def list_projections() -> Any:
    """List views.

    Shows how far each view has come, which events it could not apply, and its newest rebuild or
    verification.
    """
    database = services().database
    return {"items": statuses(database), "projector_at_work": is_running(database)}


@blueprint.route("/<name>/rebuilds", methods=["POST"])
@requires("projections")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(ViewNotFound, RebuildRunning)
@blueprint.response(202, RebuildOutput, headers=LOCATION)
def rebuild(name: str) -> Any:
    """Rebuild a view.

    Asks the projector to build the view again beside the live one, compare the two and switch.
    Readers see the live one until then. Resumes a rebuild that was interrupted; one that was
    requested already is returned. `Location` names where to read the progress.
    """
    job = request_rebuild(services().database, projection_named(name))
    address = address_of("projections.read_rebuild", name=job.name, rebuild_id=job.id)
    return job, {"Location": address}


@blueprint.route("/<name>/rebuilds/<uuid:rebuild_id>")
@requires("projections")
@refuses(ViewNotFound, RebuildNotFound)
@blueprint.response(200, RebuildOutput)
def read_rebuild(name: str, rebuild_id: UUID) -> Any:
    """Read a rebuild or verification.

    Shows how far it has come or how it ended, with the first rows that differed.
    """
    projection = projection_named(name)
    job = services().database.run_idempotent(lambda conn: jobs.find(conn, rebuild_id))
    if job.name != projection.name:
        raise RebuildNotFound
    return job


@blueprint.route("/<name>/retry", methods=["POST"])
@requires("projections")
@blueprint.arguments(NoFields, required=False, as_kwargs=True)
@refuses(ViewNotFound)
@blueprint.response(200, RetryOutput)
def retry(name: str) -> Any:
    """Retry the parked events of a view.

    Applies the events that the view could not take before, and those that wait behind them.
    """
    applied, left = retry_parked(services().database, follower_named(name))
    return {"applied": applied, "parked": left}
