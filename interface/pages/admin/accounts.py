"""The accounts of the installation: who there is, what they may do, and the end of that."""

from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from application.people.accounts import Account, LastAdmin
from application.people.roles import ROLES
from domain.errors import Invalid
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.confirmation import confirmed
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Name
from interface.web.problems import refusal_page
from interface.web.request_context import services
from interface.web.request_schemas import LONGEST_PERSON

blueprint = Blueprint("accounts_pages", __name__)
protect_from_csrf(blueprint)

_NO_ROLE = _("Select at least one role.")

ROLE_NAMES = {
    "owner": _("Owner: has calendars, shares links"),
    "auditor": _("Auditor: reads the log and its proofs"),
    "operator": _("Operator: looks after read models and deliveries"),
    "admin": _("Admin: everything, accounts included"),
}


class NewAccount(Schema):
    """The form for a new account."""

    email = Name(
        longest=254, required=True, error_messages={"required": _("Enter an e-mail address.")}
    )
    name = Name(longest=LONGEST_PERSON, load_default=None)
    roles = fields.List(
        fields.String(validate=validate.OneOf(ROLES)),
        validate=validate.Length(1, error=_NO_ROLE),
    )


@blueprint.get("/accounts")
@for_role("admin")
def index() -> ResponseReturnValue:
    """Lists all accounts."""
    return _index_page()


@blueprint.post("/accounts")
@for_role("admin")
@confirmed
def create() -> ResponseReturnValue:
    """Creates an account, and shows its sign-in link in this response only."""
    typed: dict[str, Any] = {name: request.form.get(name, "") for name in ("email", "name")}
    typed["roles"] = request.form.getlist("roles")
    loaded = load(NewAccount(), typed)
    errors = loaded.errors
    if not errors:
        try:
            created = services().accounts.create(**loaded.values)
        except Invalid as invalid:
            errors = errors_of(invalid)
        else:
            return _show_page(created, sign_in_url=_sign_in_url(created)), 201
    return _index_page(typed=typed, errors=errors), 422


@blueprint.get("/accounts/<uuid:account_id>")
@for_role("admin")
def show(account_id: UUID) -> ResponseReturnValue:
    """Shows one account."""
    return _show_page(_account(account_id))


@blueprint.post("/accounts/<uuid:account_id>/roles")
@for_role("admin")
@confirmed
def change_roles(account_id: UUID) -> ResponseReturnValue:
    """Changes what the account may do. Its sessions and keys follow at once."""
    account, roles = _account(account_id), request.form.getlist("roles")
    if not roles:
        return _show_page(account, alert=gettext(_NO_ROLE)), 422
    try:
        services().accounts.change_roles(account, roles)
    except (Invalid, LastAdmin) as refusal:
        return _refused(account, refusal)
    return _to_account(account, "roles-changed")


@blueprint.post("/accounts/<uuid:account_id>/disable")
@for_role("admin")
def disable(account_id: UUID) -> ResponseReturnValue:
    """Ends all access to the account."""
    current, account = services(), _account(account_id)
    try:
        current.accounts.disable(account, now=current.now())
    except LastAdmin as refusal:
        return _refused(account, refusal)
    return _to_account(account, "account-disabled")


@blueprint.post("/accounts/<uuid:account_id>/enable")
@for_role("admin")
def enable(account_id: UUID) -> ResponseReturnValue:
    """Lets the account in again."""
    account = services().accounts.enable(_account(account_id))
    return _to_account(account, "account-enabled")


@blueprint.post("/accounts/<uuid:account_id>/sign-out")
@for_role("admin")
def sign_out(account_id: UUID) -> ResponseReturnValue:
    """Signs the account out in all its browsers."""
    account = _account(account_id)
    services().accounts.sign_out(account)
    return _to_account(account, "account-signed-out")


@blueprint.post("/accounts/<uuid:account_id>/sign-in-link")
@for_role("admin")
@confirmed
def sign_in_link(account_id: UUID) -> ResponseReturnValue:
    """Creates a sign-in link, and shows it in this response only."""
    account = _account(account_id)
    return _show_page(account, sign_in_url=services().sign_in_url(account)), 201


def _sign_in_url(account: Account) -> str | None:
    """Returns the link for somebody new; None: they sign in by the provider."""
    return None if services().settings.oidc_only else services().sign_in_url(account)


def _account(account_id: UUID) -> Account:
    return services().accounts.by_id(account_id)


def _index_page(
    *, typed: dict[str, Any] | None = None, errors: dict[str, list[str]] | None = None
) -> str:
    return render_template(
        "accounts/index.html",
        accounts=services().accounts.all(),
        role_names=ROLE_NAMES,
        typed={"email": "", "name": "", "roles": ["owner"]} | (typed or {}),
        errors=errors or {},
    )


def _show_page(account: Account, *, sign_in_url: str | None = None, alert: str = "") -> str:
    current = services()
    return render_template(
        "accounts/show.html",
        account=account,
        role_names=ROLE_NAMES,
        sign_in_url=sign_in_url,
        alert=alert,
        sessions=current.sessions.all(account, now=current.now()),
        passkeys=current.passkeys.all(account),
        keys=current.api_keys.of(account),
        is_only_by_provider=current.settings.oidc_only,
        now=current.now(),
        zone=user_time_zone(),
    )


def _refused(account: Account, refusal: Invalid | LastAdmin) -> ResponseReturnValue:
    return refusal_page(_show_page(account, alert=gettext(refusal.detail)), refusal, owner=True)


def _to_account(account: Account, notice: str) -> ResponseReturnValue:
    return redirect(url_for("accounts_pages.show", account_id=account.id, notice=notice), 303)
