"""Asking again who is at the browser, before what would let somebody else in for good.

Whoever comes to a browser that was left open, or gets its cookie, can do much there, but neither
create keys nor change who signs in: that takes a password or a passkey of the last minutes.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from application.people.accounts import Account
from application.people.authentication import Proof, Session, WrongPassword
from application.people.passkeys import PasskeyRefused
from application.people.rate_limits import WRONG_PASSKEYS
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.pages.shared.auth import (
    local_path,
    page_of,
    password_client,
    require_session,
    signed_in,
)
from interface.pages.shared.csrf import protect_from_csrf
from interface.web.public_address import this_address
from interface.web.rate_limits import count_failure, limiting_passwords
from interface.web.request_context import services

P = ParamSpec("P")

blueprint = Blueprint("confirmation", __name__)
protect_from_csrf(blueprint)

_WRONG_PASSWORD = _("That isn't your current password.")
# The fields of the page that asks. All others are of the form that it goes on with.
_OWN = ("confirm_path", "confirm_post", "confirm_password", "confirm_passkey")
# Typed again rather than written into a page.
_NOT_REPEATED = ("form_token", "password", "password_again", "current_password")


def confirmed(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Lets people who are signed in do this with a fresh proof of who they are.

    Without one it asks, and then goes on with what they have typed.
    """

    @signed_in
    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if not require_session().is_confirmed(now=services().now()):
            return ask_to_confirm()
        return view(*args, **kwargs)

    guarded.for_people_confirmed = True  # type: ignore[attr-defined]
    return guarded


def ask_to_confirm() -> ResponseReturnValue:
    """Asks for a password or a passkey, and goes on with this request when it gets one."""
    return _page(this_address(), is_form=request.method == "POST"), 403


@blueprint.post("/account/confirm")
@signed_in
def confirm() -> ResponseReturnValue:
    """Goes on with what was asked for, if password or passkey are right."""
    current, session = services(), require_session()
    path = local_path(request.form.get("confirm_path"))
    is_form = "confirm_post" in request.form
    try:
        by = _proof(session)
    except (WrongPassword, PasskeyRefused) as refusal:
        is_password = isinstance(refusal, WrongPassword)
        error = gettext(_WRONG_PASSWORD if is_password else refusal.detail)
        name = "confirm_password" if is_password else "passkey"
        return _page(path, is_form=is_form, errors={name: [error]}), 422
    current.sessions.confirm(session, by=by, now=current.now())
    return redirect(path, 307 if is_form else 303)


@blueprint.post("/account/confirm/options")
@signed_in
def options() -> ResponseReturnValue:
    """Returns what the browser needs to ask for a passkey of this account, as JSON."""
    current = services()
    return current.passkeys.begin_to_use(require_session().account, now=current.now())


def _proof(session: Session) -> Proof:
    """Returns what was proved. Raises `WrongPassword` or `PasskeyRefused`."""
    current, account = services(), session.account
    if credential := request.form.get("confirm_passkey"):
        try:
            current.passkeys.use(credential, account, now=current.now())
        except PasskeyRefused:
            count_failure(WRONG_PASSKEYS)
            raise
        return Proof.PASSKEY
    with limiting_passwords(password_client(account), account.email):
        password = request.form.get("confirm_password", "")
        current.sessions.with_password(account.email, password)
    return Proof.PASSWORD


def _page(path: str, *, is_form: bool, errors: dict[str, list[str]] | None = None) -> str:
    current, account = services(), require_session().account
    kept: MultiDict[str, str] = request.form.copy() if is_form else MultiDict()
    for name in (*_OWN, *_NOT_REPEATED):
        kept.poplist(name)
    return render_template(
        "account/confirm.html",
        account=account,
        path=path,
        is_form=is_form,
        kept=list(kept.items(multi=True)),
        has_passkeys=bool(current.passkeys.are_possible and current.passkeys.all(account)),
        has_password=account.has_password and not current.settings.oidc_only,
        provider=_provider_of(account),
        provider_path=page_of(path) if is_form else path,
        back=url_for("home.show"),
        errors=errors or {},
    )


def _provider_of(account: Account) -> str | None:
    """Returns the name of the provider by which the account signs in, if it does."""
    current = services()
    provider = current.identity_provider
    if provider is None or not current.identities.is_connected(account, provider.client.issuer):
        return None
    return current.settings.oidc_provider_name
