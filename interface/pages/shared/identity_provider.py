"""Signing in at an identity provider, and what else takes a proof from there.

The browser is sent to the provider, and comes back with a code. What was made up for that one
sign-in is in a signed cookie of this browser, so a code that somebody else has got is of no use to
them, and one of theirs is of no use here.
"""

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from application.people.accounts import OnlyByProvider
from application.people.authentication import CONFIRMED_FOR, Proof
from application.people.identities import (
    AlreadyConnected,
    Attempt,
    Identity,
    NotAdmitted,
    SignInNotProved,
    new_attempt,
)
from application.people.rate_limits import FORGED_TOKENS, WRONG_ANSWERS, RateLimit
from application.people.tokens import InvalidToken
from domain.errors import AdmitOneError, NotFound, Unavailable
from interface.i18n import gettext
from interface.pages.shared import auth
from interface.pages.shared.auth import current_session, local_path, require_session, signed_in
from interface.pages.shared.confirmation import confirmed
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.sign_in import sign_in_at_browser, sign_in_page
from interface.web.problems import refusal_page
from interface.web.rate_limits import count_failure, is_used_up, refuse_beyond
from interface.web.request_context import services

if TYPE_CHECKING:
    from application.identity_provider import IdentityProvider

blueprint = Blueprint("identity_provider", __name__)
protect_from_csrf(blueprint)

ERRAND_LIFETIME = timedelta(minutes=10)
_COOKIE = "admitone-provider"
_ONCE = RateLimit("provider-errand", 1, ERRAND_LIFETIME + timedelta(minutes=1))
"""An errand counts once, for as long as its cookie is accepted and a little longer."""


class Purpose(StrEnum):
    """The purposes for which somebody is sent to the provider."""

    SIGN_IN = "sign-in"
    CONFIRM = "confirm"
    CONNECT = "connect"


class Errand(msgspec.Struct):
    """The errand of a browser at the provider, and the page that follows.

    `session` is the id of the session from which it was sent; nobody need be signed in to sign in.
    """

    attempt: Attempt
    purpose: Purpose
    path: str
    session: UUID | None = None


@blueprint.get("/sign-in/provider")
def sign_in() -> ResponseReturnValue:
    """Sends the browser to the provider, to sign in."""
    path = local_path(request.args.get("next"))
    address, errand = _send(Purpose.SIGN_IN, path)
    return _with_errand(redirect(address, 303), errand)


@blueprint.get("/account/confirm/provider")
@signed_in
def confirm() -> ResponseReturnValue:
    """Sends the browser to the provider, to prove anew who is there."""
    address, errand = _send(Purpose.CONFIRM, local_path(request.args.get("path")))
    return _with_errand(redirect(address, 303), errand)


@blueprint.post("/account/provider")
@confirmed
def connect() -> ResponseReturnValue:
    """Leads on to the provider, to connect the account with whoever signs in there.

    By a page, because browsers do not let a form lead to another site, and as a form, so that
    nobody else's page can begin this.
    """
    address, errand = _send(Purpose.CONNECT, url_for("account.access"))
    page = render_template("identity_provider/go_on.html", address=address, name=_name())
    return _with_errand(Response(page, content_type="text/html; charset=utf-8"), errand)


@blueprint.post("/account/provider/disconnect")
@confirmed
def disconnect() -> ResponseReturnValue:
    """Ends that somebody at the provider signs in to the account."""
    current = services()
    if current.settings.oidc_only:
        raise OnlyByProvider
    account = require_session().account
    current.identities.disconnect(account, issuer=_provider().client.issuer)
    return redirect(url_for("account.access", notice="provider-disconnected"), 303)


@blueprint.get("/sign-in/provider/callback")
def come_back() -> ResponseReturnValue:
    """Takes the answer of the provider, and goes on with what the browser was sent for."""
    try:
        return _without_errand(_go_on(_errand()))
    except InvalidToken:
        count_failure(FORGED_TOKENS)
        return _without_errand(_refused(SignInNotProved()))
    except SignInNotProved as refusal:
        count_failure(WRONG_ANSWERS)
        return _without_errand(_refused(refusal))
    except (NotAdmitted, AlreadyConnected, Unavailable) as refusal:
        return _without_errand(_refused(refusal))


@blueprint.get("/sign-in/provider/sign-out")
def sign_out() -> ResponseReturnValue:
    """Sends the browser to the provider, to sign out there as well."""
    current = services()
    home = current.settings.public_url + "/"
    address = _provider().sign_out_address(home, now=current.now())
    return redirect(address or url_for("home.show"), 303)


@blueprint.errorhandler(Unavailable)
def try_again(refusal: Unavailable) -> ResponseReturnValue:
    """Shows the page from which the browser was to be sent to the provider."""
    return _refused(refusal)


def _send(purpose: Purpose, path: str) -> tuple[str, Errand]:
    """Returns where the browser is sent, and what it is sent for."""
    provider, attempt = _provider(), new_attempt()
    is_fresh = purpose is Purpose.CONFIRM
    address = provider.sign_in_address(attempt, is_fresh=is_fresh, now=services().now())
    session = current_session()
    return address, Errand(attempt, purpose, path, session.id if session else None)


def _go_on(errand: Errand) -> Response:
    """Goes on with what the browser was sent for.

    Raises `SignInNotProved`, `NotAdmitted`, `AlreadyConnected` or `Unavailable`, or
    `TooManyAttempts` before the provider is asked.
    """
    current, provider = services(), _provider()
    refuse_beyond(WRONG_ANSWERS)
    if is_used_up(_ONCE, errand.attempt.state):
        raise SignInNotProved
    if "error" in request.args:  # such as access_denied: somebody has changed their mind
        raise SignInNotProved
    if errand.purpose is not Purpose.SIGN_IN:
        _require_session_of(errand)
    is_fresh = errand.purpose is Purpose.CONFIRM
    identity = provider.identity(request.args, errand.attempt, is_fresh=is_fresh, now=current.now())
    match errand.purpose:
        case Purpose.SIGN_IN:
            return _signed_in(identity, errand.path)
        case Purpose.CONFIRM:
            return _confirmed(identity, errand.path)
        case Purpose.CONNECT:
            return _connected(identity)


def _require_session_of(errand: Errand) -> None:
    """Raises `SignInNotProved` if the browser was sent from another session, or none.

    To connect an account, that session needs a fresh proof still.
    """
    session = current_session()
    if session is None or session.id != errand.session:
        raise SignInNotProved
    is_connecting = errand.purpose is Purpose.CONNECT
    if is_connecting and not session.is_confirmed(now=services().now()):
        raise SignInNotProved


def _signed_in(identity: Identity, path: str) -> Response:
    """Signs in, which is no fresh proof where the provider has asked nobody who is there."""
    current = services()
    now = current.now()
    account = current.identities.sign_in(identity, now=now)
    proved_at = identity.proved_at
    until = now if proved_at is None else proved_at + CONFIRMED_FOR
    return sign_in_at_browser(account, path, by=Proof.PROVIDER, confirmed_until=until)


def _confirmed(identity: Identity, path: str) -> Response:
    current, session = services(), require_session()
    if not current.identities.is_of(identity, session.account):
        raise SignInNotProved
    current.sessions.confirm(session, by=Proof.PROVIDER, now=current.now())
    return redirect(path, 303)


def _connected(identity: Identity) -> Response:
    current, account = services(), require_session().account
    current.identities.connect(
        account, issuer=identity.issuer, subject=identity.subject, now=current.now()
    )
    return redirect(url_for("account.access", notice="provider-connected"), 303)


def _refused(refusal: AdmitOneError) -> Response:
    """Returns the page for signing in, or for who is signed in already a message."""
    if current_session() is None:
        page = sign_in_page(
            next_path=request.args.get("next"), errors={"provider": [refusal.detail]}
        )
    else:
        page = render_template("message.html", title=gettext(refusal.detail))
    return refusal_page(page, refusal, owner=True)


def _provider() -> "IdentityProvider":
    """Returns the provider. Raises `NotFound` if there is none."""
    provider = services().identity_provider
    if provider is None:
        raise NotFound
    return provider


def _name() -> str:
    return services().settings.oidc_provider_name


def _errand() -> Errand:
    """Returns what this browser was sent for. Raises `InvalidToken`."""
    token = request.cookies.get(auth.cookie_name(_COOKIE), "")
    text = services().tokens.attempt(token, lifetime=ERRAND_LIFETIME)
    return msgspec.json.decode(text, type=Errand)


def _with_errand(response: Response, errand: Errand) -> Response:
    text = msgspec.json.encode(errand).decode()
    auth.set_cookie(response, _COOKIE, services().tokens.for_attempt(text), ERRAND_LIFETIME)
    return response


def _without_errand(response: Response) -> Response:
    auth.delete_cookie(response, _COOKIE)
    return response
