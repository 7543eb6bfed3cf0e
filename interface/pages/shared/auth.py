"""The session of the browser, and who may see which pages."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Flask, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from application.people.authentication import SESSION_LIFETIME, Session
from interface.pages.shared.i18n import gettext
from interface.web.request_context import is_https, services

P = ParamSpec("P")


def init_app(app: Flask) -> None:
    """Gives templates `current_session` and `has_role`."""
    app.jinja_env.globals |= {"current_session": current_session, "has_role": has_role}


def current_session() -> Session | None:
    """Returns the session of this request's browser."""
    if "session" not in g:
        token = request.cookies.get(_cookie_name())
        current = services()
        g.session = current.sessions.find(token, now=current.now()) if token else None
    session: Session | None = g.session
    return session


def require_session() -> Session:
    """Like `current_session`, but raises `Forbidden` when nobody is signed in."""
    session = current_session()
    if session is None:
        raise Forbidden
    return session


def signed_in(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Shows the page to people who are signed in; sends others to sign in first."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if current_session() is None:
            next_path = request.full_path.rstrip("?") if request.method == "GET" else None
            address = url_for("home.show", next=next_path)
            if "HX-Request" in request.headers:  # leads the whole page there, not only a part
                return Response(status=204, headers={"HX-Redirect": address})
            return redirect(address)
        return view(*args, **kwargs)

    guarded.for_people_signed_in = True  # type: ignore[attr-defined]
    return guarded


def has_role(role: str) -> bool:
    """Returns True if the person who is signed in has this role, or is an admin."""
    session = current_session()
    return session is not None and not {role, "admin"}.isdisjoint(session.account.roles)


def for_role(
    role: str,
) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Shows the page to people with this role who are signed in; refuses others with 403."""

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @signed_in
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            if not has_role(role):
                title = gettext("Your account doesn't have access to this page.")
                return render_template("message.html", title=title), 403
            return view(*args, **kwargs)

        return guarded

    return decorate


def start_session(response: AnyResponse, session: Session) -> AnyResponse:
    """Adds the session's cookie to the response."""
    response.set_cookie(
        _cookie_name(),
        session.token,
        max_age=SESSION_LIFETIME,
        httponly=True,
        secure=is_https(),
        samesite="Lax",
        path="/",
    )
    return response


def end_session(response: AnyResponse) -> AnyResponse:
    """Removes the session's cookie."""
    response.delete_cookie(
        _cookie_name(), httponly=True, secure=is_https(), samesite="Lax", path="/"
    )
    return response


def user_time_zone() -> str:
    """Returns the IANA zone in which the person who is signed in reads times; by default UTC."""
    return require_session().account.time_zone or "UTC"


def actor() -> str:
    """Returns the name by which events record the person who is signed in."""
    return f"account:{require_session().account.id}"


def local_path(path: str | None) -> str:
    """Returns `path` if it leads to a page of ours, else the home page."""
    if path and path.startswith("/") and not path.startswith(("//", "/\\")):
        return path
    return url_for("home.show")


def _cookie_name() -> str:
    return "__Host-admitone" if is_https() else "admitone"
