"""The settings: an overview of their parts, the connections, and which mails an account gets."""

from typing import NamedTuple

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.link_requests import LINK_REQUEST
from interface.i18n import mark_for_translation as _
from interface.pages.shared.auth import for_role, has_role, require_session, signed_in
from interface.pages.shared.csrf import protect_from_csrf
from interface.web.request_context import services
from projections.reactions import mail

blueprint = Blueprint("settings_pages", __name__)
protect_from_csrf(blueprint)


class SettingsPart(NamedTuple):
    """A part of the settings, with the blueprints or endpoints of the pages that belong to it."""

    endpoint: str
    name: str
    description: str
    members: frozenset[str]
    role: str | None = None


PARTS = (
    SettingsPart(
        "calendars_pages.index",
        _("Calendars"),
        _("Your kinds of appointments: when they can be booked, for how long and where."),
        frozenset({"calendars_pages", "share_link", "share_batch"}),
        "owner",
    ),
    SettingsPart(
        "schedules_pages.index",
        _("Schedules"),
        _("Hours that several calendars share."),
        frozenset({"schedules_pages"}),
        "owner",
    ),
    SettingsPart(
        "account.show",
        _("Account"),
        _("Your name and your time zone."),
        frozenset({"account.show", "account.change"}),
    ),
    SettingsPart(
        "account.access",
        _("Access"),
        _("Password, passkeys, signed-in browsers and API keys."),
        frozenset({"account", "passkeys", "confirmation"}),
    ),
    SettingsPart(
        "settings_pages.notifications",
        _("Notifications"),
        _("Which mails you get."),
        frozenset({"settings_pages.notifications", "settings_pages.change_notifications"}),
    ),
    SettingsPart(
        "settings_pages.connections",
        _("Connections"),
        _("Your own calendar program, appointments kept elsewhere, and webhooks."),
        frozenset(
            {
                "settings_pages.connections",
                "busy_calendars_pages",
                "calendar_feeds_pages",
                "webhooks_pages",
            }
        ),
        "owner",
    ),
)

OWNERS_MAILS = {
    mail.CONFIRMATION: _("When somebody books"),
    mail.MOVED: _("When a booking is moved"),
    mail.CHANGED: _("When the location of a booking changes"),
    mail.CANCELLED: _("When a booking is cancelled"),
    mail.REMINDER: _("Before a booking, as a reminder"),
    LINK_REQUEST: _("When somebody asks for a new link"),
}
"""The mails about bookings and links that an owner can do without."""


def init_app(app: Flask) -> None:
    """Gives templates `settings_parts` and `current_settings_part`."""
    app.jinja_env.globals |= {
        "settings_parts": settings_parts,
        "current_settings_part": current_settings_part,
    }


def settings_parts() -> list[SettingsPart]:
    """Returns the parts that the person who is signed in may open."""
    return [part for part in PARTS if part.role is None or has_role(part.role)]


def current_settings_part() -> SettingsPart | None:
    """Returns the part that this page belongs to."""
    endpoint = request.endpoint or ""
    for name in (endpoint, endpoint.partition(".")[0]):
        for part in PARTS:
            if name in part.members:
                return part
    return None


@blueprint.get("/settings")
@signed_in
def index() -> ResponseReturnValue:
    """Lists the parts of the settings."""
    return render_template("settings/index.html")


@blueprint.get("/settings/connections")
@for_role("owner")
def connections() -> ResponseReturnValue:
    """Lists what connects an owner's calendars with other programs."""
    return render_template("settings/connections.html")


@blueprint.get("/settings/notifications")
@signed_in
def notifications() -> ResponseReturnValue:
    """Shows which mails the account gets."""
    return render_template(
        "settings/notifications.html",
        account=require_session().account,
        mails=OWNERS_MAILS if has_role("owner") else {},
    )


@blueprint.post("/settings/notifications")
@for_role("owner")
def change_notifications() -> ResponseReturnValue:
    """Changes which mails the account gets about its bookings and links: those checked."""
    wanted = request.form.getlist("mails")
    services().accounts.mute_mails(
        require_session().account, [kind for kind in OWNERS_MAILS if kind not in wanted]
    )
    return redirect(url_for("settings_pages.notifications", notice="notifications-changed"), 303)
