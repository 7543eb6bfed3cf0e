"""The security log: who signed in, and what was done to accounts, keys and personal data."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import EXCLUDE, fields, validate

from application.people import security_log
from application.people.accounts import AccountNotFound
from application.people.security_log import Entry, account_actor
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.pages.auditor.actors import names_of
from interface.pages.auditor.audited import audited
from interface.pages.shared.auth import user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import LAST_POSITION, LocalInstant, Text
from interface.web.period import Period
from interface.web.request_context import services

blueprint = Blueprint("security_pages", __name__)
protect_from_csrf(blueprint)

PAGE_SIZE = 50
TITLES = {
    security_log.ACCOUNT_CREATED: _("Account created"),
    security_log.NAME_CHANGED: _("Name changed"),
    security_log.EMAIL_CHANGED: _("E-mail address changed"),
    security_log.ROLES_CHANGED: _("Roles changed"),
    security_log.ACCOUNT_DISABLED: _("Account disabled"),
    security_log.ACCOUNT_ENABLED: _("Account enabled"),
    security_log.SESSION_STARTED: _("Signed in"),
    security_log.SESSION_ENDED: _("Signed out"),
    security_log.ALL_SESSIONS_ENDED: _("Signed out everywhere"),
    security_log.SIGN_IN_FAILED: _("Failed sign-in"),
    security_log.SIGN_INS_UNRECORDED: _("More failed sign-ins"),
    security_log.SIGN_IN_LINK_CREATED: _("Sign-in link created"),
    security_log.PASSWORD_SET: _("Password set"),
    security_log.PASSKEY_ADDED: _("Passkey added"),
    security_log.PASSKEY_RENAMED: _("Passkey renamed"),
    security_log.PASSKEY_REMOVED: _("Passkey removed"),
    security_log.IDENTITY_LINKED: _("Sign-in service connected"),
    security_log.IDENTITY_UNLINKED: _("Sign-in service disconnected"),
    security_log.KEY_CREATED: _("API key created"),
    security_log.KEY_REVOKED: _("API key revoked"),
    security_log.DATA_EXPORTED: _("Personal data exported"),
    security_log.DATA_ERASED: _("Personal data erased"),
    security_log.LINKS_EXPORTED: _("Links downloaded"),
    security_log.REBUILD_REQUESTED: _("Rebuild of a read model requested"),
    security_log.BACKED_UP: _("Backup made"),
    security_log.RESTORED: _("Backup restored"),
}
_FILTERS = ("account", "kind", "since", "until")
_NO_ACCOUNT = _("There is no account with this address.")


class SecurityLogQuery(Period):
    """The choice of entries to show; times are wall-clock times of the reader."""

    class Meta:
        unknown = EXCLUDE

    account = Text(longest=254, load_default=None)
    kind = Text(longest=100, load_default=None)
    since = LocalInstant(user_time_zone, load_default=None)
    until = LocalInstant(user_time_zone, load_default=None)
    before = fields.Integer(load_default=None, validate=validate.Range(0, LAST_POSITION))


@blueprint.get("/audit/security")
@audited
def index() -> ResponseReturnValue:
    """Shows the newest entries, and those before by the page."""
    query = load(SecurityLogQuery(), request.args)
    entries: list[Entry] = []
    if not query.errors:
        try:
            account = query.values.pop("account")
            account_id = _account_id(account) if account else None
        except AccountNotFound:
            query.errors["account"] = [gettext(_NO_ACCOUNT)]
        else:
            entries = services().security_log.newest(
                limit=PAGE_SIZE + 1, account_id=account_id, **query.values
            )
    used: dict[str, Any] = {name: request.args[name] for name in _FILTERS if request.args.get(name)}
    page = render_template(
        "audit/security.html",
        entries=entries[:PAGE_SIZE],
        errors=query.errors,
        typed=request.args,
        is_filtered=bool(used),
        titles=TITLES,
        name_of=names_of(_actors(entries)),
        account_actor=account_actor,
        start=url_for("security_pages.index", **used) if request.args.get("before") else None,
        following=len(entries) > PAGE_SIZE
        and url_for("security_pages.index", **used, before=entries[PAGE_SIZE - 1].position),
        days=services().settings.security_addresses_days,
        zone=user_time_zone(),
    )
    return page, 422 if query.errors else 200


def _actors(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield entry.actor
        if entry.account_id is not None:
            yield account_actor(entry.account_id)


def _account_id(text: str) -> UUID:
    """Returns the id that `text` is, or that of the account with this e-mail address."""
    try:
        return UUID(text.strip().removeprefix("account:"))
    except ValueError:
        return services().accounts.by_email(text.strip()).id
