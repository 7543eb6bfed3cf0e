"""Account and access: name and time zone; password, sessions and API keys."""

import secrets
from contextlib import suppress
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, ValidationError, fields
from werkzeug.wrappers import Response

from application.people.accounts import Account
from application.people.api_keys import (
    SHORTEST_SEED,
    ApiKey,
    KeyNotFound,
)
from application.people.authentication import Proof, WrongPassword
from application.people.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from application.people.roles import MOST_LINKS_A_DAY, MOST_LINKS_AT_ONCE, scopes_of
from domain.errors import Invalid, Sentence
from interface.i18n import mark_for_translation as _
from interface.pages.shared import auth
from interface.pages.shared.auth import local_path, password_client, require_session, signed_in
from interface.pages.shared.confirmation import ask_to_confirm, confirmed
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
_NO_SCOPE = _("Select at least one permission.")
_SCOPE_TOO_WIDE = _("Your account doesn't have these permissions.")


class AccountForm(Schema):
    """The name that invitees read, and the zone in which pages show times."""

    name = Name(
        longest=LONGEST_PERSON, required=True, error_messages={"required": _("Enter your name.")}
    )
    time_zone = TimeZone(load_default=None)


class _Limit(fields.Integer):
    """A whole number from 1 to `most`; None if it is left out."""

    def __init__(self, most: int) -> None:
        super().__init__(load_default=None, allow_none=True)
        self._most = most

    def _deserialize(self, *args: Any, **kwargs: Any) -> int:
        with suppress(ValidationError):
            number = super()._deserialize(*args, **kwargs)
            if number is not None and 1 <= number <= self._most:
                return number
        raise ValidationError(
            Sentence("Enter a number from 1 to {most}, or leave the field empty.", most=self._most)
        )


class KeyForm(Schema):
    """The name of a new API key, and its limits."""

    key_name = Name(
        longest=LONGEST_PERSON,
        required=True,
        error_messages={"required": _("Enter what the key is for.")},
    )
    links_a_day = _Limit(MOST_LINKS_A_DAY)
    links_at_once = _Limit(MOST_LINKS_AT_ONCE)


@blueprint.get("/settings/account")
@signed_in
def show() -> ResponseReturnValue:
    """Shows the account."""
    return _profile_page()


@blueprint.get("/settings/access")
@signed_in
def access() -> ResponseReturnValue:
    """Shows what signs in to the account, and what is signed in."""
    return _page()


@blueprint.get("/account")
@blueprint.get("/account/keys")
@signed_in
def moved() -> ResponseReturnValue:
    """Leads from where the account was to where it is."""
    view = "account.access" if request.path.endswith("keys") else "account.show"
    return redirect(url_for(view, notice=request.args.get("notice")), 301)


@blueprint.post("/settings/account")
@blueprint.post("/account")
@signed_in
def change() -> ResponseReturnValue:
    """Changes name and time zone, and leads back to the page that proposed the zone, if one did."""
    account = _account()
    typed = {name: request.form.get(name, "") for name in ("name", "time_zone")}
    loaded = load(AccountForm(), typed | {"time_zone": resolve_time_zone(typed["time_zone"])})
    if loaded.errors:
        return _profile_page(typed=typed, errors=loaded.errors), 422
    services().accounts.change(account, **loaded.values)
    path = request.form.get("next")
    address = (
        url_for("account.show", notice="account-changed") if path is None else local_path(path)
    )
    return redirect(address, 303)


@blueprint.post("/account/password")
@signed_in
def change_password() -> ResponseReturnValue:
    """Changes the password and ends the sessions of all other browsers."""
    account, current = _account(), services()
    if not account.has_password and not _can_set_password():
        return ask_to_confirm()
    if errors := _password_errors(account):
        return _page(errors=errors), 422
    try:
        current.sessions.set_password(account, request.form["password"], now=current.now())
    except Invalid as invalid:
        return _page(errors=errors_of(invalid)), 422
    return auth.start_session(_to_access("password-changed"), account, by=Proof.PASSWORD)


@blueprint.get("/account/password")
@signed_in
def confirm_for_password() -> ResponseReturnValue:
    """Asks who is there, and leads to the form, which needs no current password then."""
    return redirect(url_for("account.access")) if _can_set_password() else ask_to_confirm()


@blueprint.post("/account/sign-out-everywhere")
@signed_in
def sign_out_everywhere() -> ResponseReturnValue:
    """Ends the sessions of all other browsers, and the account's sign-in link."""
    session = require_session()
    services().accounts.sign_out(session.account)
    return auth.start_session(
        _to_access("signed-out-everywhere"),
        session.account,
        by=session.confirmed_by,
        confirmed_until=session.confirmed_until,
        is_renewal=True,
    )


@blueprint.post("/account/sessions/<uuid:session_id>/end")
@signed_in
def end_session(session_id: UUID) -> ResponseReturnValue:
    """Signs out at one other browser."""
    services().sessions.end_one(_account(), session_id)
    return _to_access("session-ended")


@blueprint.post("/account/keys")
@confirmed
def create_key() -> ResponseReturnValue:
    """Creates an API key and shows it in this response only.

    The same form sent again, such as by reloading the page, shows the same key.
    """
    account = _account()
    names = ("key_name", "links_a_day", "links_at_once", "is_agent")
    typed = {name: request.form.get(name, "") for name in names}
    scopes = request.form.getlist("scopes")
    loaded = load(
        KeyForm(),
        {"key_name": typed["key_name"]}
        | {name: typed[name].strip() or None for name in ("links_a_day", "links_at_once")},
    )
    errors = loaded.errors
    if not scopes:
        errors["scopes"] = [_NO_SCOPE]
    elif not set(scopes) <= set(account.scopes):
        errors["scopes"] = [_SCOPE_TOO_WIDE]
    if errors:
        return _page(typed=typed | {"scopes": scopes}, errors=errors), 422
    current = services()
    form_id = request.form.get("form_id", "")
    try:
        key = current.api_keys.create(
            account,
            name=loaded.values["key_name"],
            scopes=scopes,
            now=current.now(),
            seed=form_id if len(form_id) >= SHORTEST_SEED else None,
            is_agent="is_agent" in request.form,
            links_a_day=loaded.values["links_a_day"],
            links_at_once=loaded.values["links_at_once"],
        )
    except Invalid as invalid:
        errors = {"key_name": errors_of(invalid)["name"]}
        return _page(typed=typed | {"scopes": scopes}, errors=errors), 422
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
    current.api_keys.revoke(prefix, now=current.now(), of=_account())
    return _to_access("key-revoked")


def _profile_page(*, typed: dict[str, str] | None = None, errors: Errors | None = None) -> str:
    account = _account()
    return render_template(
        "account/show.html",
        account=account,
        typed=typed or {"name": account.name, "time_zone": account.time_zone},
        errors=errors or {},
        zones=selectable_time_zones(),
    )


def _page(
    *,
    typed: dict[str, Any] | None = None,
    errors: Errors | None = None,
    new_key: str | None = None,
) -> str:
    account, current = _account(), services()
    return render_template(
        "account/access.html",
        account=account,
        can_set_password=_can_set_password(),
        passkeys=current.passkeys.all(account),
        can_add_passkeys=current.passkeys.are_possible,
        public_url=current.settings.public_url,
        **_provider(account),
        sessions=current.sessions.all(account, now=current.now()),
        own_session=require_session().id,
        now=current.now(),
        typed={"key_name": "", "scopes": _usual_scopes(account)} | (typed or {}),
        form_id=secrets.token_urlsafe(SHORTEST_SEED),
        errors=errors or {},
        new_key=new_key,
        keys=current.api_keys.of(account),
        shortest_password=SHORTEST_PASSWORD,
        longest_password=LONGEST_PASSWORD,
    )


def _provider(account: Account) -> dict[str, Any]:
    """Returns what the page shows of the identity provider."""
    current = services()
    provider, settings = current.identity_provider, current.settings
    if provider is None:
        return {"provider": None, "is_connected": False, "is_only_by_provider": False}
    return {
        "provider": settings.oidc_provider_name,
        "is_connected": current.identities.is_connected(account, provider.client.issuer),
        "is_only_by_provider": settings.oidc_only,
    }


def _password_errors(account: Account) -> Errors:
    """Returns what is wrong with a change of password, by field."""
    errors: Errors = {}
    if not _can_set_password():
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


def _can_set_password() -> bool:
    """Returns True if the current password need not be entered."""
    return require_session().can_set_password(now=services().now())


def _usual_scopes(account: Account) -> list[str]:
    """Returns what most keys are for: all that owners may, but neither audit nor operations."""
    return [scope for scope in account.scopes if scope in scopes_of(("owner",))]


def _own_key(prefix: str) -> ApiKey:
    for key in services().api_keys.of(_account()):
        if key.prefix == prefix:
            return key
    raise KeyNotFound


def _account() -> Account:
    return require_session().account


def _to_access(notice: str) -> Response:
    return redirect(url_for("account.access", notice=notice), 303)
