"""The first page of a new owner: a calendar and its first link, with one form."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from application.commands.new_link import NewLink
from application.people.accounts import Account
from application.people.email_address import has_public_domain
from domain.calendar import CalendarTerms
from domain.errors import Invalid
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.pages.owner.calendar_form import CalendarForm
from interface.pages.owner.owned import url_of
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, require_session, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.fields import Email, Name, TimeZone
from interface.web.request_context import services
from interface.web.request_schemas import LONGEST_PERSON
from interface.web.time_zone_lookup import resolve_time_zone, selectable_time_zones
from projections.views import calendar_list, link_list

blueprint = Blueprint("first_link", __name__)
protect_from_csrf(blueprint)


class FirstLinkForm(Schema):
    """The name and address of an owner, and the name and zone of their first calendar."""

    name = Name(
        longest=LONGEST_PERSON, required=True, error_messages={"required": _("Enter your name.")}
    )
    email = Email()
    calendar = Name(
        longest=LONGEST_PERSON, required=True, error_messages={"required": _("Enter a name.")}
    )
    time_zone = TimeZone(required=True, error_messages={"required": _("Choose a time zone.")})


@blueprint.post("/first-link")
@for_role("owner")
def issue() -> ResponseReturnValue:
    """Creates the calendar, issues its first link, and shows that ready to copy.

    An owner who has a calendar already is led home: the form was sent twice.
    """
    current, account = services(), require_session().account
    if calendar_list.calendars_of(current.database, account.id):
        return redirect(url_for("home.show"), 303)
    typed = {field: request.form.get(field, "") for field in FirstLinkForm().fields}
    loaded = load(FirstLinkForm(), typed | {"time_zone": resolve_time_zone(typed["time_zone"])})
    errors = loaded.errors
    if not errors:
        try:
            account = _introduce(account, loaded.values)
        except Invalid as refusal:
            errors = errors_of(refusal)
    if errors:
        return _page(account, typed, errors), 422
    terms = _terms(loaded.values["calendar"], loaded.values["time_zone"])
    actor, now = auth.actor(), current.now()
    created = current.calendars.create(owner_id=account.id, terms=terms, actor=actor, now=now)
    issued = current.links.issue(
        calendar_id=created.value.id, owner_id=account.id, links=[NewLink()], actor=actor, now=now
    )
    wait_until_visible(created, calendar_list.NAME)
    (link,) = wait_until_visible(issued, link_list.NAME)
    if "HX-Request" not in request.headers:
        address = url_for("share_link.issued", calendar_id=created.value.id, link_id=link.id)
        return redirect(address, 303)
    return render_template(
        "first_link/issued.html",
        calendar_id=created.value.id,
        has_password=account.has_password,
        link=link,
        url=url_of(link),
        zone=user_time_zone(),
    )


def form_context(account: Account) -> dict[str, Any]:
    """Returns the variables of the template with the form, filled in as far as possible."""
    typed = {
        "name": account.name,
        "email": "",
        "calendar": gettext("Intro call"),
        "time_zone": account.time_zone or "",
    }
    return _context(account, typed, {})


def _page(account: Account, typed: Mapping[str, str], errors: Mapping[str, Sequence[str]]) -> str:
    is_part = "HX-Request" in request.headers
    template = "first_link/form.html" if is_part else "home.html"
    return render_template(template, calendars={}, **_context(account, typed, errors))


def _context(
    account: Account, typed: Mapping[str, str], errors: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    return {
        "asks_for_email": not has_public_domain(account.email),
        "typed": typed,
        "errors": errors,
        "zones": selectable_time_zones(),
    }


def _introduce(account: Account, values: Mapping[str, Any]) -> Account:
    """Changes name, zone and, if one was given, address of the account. Raises `Invalid`."""
    accounts = services().accounts
    if values.get("email") and not has_public_domain(account.email):
        account = accounts.change_email(account, values["email"])
    return accounts.change(account, name=values["name"], time_zone=values["time_zone"])


def _terms(name: str, time_zone: str) -> CalendarTerms:
    """Returns the terms that the form for a new calendar begins with."""
    blank = CalendarForm.blank(time_zone)
    terms, errors = CalendarForm({**blank.typed, "name": name}).parse()
    if terms is None:
        raise Invalid(errors)
    return terms
