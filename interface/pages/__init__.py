"""The pages: server-rendered, usable without JavaScript, in the reader's language."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, url_for

from interface.pages import (
    account,
    audit_head,
    calendars,
    forgetting,
    home,
    invitee,
    links,
    locale,
    notices,
    operations,
    security,
    share,
    share_several,
)

_STATIC = Path(__file__).parent / "static"


def init_app(app: Flask) -> None:
    """Serve the pages."""
    locale.init_app(app)
    security.init_app(app)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals |= {"asset": _asset, "notice": notices.notice}
    for module in (
        home,
        calendars,
        share,
        share_several,
        links,
        forgetting,
        audit_head,
        operations,
        account,
        invitee,
    ):
        app.register_blueprint(module.blueprint)


def _asset(name: str) -> str:
    """The address of a static file. It changes with the text, so that browsers may keep it."""
    return url_for("static", filename=name, v=_fingerprint(name))


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]
