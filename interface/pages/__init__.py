"""The pages: rendered on the server, usable without JavaScript, in the reader's language."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, url_for

from interface.pages.auditor import audit_log, checkpoint
from interface.pages.invitee import booking_confirmation, booking_page
from interface.pages.operator import operations
from interface.pages.owner import bookings, calendars, erasure, home, links, share_batch, share_link
from interface.pages.shared import account, auth, csrf, flash_messages, headers, i18n, sign_in

_STATIC = Path(__file__).parent / "static"


def init_app(app: Flask) -> None:
    """Registers the pages."""
    i18n.init_app(app)
    auth.init_app(app)
    csrf.init_app(app)
    headers.init_app(app)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals |= {"asset": _asset, "notice": flash_messages.notice}
    for module in (
        sign_in,
        home,
        calendars,
        share_link,
        share_batch,
        links,
        bookings,
        erasure,
        audit_log,
        checkpoint,
        operations,
        account,
        booking_page,
        booking_confirmation,
    ):
        app.register_blueprint(module.blueprint)


def _asset(name: str) -> str:
    """Returns the address of a static file, with a fingerprint so that browsers may cache it."""
    return url_for("static", filename=name, v=_fingerprint(name))


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]
