"""The latest signed checkpoint and the public key, to view and to download."""

from pathlib import Path

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from application.people import access_log
from application.proofs import verifier as proofs_verifier
from interface.pages.auditor.actors import names_of
from interface.pages.auditor.audited import audited, audited_with_result
from interface.pages.shared.auth import user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.web.audit_queries import add_checkpoint_to_record, newest_checkpoint
from interface.web.request_context import services
from projections.evidence.checkpoint_store import CheckpointDamaged

blueprint = Blueprint("checkpoint_pages", __name__)
protect_from_csrf(blueprint)


@blueprint.get("/audit/checkpoint")
@audited
def show() -> ResponseReturnValue:
    """Shows the latest checkpoint, and how to verify the log against it."""
    store = services().checkpoint_store()
    newest, is_damaged = None, False
    try:
        newest = store.newest()
    except CheckpointDamaged:
        is_damaged = True
    taken = access_log.checkpoints_taken(services().database)
    fetched = next((each for each in taken if each.was_fetched), None)
    return render_template(
        "audit/checkpoint.html",
        checkpoint=newest,
        is_damaged=is_damaged,
        key=services().checkpoint_signer().verifier_key(),
        folder=store.folder,
        fetched=fetched,
        name_of=names_of([fetched.actor]) if fetched else None,
        zone=user_time_zone(),
    )


@blueprint.get("/audit/checkpoint/file")
@audited_with_result
def download() -> ResponseReturnValue:
    """Sends the checkpoint as a file, to store elsewhere."""
    newest = newest_checkpoint()
    add_checkpoint_to_record(newest)
    return _file(newest.text, f"{newest.signed.size}.checkpoint")


@blueprint.get("/audit/checkpoint/key")
@audited
def key() -> ResponseReturnValue:
    """Sends the public key as a file."""
    return _file(services().checkpoint_signer().verifier_key() + "\n", "audit-key.txt")


@blueprint.get("/audit/checkpoint/verifier")
@audited
def verifier() -> ResponseReturnValue:
    """Sends the program that verifies an export without this service."""
    return _file(Path(proofs_verifier.__file__).read_text("utf-8"), "verifier.py")


def _file(text: str, name: str) -> Response:
    response = Response(text, content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
