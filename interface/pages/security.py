"""Who is at the browser, and what a browser may do with our pages."""

import hashlib
import hmac
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from application.sessions import SESSION_LIFETIME, Session
from interface.current import services
from interface.pages.locale import gettext

P = ParamSpec("P")

_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# RapiDoc writes its styles into the page.
_DOCS_POLICY = _PAGE_POLICY.replace("object-src", "style-src 'self' 'unsafe-inline'; object-src")


def init_app(app: Flask) -> None:
    """Protect all answers of the application."""
    app.after_request(_protect)
    app.jinja_env.globals |= {
        "current_session": current_session,
        "form_token": form_token,
        "has_role": has_role,
    }


def guard(blueprint: Blueprint) -> None:
    """Let forms of this blueprint be sent only from our own pages."""
    blueprint.before_request(refuse_foreign_forms)


def current_session() -> Session | None:
    """The session of this request's browser."""
    if "session" not in g:
        token = request.cookies.get(_cookie_name())
        current = services()
        g.session = current.sessions.find(token, now=current.now()) if token else None
    found: Session | None = g.session
    return found


def must_session() -> Session:
    """As `current_session`, in a view that is only for people who are signed in."""
    found = current_session()
    if found is None:
        raise Forbidden
    return found


def signed_in(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Show the page to people who are signed in; send others to sign in first."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if current_session() is None:
            came_for = request.full_path.rstrip("?") if request.method == "GET" else None
            address = url_for("home.start", next=came_for)
            if "HX-Request" in request.headers:  # the page as a whole, not the part asked for
                return Response(status=204, headers={"HX-Redirect": address})
            return redirect(address)
        return view(*args, **kwargs)

    guarded.for_people_signed_in = True  # type: ignore[attr-defined]
    return guarded


def has_role(role: str) -> bool:
    """Whether the person at the browser has this role, or may do everything."""
    current = current_session()
    return current is not None and not {role, "admin"}.isdisjoint(current.account.roles)


def for_role(
    role: str,
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """As `signed_in`, and others than people with this role are told that it is not for them."""

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @signed_in
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if not has_role(role):
                title = gettext("Your account has no access to this page.")
                return render_template("message.html", title=title), 403
            return view(*args, **kwargs)

        return guarded

    return decorate


def remember(response: AnyResponse, started: Session) -> AnyResponse:
    """Put the session into the browser."""
    response.set_cookie(
        _cookie_name(),
        started.token,
        max_age=SESSION_LIFETIME,
        httponly=True,
        secure=is_https(),
        samesite="Lax",
        path="/",
    )
    return response


def forget(response: AnyResponse) -> AnyResponse:
    """Take the session out of the browser."""
    response.delete_cookie(
        _cookie_name(), httponly=True, secure=is_https(), samesite="Lax", path="/"
    )
    return response


def own_zone() -> str:
    """The zone in which the person who is signed in reads times."""
    return must_session().account.time_zone or "UTC"


def actor() -> str:
    """As whom the log names the person at the browser."""
    return f"account:{must_session().account.id}"


def form_token() -> str:
    """Proves that a form came from a page of this very session."""
    current = current_session()
    return _token_of(current) if current else ""


def refuse_foreign_forms() -> None:
    """Three ways to know our own forms: fetch metadata, the origin, and the session's token."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site != "same-origin":
        raise Forbidden
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc not in _our_hosts():
        raise Forbidden
    current = current_session()
    given = request.form.get("form_token", "")
    if current is not None and not hmac.compare_digest(given.encode(), _token_of(current).encode()):
        raise Forbidden


def own_path(path: str | None) -> str:
    """`path` if it leads to a page of ours, else the home page."""
    if path and path.startswith("/") and not path.startswith(("//", "/\\")):
        return path
    return url_for("home.start")


def _our_hosts() -> set[str]:
    return {request.host, urlsplit(services().settings.public_url).netloc}


def _token_of(current: Session) -> str:
    return hmac.new(current.token.encode(), b"form", hashlib.sha256).hexdigest()


def is_https() -> bool:
    """Whether people reach us by https, so that cookies may be kept to it."""
    return services().settings.public_url.startswith("https://")


def _cookie_name() -> str:
    return "__Host-admitone" if is_https() else "admitone"


def _protect(response: Response) -> Response:
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint == "static":
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
    headers.setdefault("Cache-Control", "no-store")
    headers["X-Frame-Options"] = "DENY"
    headers["X-Robots-Tag"] = "noindex, nofollow"
    headers["Content-Security-Policy"] = (
        _DOCS_POLICY if request.path == "/api/docs" else _PAGE_POLICY
    )
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if is_https():
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
