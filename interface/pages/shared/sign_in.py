"""Signing in and out, and the first page."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from application.people.authentication import WrongPassword
from application.people.tokens import InvalidToken
from domain.link import LinkStatus
from interface.pages.shared import auth
from interface.pages.shared.auth import current_session, local_path, require_session, signed_in
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.pages.shared.i18n import gettext
from interface.web.fields import Name
from interface.web.request_context import services
from projections.views import booking_calendar, calendar_list, link_list

blueprint = Blueprint("sign_in", __name__)
protect_from_csrf(blueprint)

_SHOWN = 5


class SignInForm(Schema):
    """E-mail address and password."""

    email = Name(longest=254, required=True)
    password = Name(longest=1000, required=True)


@blueprint.get("/")
def start() -> ResponseReturnValue:
    """The sign-in form, or what comes next for somebody who is signed in."""
    current = current_session()
    if current is None:
        return render_template("sign_in.html", next=request.args.get("next"), email="", errors={})
    services_ = services()
    now = services_.now()
    calendars = calendar_list.calendars_of(services_.database, current.account.id)
    return render_template(
        "home.html",
        calendars={calendar.id: calendar for calendar in calendars},
        zone=current.account.time_zone
        or (calendars[0].terms.rules.time_zone if calendars else "UTC"),
        bookings=booking_calendar.bookings_of(
            services_.database, current.account.id, since=now, limit=_SHOWN
        ),
        links=link_list.links_of(
            services_.database,
            current.account.id,
            now=now,
            status=LinkStatus.ACTIVE,
            limit=_SHOWN,
        ),
    )


@blueprint.post("/")
def sign_in() -> ResponseReturnValue:
    """Sign in with e-mail address and password."""
    services_ = services()
    email = request.form.get("email", "")
    came_for = request.form.get("next")
    loaded = load(SignInForm(), {name: request.form.get(name) for name in ("email", "password")})
    if not loaded.errors:
        try:
            account = services_.sessions.with_password(**loaded.values)
        except WrongPassword as refusal:
            loaded.errors["password"] = [refusal.detail]
        else:
            started = services_.sessions.start(account, now=services_.now())
            return auth.start_session(redirect(local_path(came_for), 303), started)
    page = render_template("sign_in.html", next=came_for, email=email, errors=loaded.errors)
    return page, 422


@blueprint.get("/sign-in/<token>")
def sign_in_link(token: str) -> ResponseReturnValue:
    """Ask before the one-time link is used up: mail scanners open links."""
    try:
        account = services().accounts.account_behind(token)
    except InvalidToken:
        return _link_is_used_up()
    return render_template("sign_in_link.html", account=account)


@blueprint.post("/sign-in/<token>")
def use_sign_in_link(token: str) -> ResponseReturnValue:
    """Sign in, once."""
    services_ = services()
    try:
        account = services_.accounts.sign_in(token, now=services_.now())
    except InvalidToken:
        return _link_is_used_up()
    started = services_.sessions.start(account, now=services_.now(), by_link=True)
    to = "sign_in.start" if account.has_password else "account.show"
    return auth.start_session(redirect(url_for(to), 303), started)


@blueprint.post("/sign-out")
@signed_in
def sign_out() -> ResponseReturnValue:
    """Sign out at this browser."""
    services().sessions.end(require_session())
    return auth.end_session(redirect(url_for("sign_in.start"), 303))


def _link_is_used_up() -> ResponseReturnValue:
    title = gettext("This sign-in link was used already, or is more than a day old.")
    hint = gettext("Whoever runs this service can make a new one.")
    return render_template("message.html", title=title, hint=hint), 410
