"""The newest signed head for auditors: to look at, to keep elsewhere, to check the log against."""

from flask import Response, render_template
from flask.typing import ResponseReturnValue

from interface.auditing import HeadSpoiled, newest_head, public_key
from interface.current import services
from interface.heads import NoHead
from interface.pages.audit import audited, blueprint
from interface.pages.security import own_zone


@blueprint.get("/audit/head")
@audited
def head() -> ResponseReturnValue:
    """The newest signed head, and how to check the log against it."""
    newest, is_spoiled = None, False
    try:
        newest = newest_head()
    except NoHead:
        pass
    except HeadSpoiled:
        is_spoiled = True
    return render_template(
        "audit/head.html",
        head=newest,
        is_spoiled=is_spoiled,
        key=public_key(),
        folder=services().settings.heads_folder,
        zone=own_zone(),
    )


@blueprint.get("/audit/head/checkpoint")
@audited
def checkpoint() -> ResponseReturnValue:
    """The signed head as a file, to keep elsewhere."""
    newest = newest_head()
    return _file(newest.text, f"{newest.signed.size}.checkpoint")


@blueprint.get("/audit/head/key")
@audited
def key() -> ResponseReturnValue:
    """The public key as a file."""
    return _file(public_key() + "\n", "audit-key.txt")


def _file(text: str, name: str) -> Response:
    response = Response(text, content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
