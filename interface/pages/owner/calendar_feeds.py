"""Subscribe: the addresses at which the owner's calendar programs read bookings."""

from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.calendar_feeds import MOST_FEEDS, CalendarFeed, FeedDetail
from domain.errors import CalendarNotFound, Invalid
from interface.i18n import gettext
from interface.i18n import mark_for_translation as _
from interface.pages.owner.owned import own_calendars, own_id
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import errors_of, load
from interface.web.calendar_feed import feed_url, webcal_url
from interface.web.request_context import services
from interface.web.request_schemas import FeedInput
from projections.views.calendar_list import CalendarRow

blueprint = Blueprint("calendar_feeds_pages", __name__)
protect_from_csrf(blueprint)

Errors = dict[str, list[str]]

DETAILS = {
    FeedDetail.FULL: _("Everything about each booking"),
    FeedDetail.BUSY: _("Only when you are busy"),
}


@blueprint.get("/settings/subscribe")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows the feeds, and a form for another one."""
    return _page()


@blueprint.post("/settings/subscribe")
@for_role("owner")
def create() -> ResponseReturnValue:
    """Creates a feed, or shows the form again with what is wrong."""
    form = load(FeedInput(), {name: request.form.get(name) for name in ("calendar_id", "detail")})
    errors = form.errors or _create(**form.values)
    if errors:
        return _page(errors=errors), 422
    return _to_index("feed-created")


@blueprint.get("/settings/subscribe/<uuid:feed_id>/revoke")
@for_role("owner")
def ask_to_revoke(feed_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation: the address never works again."""
    feed = services().calendar_feeds.one(own_id(), feed_id)
    return render_template(
        "calendar_feeds/revoke.html",
        name=_name(feed, own_calendars()),
        detail=gettext(DETAILS[feed.detail]),
    )


@blueprint.post("/settings/subscribe/<uuid:feed_id>/revoke")
@for_role("owner")
def revoke(feed_id: UUID) -> ResponseReturnValue:
    """Revokes a feed."""
    services().calendar_feeds.revoke(own_id(), feed_id)
    return _to_index("feed-revoked")


def _create(calendar_id: UUID | None, detail: FeedDetail) -> Errors:
    """Creates a feed and returns what is wrong with it, by field."""
    current = services()
    try:
        current.calendar_feeds.create(
            owner_id=own_id(), calendar_id=calendar_id, detail=detail, now=current.now()
        )
    except Invalid as invalid:
        return errors_of(invalid)
    except CalendarNotFound as refusal:
        return {"calendar_id": [refusal.detail]}
    return {}


def _page(*, errors: Errors | None = None) -> str:
    feeds = services().calendar_feeds.all(own_id())
    calendars = own_calendars()
    return render_template(
        "calendar_feeds/index.html",
        feeds=feeds,
        urls={feed.id: feed_url(feed) for feed in feeds},
        webcal_url=webcal_url,
        names={feed.id: _name(feed, calendars) for feed in feeds},
        calendars=[each for each in calendars.values() if not each.is_archived],
        details=DETAILS,
        is_full=len(feeds) >= MOST_FEEDS,
        zone=user_time_zone(),
        typed=request.form,
        errors=errors or {},
    )


def _name(feed: CalendarFeed, calendars: Mapping[UUID, CalendarRow]) -> str:
    """Returns the name of the feed's calendar, once the view shows it."""
    if feed.calendar_id is None:
        return gettext("All calendars")
    calendar = calendars.get(feed.calendar_id)
    return calendar.terms.name if calendar else ""


def _to_index(notice: str) -> ResponseReturnValue:
    return redirect(url_for("calendar_feeds_pages.index", notice=notice), 303)
