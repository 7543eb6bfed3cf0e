"""Protection against cross-site request forgery: forms are accepted only from our own pages."""

import hashlib
import hmac
from collections.abc import Collection
from functools import partial

from flask import Blueprint, Flask, request
from werkzeug.exceptions import Forbidden

from application.people.authentication import Session
from interface.pages.shared.auth import current_session
from interface.web.public_address import is_our_origin


def init_app(app: Flask) -> None:
    """Gives templates `form_token`."""
    app.jinja_env.globals |= {"form_token": form_token}


def protect_from_csrf(blueprint: Blueprint, *, sign_in: Collection[str] = ()) -> None:
    """Refuses forms of this blueprint that come from elsewhere than our own pages.

    The views named by `sign_in` start a session. Their forms have no token of the session that
    another tab may have started meanwhile, and need none.
    """
    without_token = {f"{blueprint.name}.{view}" for view in sign_in}
    blueprint.before_request(partial(_refuse_foreign_forms, without_token))


def form_token() -> str:
    """Returns the token that proves that a form came from a page of this session."""
    session = current_session()
    return _token_of(session) if session else ""


def _refuse_foreign_forms(without_token: Collection[str]) -> None:
    """Checks fetch metadata, the origin and the session's token. Raises `Forbidden`."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise Forbidden
    origin = request.headers.get("Origin")
    if origin is not None and not is_our_origin(origin):
        raise Forbidden
    if request.endpoint in without_token:
        return
    session = current_session()
    sent = request.form.get("form_token", "")
    if session is not None and not hmac.compare_digest(sent.encode(), _token_of(session).encode()):
        raise Forbidden


def _token_of(session: Session) -> str:
    return hmac.new(session.token.encode(), b"form", hashlib.sha256).hexdigest()
