"""The passkeys of an account: adding, naming and removing them."""

from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from application.people.accounts import Account
from domain.errors import Invalid
from interface.i18n import mark_for_translation as _
from interface.pages.shared.auth import require_session, signed_in
from interface.pages.shared.confirmation import confirmed
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.browser_name import browser_name
from interface.web.fields import Name
from interface.web.request_context import services

blueprint = Blueprint("passkeys", __name__)
protect_from_csrf(blueprint)

LONGEST_NAME = 100


class PasskeyForm(Schema):
    """The name of a passkey."""

    name = Name(
        longest=LONGEST_NAME,
        required=True,
        error_messages={"required": _("Enter where the passkey is.")},
    )


@blueprint.get("/account/passkeys/new")
@confirmed
def ask_to_add() -> ResponseReturnValue:
    """Shows the form, which the browser completes with a new passkey."""
    return _new_page(browser_name(request.headers.get("User-Agent", "")) or "")


@blueprint.post("/account/passkeys/options")
@signed_in
def options() -> ResponseReturnValue:
    """Returns what the browser needs to make a passkey, as JSON."""
    current = services()
    return current.passkeys.begin_to_add(_account(), now=current.now())


@blueprint.post("/account/passkeys")
@confirmed
def add() -> ResponseReturnValue:
    """Adds the passkey that the browser has made."""
    current, typed = services(), request.form.get("name", "")
    loaded = load(PasskeyForm(), {"name": typed})
    errors = loaded.errors
    if not errors:
        try:
            current.passkeys.add(
                _account(),
                request.form.get("passkey", ""),
                name=loaded.values["name"],
                now=current.now(),
            )
        except Invalid as invalid:
            errors = errors_of(invalid)
        else:
            return _to_account("passkey-added")
    return _new_page(typed, errors=errors), 422


@blueprint.get("/account/passkeys/<uuid:passkey_id>")
@signed_in
def show(passkey_id: UUID) -> ResponseReturnValue:
    """Shows one passkey, to give it another name or to remove it."""
    return _one_page(passkey_id)


@blueprint.post("/account/passkeys/<uuid:passkey_id>")
@signed_in
def rename(passkey_id: UUID) -> ResponseReturnValue:
    """Gives the passkey another name."""
    loaded = load(PasskeyForm(), {"name": request.form.get("name", "")})
    if loaded.errors:
        return _one_page(passkey_id, errors=loaded.errors), 422
    services().passkeys.rename(_account(), passkey_id, loaded.values["name"])
    return _to_account("passkey-renamed")


@blueprint.post("/account/passkeys/<uuid:passkey_id>/remove")
@confirmed
def remove(passkey_id: UUID) -> ResponseReturnValue:
    """Removes the passkey: it signs nobody in any more."""
    services().passkeys.remove(_account(), passkey_id)
    return _to_account("passkey-removed")


def _new_page(name: str, *, errors: dict[str, list[str]] | None = None) -> str:
    return render_template(
        "passkeys/new.html",
        name=name,
        errors=errors or {},
        longest_name=LONGEST_NAME,
        are_possible=services().passkeys.are_possible,
        public_url=services().settings.public_url,
    )


def _one_page(passkey_id: UUID, *, errors: dict[str, list[str]] | None = None) -> str:
    passkey = services().passkeys.one(_account(), passkey_id)
    return render_template(
        "passkeys/show.html",
        passkey=passkey,
        name=request.form.get("name", passkey.name),
        zone=_account().time_zone or "UTC",
        errors=errors or {},
        longest_name=LONGEST_NAME,
    )


def _account() -> Account:
    return require_session().account


def _to_account(notice: str) -> ResponseReturnValue:
    return redirect(url_for("account.access", notice=notice), 303)
