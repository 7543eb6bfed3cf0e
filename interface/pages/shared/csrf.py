"""Protection against cross-site request forgery: forms are accepted only from our own pages."""

import hashlib
import hmac
from urllib.parse import urlsplit

from flask import Blueprint, Flask, request
from werkzeug.exceptions import Forbidden

from application.people.authentication import Session
from interface.pages.shared.auth import current_session
from interface.web.request_context import services


def init_app(app: Flask) -> None:
    """Gives templates `form_token`."""
    app.jinja_env.globals |= {"form_token": form_token}


def protect_from_csrf(blueprint: Blueprint) -> None:
    """Refuses forms of this blueprint that come from elsewhere than our own pages."""
    blueprint.before_request(_refuse_foreign_forms)


def form_token() -> str:
    """Returns the token that proves that a form came from a page of this session."""
    session = current_session()
    return _token_of(session) if session else ""


def _refuse_foreign_forms() -> None:
    """Checks fetch metadata, the origin and the session's token. Raises `Forbidden`."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise Forbidden
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc not in _our_hosts():
        raise Forbidden
    session = current_session()
    sent = request.form.get("form_token", "")
    if session is not None and not hmac.compare_digest(sent.encode(), _token_of(session).encode()):
        raise Forbidden


def _our_hosts() -> set[str]:
    return {request.host, urlsplit(services().settings.public_url).netloc}


def _token_of(session: Session) -> str:
    return hmac.new(session.token.encode(), b"form", hashlib.sha256).hexdigest()
