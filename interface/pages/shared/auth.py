"""The session of the browser, and who may see which pages."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec
from urllib.parse import unquote
from uuid import UUID, uuid4

from flask import (
    Flask,
    Response,
    current_app,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Response as AnyResponse

from application.people.accounts import Account
from application.people.authentication import SESSION_LIFETIME, Proof, Session
from application.people.security_log import account_actor
from application.people.tokens import InvalidToken
from interface.i18n import gettext
from interface.web.browser_name import browser_name
from interface.web.public_address import public_path, this_address
from interface.web.request_context import client_address, is_https, services

P = ParamSpec("P")

BROWSER_LIFETIME = timedelta(days=365)
_SESSION, _BROWSER = "admitone", "admitone-browser"  # cookies


def init_app(app: Flask) -> None:
    """Gives templates `current_session` and `has_role`."""
    app.jinja_env.globals |= {"current_session": current_session, "has_role": has_role}


def current_session() -> Session | None:
    """Returns the session of this request's browser."""
    if "session" not in g:
        token = request.cookies.get(cookie_name(_SESSION))
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
            if request.method == "GET":
                address = url_for("home.show", next=this_address())
            else:
                here = page_of(this_address())
                address = url_for("home.show", next=here, notice="not-signed-in")
            if "HX-Request" in request.headers:  # leads the whole page there, not only a part
                return Response(status=204, headers={"HX-Redirect": address})
            return redirect(address)
        return view(*args, **kwargs)

    guarded.for_people_signed_in = True  # type: ignore[attr-defined]
    return guarded


def page_of(path: str) -> str:
    """Returns the page with the form that was sent to this path: the nearest one above it."""
    root, adapter = request.script_root, current_app.create_url_adapter(request)
    while adapter is not None and len(path) > len(root):
        if adapter.test(path.partition("?")[0].removeprefix(root), method="GET"):
            return path
        path = path.rpartition("/")[0]
    return url_for("home.show")


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


def start_session(
    response: AnyResponse,
    account: Account,
    *,
    by: Proof,
    confirmed_until: datetime | None = None,
    is_renewal: bool = False,
) -> AnyResponse:
    """Signs the account in at this browser: ends the session before, adds the new one's cookie."""
    current, before = services(), current_session()
    if before is not None:
        current.sessions.end(before)
    browser_id = _known_browser(account)
    session = current.sessions.start(
        account,
        now=current.now(),
        by=by,
        confirmed_until=confirmed_until,
        is_renewal=is_renewal,
        browser=browser_name(request.headers.get("User-Agent", "")),
        is_new_browser=browser_id is None,
    )
    set_cookie(response, _SESSION, session.token, SESSION_LIFETIME)
    token = current.tokens.for_browser(account.id, browser_id or uuid4())
    set_cookie(response, _browser_cookie(account), token, BROWSER_LIFETIME)
    return response


def end_session(response: AnyResponse) -> AnyResponse:
    """Removes the session's cookie."""
    delete_cookie(response, _SESSION)
    return response


def password_client(account: Account | None) -> str:
    """Returns the client by which wrong passwords for this account are counted.

    A browser at which the account has signed in before is counted by itself, so that a stranger
    with the same address, or with many addresses, does not keep its user out.
    """
    browser_id = _known_browser(account) if account is not None else None
    return client_address() if browser_id is None else f"browser {browser_id}"


def user_time_zone() -> str:
    """Returns the IANA zone in which the person who is signed in reads times; by default UTC."""
    return require_session().account.time_zone or "UTC"


def actor() -> str:
    """Returns the name by which events record the person who is signed in."""
    return account_actor(require_session().account.id)


def local_path(path: str | None) -> str:
    """Returns `path` if it leads to a page of ours, else the home page.

    Browsers read a backslash as a slash and leave out tabs and line breaks, so a text with one of
    these is not what it seems. They also resolve `..`, which must not lead out of our own path.
    """
    home = url_for("home.show")
    if path is None or not path.startswith(home) or path.startswith("//"):
        return home
    is_odd = "\\" in path or any(sign < "!" for sign in path)
    is_above = ".." in unquote(path.partition("?")[0]).split("/")
    return home if is_odd or is_above else path


def _known_browser(account: Account) -> UUID | None:
    """Returns the id of this browser if the account has signed in here within a year."""
    for name in (_browser_cookie(account), _BROWSER):  # the second is that of earlier versions
        with suppress(InvalidToken):
            token = request.cookies.get(cookie_name(name), "")
            account_id, browser_id = services().tokens.browser(token)
            if account_id == account.id:
                return browser_id
    return None


def _browser_cookie(account: Account) -> str:
    """Returns the name of the cookie by which a browser is known again, one for each account."""
    return f"{_BROWSER}-{account.id.hex[:12]}"


def set_cookie(response: AnyResponse, name: str, value: str, lifetime: timedelta) -> None:
    """Sets a cookie that no script reads, and that no other site's form brings along."""
    response.set_cookie(
        cookie_name(name),
        value,
        max_age=lifetime,
        httponly=True,
        secure=is_https(),
        samesite="Lax",
        path=public_path() or "/",
    )


def delete_cookie(response: AnyResponse, name: str) -> None:
    """Removes a cookie of ours."""
    response.delete_cookie(
        cookie_name(name),
        httponly=True,
        secure=is_https(),
        samesite="Lax",
        path=public_path() or "/",
    )


def cookie_name(name: str) -> str:
    """Returns the name of a cookie as browsers know it. They hold its prefix to `Secure`.

    `__Host-` promises more, and is only for the path /.
    """
    if not is_https():
        return name
    return f"__Secure-{name}" if public_path() else f"__Host-{name}"
