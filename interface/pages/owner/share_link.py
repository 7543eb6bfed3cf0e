"""Sharing a calendar: the form for one single-use link, and the link ready to copy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from domain.errors import CalendarArchived, Invalid
from domain.link import LinkStatus
from interface.pages.owner.link_forms import (
    NOBODY,
    LinkForm,
    expiry_errors,
    form_context,
    form_status,
    issue_links,
    typed_in,
)
from interface.pages.owner.owned import own_calendar, own_link, url_of
from interface.pages.owner.pasted_recipients import PastedRecipient
from interface.pages.shared.auth import for_role
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from projections.views.calendar_list import CalendarRow

blueprint = Blueprint("share_link", __name__)
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
        recipient = str(PastedRecipient(link.prefill.name or "", link.prefill.email or ""))
    return _form(own_calendar(link.calendar_id), {"recipient": recipient, "note": link.note})


@blueprint.post("/settings/calendars/<uuid:calendar_id>/share")
@for_role("owner")
def issue(calendar_id: UUID) -> ResponseReturnValue:
    """Issues the link and shows it ready to copy; a form sent twice issues one link."""
    calendar = own_calendar(calendar_id)
    loaded = load(LinkForm(), typed_in(LinkForm))
    if not loaded.errors:
        try:
            recipient = loaded.values.get("recipient", NOBODY)
            (link,) = issue_links(calendar, loaded.values, [recipient])
        except Invalid:
            loaded.errors.update(expiry_errors())
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
    )


def _form(
    calendar: CalendarRow,
    typed: Mapping[str, str | None] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
) -> ResponseReturnValue:
    template = "share/show.html"
    if "HX-Request" in request.headers:
        template = "share/dialog.html" if request.method == "GET" else "share/single.html"
    page = render_template(
        template, calendar=calendar, **form_context(), typed=typed or {}, errors=errors or {}
    )
    return page, form_status(calendar, errors)
