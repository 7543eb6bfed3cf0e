"""A calendar as its invitees see it, in any time zone, without using a link."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from domain.offer import EVERYTHING, Offer
from interface.i18n import date_text
from interface.pages.owner.owned import own_calendar, own_link
from interface.pages.shared.auth import for_role, require_session
from interface.pages.shared.time_choice import days_page, reader_zone
from interface.web.request_context import services
from projections.open_slots import OpenSlots

blueprint = Blueprint("invitee_preview", __name__)


@blueprint.get("/settings/calendars/<uuid:calendar_id>/as-invitee")
@for_role("owner")
def show(calendar_id: UUID) -> ResponseReturnValue:
    """Shows the days and times; with `link` in the address, those that this link offers."""
    calendar = own_calendar(calendar_id)
    offer, expires_at = _offer_of_link(calendar_id)
    current = services()
    rules = calendar.terms.rules
    zone = reader_zone(rules.time_zone)
    return days_page(
        OpenSlots(current.database, calendar.owner_id, rules, current.now(), offer),
        zone=zone,
        host_zone=rules.time_zone,
        address=url_for("invitee_preview.show", calendar_id=calendar_id),
        lost=False,
        template="invitee/preview.html",
        kept={"link": request.args["link"]} if expires_at else {},
        is_preview=True,
        calendar_id=calendar_id,
        terms=calendar.terms.with_duration(offer.duration_minutes),
        host=require_session().account.name,
        valid_until=expires_at and date_text(expires_at, zone),
    )


def _offer_of_link(calendar_id: UUID) -> tuple[Offer, datetime | None]:
    """Returns what the link in the address offers, and until when; else all of the calendar."""
    try:
        link = own_link(UUID(request.args["link"]))
    except (KeyError, ValueError):
        return EVERYTHING, None
    if link.calendar_id != calendar_id:
        return EVERYTHING, None
    return link.offer or EVERYTHING, link.expires_at
