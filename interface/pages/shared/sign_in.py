"""Signing in, by password or one-time link, and signing out."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from application.people.accounts import AccountNotFound
from application.people.authentication import WrongPassword
from application.people.rate_limits import FORGED_TOKENS
from application.people.tokens import InvalidToken
from interface.i18n import gettext, language_tag
from interface.i18n import mark_for_translation as _
from interface.pages.shared import auth
from interface.pages.shared.auth import local_path, require_session, signed_in
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import Name
from interface.web.problems import TooManySignIns, refusal_page
from interface.web.rate_limits import count_failure, limiting_passwords
from interface.web.request_context import services

blueprint = Blueprint("sign_in", __name__)
protect_from_csrf(blueprint, sign_in=("sign_in", "use_sign_in_link"))


class SignInForm(Schema):
    """E-mail address and password."""

    email = Name(
        longest=254, required=True, error_messages={"required": _("Enter your e-mail address.")}
    )
    password = Name(
        longest=1000, required=True, error_messages={"required": _("Enter your password.")}
    )


def sign_in_page(
    *, next_path: str | None, email: str = "", errors: dict[str, list[str]] | None = None
) -> str:
    """Returns the page with the sign-in form, which leads to `next_path`."""
    return render_template("sign_in.html", next_path=next_path, email=email, errors=errors or {})


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
            current.accounts.set_language(account, language_tag())
            response = redirect(local_path(next_path), 303)
            return auth.start_session(response, account, how="password")
    return sign_in_page(next_path=next_path, email=email, errors=loaded.errors), 422


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
    current.accounts.set_language(account, language_tag())
    endpoint = "home.show" if account.has_password else "account.show"
    response = redirect(url_for(endpoint), 303)
    return auth.start_session(response, account, how="link", by_link=True)


@blueprint.post("/sign-out")
@signed_in
def sign_out() -> ResponseReturnValue:
    """Signs out in this browser."""
    services().sessions.end(require_session())
    return auth.end_session(redirect(url_for("home.show"), 303))


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
