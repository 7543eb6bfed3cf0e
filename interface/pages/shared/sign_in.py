"""Signing in, by password, passkey or one-time link, and signing out."""

from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema
from marshmallow.fields import String
from werkzeug.wrappers import Response

from application.people.accounts import Account, AccountNotFound
from application.people.authentication import Proof, WrongPassword
from application.people.passkeys import PasskeyRefused
from application.people.rate_limits import FORGED_TOKENS, WRONG_PASSKEYS
from application.people.tokens import InvalidToken
from interface.i18n import gettext, language_tag
from interface.i18n import mark_for_translation as _
from interface.pages.shared import auth
from interface.pages.shared.auth import current_session, local_path
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import Name
from interface.web.problems import TooManySignIns, refusal_page
from interface.web.rate_limits import count_failure, limiting_passwords
from interface.web.request_context import services
from projections.views import calendar_list

blueprint = Blueprint("sign_in", __name__)
protect_from_csrf(
    blueprint, sign_in=("sign_in", "use_sign_in_link", "use_passkey", "passkey_options")
)


class SignInForm(Schema):
    """E-mail address and password."""

    email = Name(
        longest=254, required=True, error_messages={"required": _("Enter your e-mail address.")}
    )
    # A password is kept as typed; other texts lose the space around them.
    password = String(required=True, error_messages={"required": _("Enter your password.")})


def sign_in_page(
    *, next_path: str | None, email: str = "", errors: dict[str, list[str]] | None = None
) -> str:
    """Returns the page with the sign-in form, which leads to `next_path`."""
    current = services()
    has_provider = current.identity_provider is not None
    return render_template(
        "sign_in.html",
        next_path=next_path,
        email=email,
        errors=errors or {},
        has_passkeys=current.passkeys.are_possible,
        provider=current.settings.oidc_provider_name if has_provider else None,
        is_only_by_provider=current.settings.oidc_only,
        # Most want to stay signed in there, so that is not done for them.
        is_signed_out=request.args.get("notice") == "signed-out",
    )


@blueprint.post("/")
def sign_in() -> ResponseReturnValue:
    """Signs in with e-mail address and password."""
    current = services()
    email = request.form.get("email", "")
    next_path = request.form.get("next")
    loaded = load(SignInForm(), {name: request.form.get(name) for name in ("email", "password")})
    if not loaded.errors:
        try:
            with limiting_passwords(_client(loaded.values["email"]), loaded.values["email"]):
                account = current.sessions.with_password(**loaded.values)
        except WrongPassword as refusal:
            loaded.errors["password"] = [refusal.detail]
        else:
            return sign_in_at_browser(account, local_path(next_path), by=Proof.PASSWORD)
    return sign_in_page(next_path=next_path, email=email, errors=loaded.errors), 422


@blueprint.post("/sign-in/passkey/options")
def passkey_options() -> ResponseReturnValue:
    """Returns what the browser needs to ask for a passkey, as JSON."""
    current = services()
    return current.passkeys.begin_to_use(now=current.now())


@blueprint.post("/sign-in/passkey")
def use_passkey() -> ResponseReturnValue:
    """Signs in with a passkey, which knows whose it is."""
    current = services()
    next_path = request.form.get("next")
    try:
        account = current.passkeys.use(request.form.get("passkey", ""), now=current.now())
    except PasskeyRefused as refusal:
        count_failure(WRONG_PASSKEYS)
        return sign_in_page(next_path=next_path, errors={"passkey": [refusal.detail]}), 422
    return sign_in_at_browser(account, local_path(next_path), by=Proof.PASSKEY)


@blueprint.errorhandler(TooManySignIns)
def ask_to_try_again(refusal: TooManySignIns) -> ResponseReturnValue:
    """Shows the form again, with the address that was typed."""
    page = sign_in_page(
        next_path=request.form.get("next"),
        email=request.form.get("email", ""),
        errors={"password": [refusal.detail]},
    )
    return refusal_page(page, refusal, owner=True)


@blueprint.get("/sign-in/<token>")
def sign_in_link(token: str) -> ResponseReturnValue:
    """Asks before the one-time link is used, because mail scanners open links."""
    try:
        account = services().accounts.account_behind(token)
    except InvalidToken:
        return _link_is_used_up()
    return render_template("sign_in_link.html", account=account)


@blueprint.post("/sign-in/<token>")
def use_sign_in_link(token: str) -> ResponseReturnValue:
    """Signs in and uses up the link."""
    current = services()
    try:
        account = current.accounts.sign_in(token, now=current.now())
    except InvalidToken:
        return _link_is_used_up()
    return sign_in_at_browser(account, _first_page(account), by=Proof.LINK)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Signs out in this browser. Does nothing if the session has ended already."""
    session, notice = current_session(), None
    if session is not None:
        services().sessions.end(session)
        notice = "signed-out" if _signs_in_by_provider(session.account) else None
    return auth.end_session(redirect(url_for("home.show", notice=notice), 303))


def _signs_in_by_provider(account: Account) -> bool:
    current = services()
    provider = current.identity_provider
    return provider is not None and current.identities.is_connected(account, provider.client.issuer)


def _first_page(account: Account) -> str:
    """Returns where a sign-in link leads: new owners home, others without a password to set one."""
    is_new = "owner" in account.roles and not calendar_list.calendars_of(
        services().database, account.id
    )
    return url_for("home.show" if is_new or account.has_password else "account.access")


def sign_in_at_browser(
    account: Account, path: str, *, by: Proof, confirmed_until: datetime | None = None
) -> Response:
    """Signs in at this browser, and leads to the path."""
    services().accounts.set_language(account, language_tag())
    return auth.start_session(redirect(path, 303), account, by=by, confirmed_until=confirmed_until)


def _client(email: str) -> str:
    try:
        account = services().accounts.by_email(email)
    except AccountNotFound:
        account = None
    return auth.password_client(account)


def _link_is_used_up() -> ResponseReturnValue:
    count_failure(FORGED_TOKENS)
    title = gettext("This sign-in link has already been used or is more than a day old.")
    hint = gettext("Ask whoever runs this service for a new one.")
    return render_template("message.html", title=title, hint=hint), 410
