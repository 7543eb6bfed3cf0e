"""The account page: name and time zone, password, sessions and API keys."""

from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema
from werkzeug.wrappers import Response

from application.people.accounts import Account, ApiKey, KeyNotFound
from application.people.authentication import Session, WrongPassword
from application.people.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from domain.errors import Invalid
from interface.i18n import mark_for_translation as _
from interface.pages.shared import auth
from interface.pages.shared.auth import password_client, require_session, signed_in
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Name, TimeZone
from interface.web.rate_limits import limiting_passwords
from interface.web.request_context import services
from interface.web.request_schemas import LONGEST_PERSON
from interface.web.time_zone_lookup import resolve_time_zone, selectable_time_zones

blueprint = Blueprint("account", __name__)
protect_from_csrf(blueprint)

Errors = dict[str, list[str]]


_NO_PASSWORD = _("Enter a new password.")
_NOT_CURRENT = _("That isn't your current password.")
_NOT_THE_SAME = _("The passwords don't match.")
_LINK_IS_OLD = _("Sign in with a new link: within an hour, it lets you set a password.")
_NO_SCOPE = _("Select at least one permission.")
_SCOPE_TOO_WIDE = _("Your account doesn't have these permissions.")


class AccountForm(Schema):
    """The name that invitees read, and the zone in which pages show times."""

    name = Name(
        longest=LONGEST_PERSON, required=True, error_messages={"required": _("Enter your name.")}
    )
    time_zone = TimeZone(load_default=None)


class KeyForm(Schema):
    """The name of a new API key."""

    key_name = Name(
        longest=LONGEST_PERSON,
        required=True,
        error_messages={"required": _("Enter what the key is for.")},
    )


@blueprint.get("/account")
@signed_in
def show() -> ResponseReturnValue:
    """Shows the account."""
    return _page()


@blueprint.post("/account")
@signed_in
def change() -> ResponseReturnValue:
    """Changes name and time zone."""
    account = _account()
    typed = {name: request.form.get(name, "") for name in ("name", "time_zone")}
    loaded = load(AccountForm(), typed | {"time_zone": resolve_time_zone(typed["time_zone"])})
    if loaded.errors:
        return _page(typed=typed, errors=loaded.errors), 422
    services().accounts.change(account, **loaded.values)
    return _to_account("account-changed")


@blueprint.post("/account/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Changes the password and ends the sessions of all other browsers."""
    account, current = _account(), services()
    if errors := _password_errors(account):
        return _page(errors=errors), 422
    try:
        current.sessions.set_password(account, request.form["password"], now=current.now())
    except Invalid as invalid:
        return _page(errors=errors_of(invalid)), 422
    return _with_new_session("password-changed")


@blueprint.post("/account/sign-out-everywhere")
@signed_in
def sign_out_everywhere() -> ResponseReturnValue:
    """Ends the sessions of all other browsers, and the account's sign-in link."""
    services().accounts.sign_out(_account())
    return _with_new_session("signed-out-everywhere", by_link=require_session().by_link)


@blueprint.post("/account/sessions/<uuid:session_id>/end")
@signed_in
def end_session(session_id: UUID) -> ResponseReturnValue:
    """Signs out at one other browser."""
    services().sessions.end_one(_account(), session_id)
    return _to_account("session-ended")


@blueprint.post("/account/keys")
@signed_in
def create_key() -> ResponseReturnValue:
    """Creates an API key and shows it in this response only."""
    account = _account()
    typed = {"key_name": request.form.get("key_name", "")}
    scopes = request.form.getlist("scopes")
    loaded = load(KeyForm(), typed)
    errors = loaded.errors
    if not scopes:
        errors["scopes"] = [_NO_SCOPE]
    elif not set(scopes) <= set(account.scopes):
        errors["scopes"] = [_SCOPE_TOO_WIDE]
    if errors:
        return _page(typed=typed | {"scopes": scopes}, errors=errors), 422
    current = services()
    key = current.accounts.create_key(
        account, name=loaded.values["key_name"], scopes=scopes, now=current.now()
    )
    return _page(new_key=key), 201


@blueprint.get("/account/keys/<prefix>/revoke")
@signed_in
def ask_to_revoke_key(prefix: str) -> ResponseReturnValue:
    """Asks for confirmation: programs that use the key stop working at once."""
    return render_template("account/revoke_key.html", key=_own_key(prefix))


@blueprint.post("/account/keys/<prefix>/revoke")
@signed_in
def revoke_key(prefix: str) -> ResponseReturnValue:
    """Revokes an API key of the account."""
    current = services()
    current.accounts.revoke_key(prefix, now=current.now(), of=_account())
    return _to_account("key-revoked")


def _page(
    *,
    typed: dict[str, Any] | None = None,
    errors: Errors | None = None,
    new_key: str | None = None,
) -> str:
    account, current = _account(), services()
    return render_template(
        "account/show.html",
        account=account,
        ask_for_password=_must_confirm_password(require_session()),
        sessions=current.sessions.all(account, now=current.now()),
        own_session=require_session().id,
        now=current.now(),
        typed={
            "name": account.name,
            "time_zone": account.time_zone,
            "key_name": "",
            "scopes": account.scopes,
        }
        | (typed or {}),
        errors=errors or {},
        new_key=new_key,
        keys=current.accounts.keys_of(account),
        zones=selectable_time_zones(),
        shortest_password=SHORTEST_PASSWORD,
        longest_password=LONGEST_PASSWORD,
    )


def _password_errors(account: Account) -> Errors:
    """Returns what is wrong with a change of password, by field."""
    errors: Errors = {}
    session = require_session()
    if not account.has_password and not session.by_link:
        errors["password"] = [_LINK_IS_OLD]
        return errors
    if _must_confirm_password(session):
        try:
            with limiting_passwords(password_client(account), account.email):
                services().sessions.with_password(
                    account.email, request.form.get("current_password", "")
                )
        except WrongPassword:
            errors["current_password"] = [_NOT_CURRENT]
    if not request.form.get("password"):
        errors["password"] = [_NO_PASSWORD]
    elif request.form.get("password") != request.form.get("password_again"):
        errors["password_again"] = [_NOT_THE_SAME]
    return errors


def _must_confirm_password(session: Session) -> bool:
    """Returns True if the current password must be entered; a sign-in link stands in for it."""
    return session.account.has_password and not session.by_link


def _own_key(prefix: str) -> ApiKey:
    for key in services().accounts.keys_of(_account()):
        if key.prefix == prefix:
            return key
    raise KeyNotFound


def _account() -> Account:
    return require_session().account


def _to_account(notice: str) -> Response:
    return redirect(url_for("account.show", notice=notice), 303)


def _with_new_session(notice: str, *, by_link: bool = False) -> ResponseReturnValue:
    return auth.start_session(_to_account(notice), _account(), how="renewal", by_link=by_link)
