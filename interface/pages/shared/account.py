"""The account of the person who is signed in: who they are, how they sign in, their API keys."""

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema
from werkzeug.wrappers import Response

from application.people.accounts import Account, ApiKey, KeyNotFound
from application.people.authentication import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    Session,
    WrongPassword,
)
from domain.errors import Invalid
from interface.pages.shared import auth
from interface.pages.shared.auth import require_session, signed_in
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Name, TimeZone
from interface.web.request_context import services
from interface.web.request_schemas import LONGEST_PERSON
from interface.web.time_zone_lookup import resolve_time_zone, selectable_time_zones

blueprint = Blueprint("account", __name__)
protect_from_csrf(blueprint)

Errors = dict[str, list[str]]


def _(message: str) -> str:
    """Marks a message for the catalogues; the template translates it."""
    return message


_EMPTY = _("Must not be empty.")
_NOT_CURRENT = _("This is not your current password.")
_NOT_THE_SAME = _("This is not the same as the new password.")
_NO_SCOPE = _("Choose at least one.")
_NOT_YOURS = _("Your account does not allow this.")


class AccountForm(Schema):
    """What invitees read, and the zone in which pages show times."""

    name = Name(longest=LONGEST_PERSON, required=True)
    time_zone = TimeZone(load_default=None)


class KeyForm(Schema):
    """What an API key is for."""

    key_name = Name(longest=LONGEST_PERSON, required=True)


@blueprint.get("/account")
@signed_in
def show() -> ResponseReturnValue:
    """All of it on one page."""
    return _page()


@blueprint.post("/account")
@signed_in
def change() -> ResponseReturnValue:
    """Another name or time zone."""
    account = _account()
    typed = {name: request.form.get(name, "") for name in ("name", "time_zone")}
    loaded = load(AccountForm(), typed | {"time_zone": resolve_time_zone(typed["time_zone"])})
    if loaded.errors:
        return _page(typed=typed, errors=loaded.errors | _empty(typed, "name")), 422
    services().accounts.change(account, **loaded.values)
    return _back("account-changed")


@blueprint.post("/account/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Another password; only this browser stays signed in."""
    account, current = _account(), services()
    if errors := _password_errors(account):
        return _page(errors=errors), 422
    try:
        current.sessions.set_password(account, request.form["password"])
    except Invalid as invalid:
        return _page(errors=errors_of(invalid)), 422
    return _signed_in_anew("password-changed")


@blueprint.post("/account/sign-out-everywhere")
@signed_in
def sign_out_everywhere() -> ResponseReturnValue:
    """End the sessions of all other browsers."""
    services().sessions.end_all(_account().id)
    return _signed_in_anew("signed-out-everywhere", by_link=require_session().by_link)


@blueprint.post("/account/keys")
@signed_in
def create_key() -> ResponseReturnValue:
    """An API key, shown in this very answer and never again."""
    account = _account()
    typed = {"key_name": request.form.get("key_name", "")}
    scopes = request.form.getlist("scopes")
    loaded = load(KeyForm(), typed)
    errors = loaded.errors | _empty(typed, "key_name")
    if not scopes:
        errors["scopes"] = [_NO_SCOPE]
    elif not set(scopes) <= set(account.scopes):
        errors["scopes"] = [_NOT_YOURS]
    if errors:
        return _page(typed=typed | {"scopes": scopes}, errors=errors), 422
    key = services().accounts.create_key(account, name=loaded.values["key_name"], scopes=scopes)
    return _page(new_key=key), 201


@blueprint.get("/account/keys/<prefix>/revoke")
@signed_in
def ask_to_revoke_key(prefix: str) -> ResponseReturnValue:
    """Ask first: programs that use the key stop at once."""
    return render_template("account/revoke_key.html", key=_own_key(prefix))


@blueprint.post("/account/keys/<prefix>/revoke")
@signed_in
def revoke_key(prefix: str) -> ResponseReturnValue:
    """End a key of one's own."""
    current = services()
    current.accounts.revoke_key(prefix, now=current.now(), of=_account())
    return _back("key-revoked")


def _page(
    *,
    typed: dict[str, Any] | None = None,
    errors: Errors | None = None,
    new_key: str | None = None,
) -> str:
    account = _account()
    return render_template(
        "account/show.html",
        account=account,
        ask_for_password=_knows_the_password(require_session()),
        typed={
            "name": account.name,
            "time_zone": account.time_zone,
            "key_name": "",
            "scopes": account.scopes,
        }
        | (typed or {}),
        errors=errors or {},
        new_key=new_key,
        keys=services().accounts.keys_of(account),
        zones=selectable_time_zones(),
        shortest_password=SHORTEST_PASSWORD,
        longest_password=LONGEST_PASSWORD,
    )


def _password_errors(account: Account) -> Errors:
    """Whether it is they who ask, and whether they typed what they meant."""
    errors: Errors = {}
    if _knows_the_password(require_session()):
        try:
            services().sessions.with_password(
                account.email, request.form.get("current_password", "")
            )
        except WrongPassword:
            errors["current_password"] = [_NOT_CURRENT]
    if not request.form.get("password"):
        errors["password"] = [_EMPTY]
    elif request.form.get("password") != request.form.get("password_again"):
        errors["password_again"] = [_NOT_THE_SAME]
    return errors


def _knows_the_password(session: Session) -> bool:
    """Whether to ask for it: somebody who came by a sign-in link has forgotten it."""
    return session.account.has_password and not session.by_link


def _empty(typed: dict[str, str], name: str) -> Errors:
    return {} if typed[name].strip() else {name: [_EMPTY]}


def _own_key(prefix: str) -> ApiKey:
    for key in services().accounts.keys_of(_account()):
        if key.prefix == prefix:
            return key
    raise KeyNotFound


def _account() -> Account:
    return require_session().account


def _back(notice: str) -> Response:
    return redirect(url_for("account.show", notice=notice), 303)


def _signed_in_anew(notice: str, *, by_link: bool = False) -> ResponseReturnValue:
    current = services()
    started = current.sessions.start(_account(), now=current.now(), by_link=by_link)
    return auth.start_session(_back(notice), started)
