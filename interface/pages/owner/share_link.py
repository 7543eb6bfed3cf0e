"""Sharing a calendar: the form for one single-use link, and the link ready to copy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from domain.errors import CalendarArchived, Invalid, LinkNotFound, Sentence
from domain.link import LinkStatus, SingleUseLink
from interface.i18n import local_day
from interface.pages.owner.link_forms import (
    NOBODY,
    LinkForm,
    form_context,
    form_status,
    issue_links,
    offer_errors,
    typed_in,
)
from interface.pages.owner.link_message import LinkMessage, link_message
from interface.pages.owner.owned import own_calendar, own_link, url_of
from interface.pages.owner.pasted_recipients import PastedRecipient
from interface.pages.shared.auth import for_role, require_session, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import in_utc
from interface.web.qr_code import qr_code
from interface.web.request_context import services
from projections.open_slots import OpenSlots
from projections.views.calendar_list import CalendarRow
from projections.views.link_list import LinkRow

blueprint = Blueprint("share_link", __name__)

_DAYS_TO_PICK_FROM = 14
protect_from_csrf(blueprint)


@blueprint.get("/settings/calendars/<uuid:calendar_id>/share")
@for_role("owner")
def show(calendar_id: UUID) -> ResponseReturnValue:
    """Shows the form for one link, as a page or as the content of the calendars page's dialog."""
    return _form(own_calendar(calendar_id))


@blueprint.get("/links/<uuid:link_id>/again")
@for_role("owner")
def again(link_id: UUID) -> ResponseReturnValue:
    """Shows the form for a new link with the recipient and note of this one."""
    link = own_link(link_id)
    recipient = link.recipient
    if link.prefill is not None:
        recipient = str(_recipient_of(link))
    return _form(own_calendar(link.calendar_id), {"recipient": recipient, "note": link.note})


@blueprint.post("/settings/calendars/<uuid:calendar_id>/share")
@for_role("owner")
def issue(calendar_id: UUID) -> ResponseReturnValue:
    """Issues the link and shows it ready to copy; a form sent twice issues one link."""
    calendar = own_calendar(calendar_id)
    loaded = load(LinkForm(), typed_in(LinkForm))
    if any(name.startswith("slots.") for name in loaded.errors):  # only made-up requests have these
        loaded.errors["slots"] = [Sentence("Choose from these times.")]
    if not loaded.errors:
        try:
            recipient = loaded.values.get("recipient", NOBODY)
            (link,) = issue_links(calendar, loaded.values, [recipient])
        except Invalid as refusal:
            loaded.errors.update(offer_errors(refusal))
        except CalendarArchived:
            calendar = replace(calendar, is_archived=True)
        else:
            if "HX-Request" not in request.headers:
                address = url_for("share_link.issued", calendar_id=calendar_id, link_id=link.id)
                return redirect(address, 303)
            return render_template(
                "share/single.html",
                calendar=calendar,
                **form_context(),
                link=link,
                recipient=recipient.label,
                url=url_of(link),
                message=_message(link, calendar, recipient),
            )
    return _form(calendar, typed_in(LinkForm), loaded.errors)


@blueprint.get("/settings/calendars/<uuid:calendar_id>/share/<uuid:link_id>")
@for_role("owner")
def issued(calendar_id: UUID, link_id: UUID) -> ResponseReturnValue:
    """Shows the new link, as long as it is active."""
    link = own_link(link_id)
    if link.status is not LinkStatus.ACTIVE:
        return redirect(url_for("links_pages.show", link_id=link_id))
    calendar = own_calendar(link.calendar_id)
    return render_template(
        "share/show.html",
        calendar=calendar,
        **form_context(),
        link=link,
        recipient=link.recipient,
        url=url_of(link),
        message=_message(link, calendar, _recipient_of(link)),
    )


@blueprint.get("/settings/calendars/<uuid:calendar_id>/share/times")
@for_role("owner")
def times(calendar_id: UUID) -> ResponseReturnValue:
    """Shows the times of which a link can offer only some; the share dialog loads them."""
    calendar = own_calendar(calendar_id)
    return render_template("share/times.html", **_times_context(calendar), typed={}, errors={})


@blueprint.get("/links/<uuid:link_id>/qr.svg")
@for_role("owner")
def qr(link_id: UUID) -> ResponseReturnValue:
    """Sends the address of an active link as a QR code."""
    link = own_link(link_id)
    if link.status is not LinkStatus.ACTIVE:
        raise LinkNotFound
    return qr_code(url_of(link))


def _message(
    link: LinkRow | SingleUseLink, calendar: CalendarRow, recipient: PastedRecipient
) -> LinkMessage:
    host = require_session().account.name
    return link_message(link, calendar, recipient, host=host, zone=user_time_zone())


def _recipient_of(link: LinkRow) -> PastedRecipient:
    if link.prefill is None:
        return PastedRecipient(link.recipient or "", "")
    return PastedRecipient(link.prefill.name or "", link.prefill.email or "")


def _times_context(calendar: CalendarRow) -> dict[str, Any]:
    """Returns the free times of the next two weeks in which there are any, by day."""
    current, zone = services(), user_time_zone()
    open_slots = OpenSlots(current.database, calendar.owner_id, calendar.terms.rules, current.now())
    first = open_slots.first_from(local_day(open_slots.now, zone), zone)
    start = local_day(first.start if first else open_slots.now, zone)
    days = open_slots.by_day(start, _DAYS_TO_PICK_FROM, zone)
    return {
        "zone": zone,
        "in_utc": in_utc,
        "free_days": {day: found.first() for day, found in days.items() if found.count},
    }


def _form(
    calendar: CalendarRow,
    typed: Mapping[str, Any] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
) -> ResponseReturnValue:
    template = "share/show.html"
    if "HX-Request" in request.headers:
        template = "share/dialog.html" if request.method == "GET" else "share/single.html"
    shown = form_context()
    if template != "share/dialog.html":
        shown |= _times_context(calendar)
    page = render_template(
        template, calendar=calendar, **shown, typed=typed or {}, errors=errors or {}
    )
    return page, form_status(calendar, errors)
