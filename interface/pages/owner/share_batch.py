"""Sharing a calendar with several recipients at once: a form, a list of links, a CSV file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.commands.links import LARGEST_BATCH
from application.people.security_log import LINKS_EXPORTED
from domain.errors import CalendarArchived, Invalid, LinkNotFound
from domain.link import LinkStatus
from interface.pages.owner.csv_files import csv_file, spreadsheet_cell
from interface.pages.owner.link_forms import (
    BatchForm,
    expiry_errors,
    form_context,
    form_status,
    issue_links,
    typed_in,
)
from interface.pages.owner.owned import own_calendar, own_id, own_link, url_of
from interface.pages.owner.pasted_recipients import PastedRecipients
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import in_utc
from interface.web.request_context import services
from projections.views import link_list
from projections.views.calendar_list import CalendarRow
from projections.views.link_list import LinkOrder, LinkRow

blueprint = Blueprint("share_batch", __name__)
protect_from_csrf(blueprint)


@blueprint.get("/settings/calendars/<uuid:calendar_id>/share/several")
@for_role("owner")
def show(calendar_id: UUID) -> ResponseReturnValue:
    """Shows the form for several recipients."""
    return _form(own_calendar(calendar_id))


@blueprint.post("/settings/calendars/<uuid:calendar_id>/share/several")
@for_role("owner")
def issue(calendar_id: UUID) -> ResponseReturnValue:
    """Issues a link for each recipient, or none at all; first shows who they were understood to be.

    The form says which list was shown. Any other list is shown before a link is issued.
    """
    calendar = own_calendar(calendar_id)
    loaded = load(BatchForm(), typed_in(BatchForm))
    if not loaded.errors:
        found: PastedRecipients = loaded.values["recipients"]
        if request.form.get("shown") != _digest(found):
            typed = typed_in(BatchForm) | {"recipients": str(found)}
            return _form(calendar, typed, found=found)
        try:
            links = issue_links(calendar, loaded.values | {"recipients": None}, found.people)
        except Invalid:
            loaded.errors.update(expiry_errors())
        except CalendarArchived:
            calendar = replace(calendar, is_archived=True)
        else:
            address = url_for(
                "share_batch.batch",
                calendar_id=calendar_id,
                first_id=links[0].id,
                last_id=links[-1].id,
            )
            return redirect(address, 303)
    return _form(calendar, typed_in(BatchForm), loaded.errors)


@blueprint.post("/settings/calendars/<uuid:calendar_id>/share/several/preview")
@for_role("owner")
def show_preview(calendar_id: UUID) -> ResponseReturnValue:
    """Returns what is understood of a list that is being filled in, and the button for it."""
    own_calendar(calendar_id)
    typed = typed_in(BatchForm)
    loaded = load(BatchForm(only=["recipients"]), {"recipients": typed["recipients"]})
    errors = loaded.errors if typed["recipients"] and typed["recipients"].strip() else {}
    return render_template(
        "share/understood.html", **_understood(loaded.values.get("recipients")), errors=errors
    )


@blueprint.get(
    "/settings/calendars/<uuid:calendar_id>/share/several/<uuid:first_id>/<uuid:last_id>"
)
@for_role("owner")
def batch(calendar_id: UUID, first_id: UUID, last_id: UUID) -> ResponseReturnValue:
    """Shows the links that were issued together and are still active.

    The address names the first and the last of them.
    """
    links = _active_batch(calendar_id, first_id, last_id)
    return render_template(
        "share/batch.html",
        calendar=own_calendar(calendar_id),
        zone=user_time_zone(),
        links=[(link, url_of(link)) for link in links],
        first_id=first_id,
        last_id=last_id,
    )


@blueprint.get(
    "/settings/calendars/<uuid:calendar_id>/share/several/<uuid:first_id>/<uuid:last_id>/links.csv"
)
@for_role("owner")
def batch_csv(calendar_id: UUID, first_id: UUID, last_id: UUID) -> ResponseReturnValue:
    """Sends the same links as CSV, for a spreadsheet or a mail merge."""
    links = _active_batch(calendar_id, first_id, last_id)
    services().security_log.record(
        LINKS_EXPORTED,
        account_id=own_id(),
        details={"calendar": str(calendar_id), "links": str(len(links))},
    )
    return csv_file(
        "links.csv",
        ("recipient", "email", "url", "expires_at"),
        [
            (
                spreadsheet_cell(link.recipient),
                spreadsheet_cell(link.prefill.email if link.prefill else None),
                url_of(link),
                in_utc(link.expires_at),
            )
            for link in links
        ],
    )


def _form(
    calendar: CalendarRow,
    typed: Mapping[str, str | None] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
    found: PastedRecipients | None = None,
) -> ResponseReturnValue:
    page = render_template(
        "share/several.html",
        calendar=calendar,
        **form_context(),
        **_understood(found),
        most=LARGEST_BATCH,
        typed=typed or {},
        errors=errors or {},
    )
    return page, form_status(calendar, errors)


def _understood(found: PastedRecipients | None) -> dict[str, Any]:
    """Returns the variables of the template that shows what was understood of a list."""
    return {"found": found, "shown": _digest(found) if found else None}


def _digest(found: PastedRecipients) -> str:
    return sha256(str(found).encode()).hexdigest()


def _active_batch(calendar_id: UUID, first_id: UUID, last_id: UUID) -> list[LinkRow]:
    """Returns the active links from the first to the last. Raises `LinkNotFound` if none are."""
    current = services()
    links = link_list.links_of(
        current.database,
        own_id(),
        now=current.now(),
        calendar_id=calendar_id,
        status=LinkStatus.ACTIVE,
        positions=(own_link(first_id).position, own_link(last_id).position),
        order=LinkOrder.OLDEST,
        limit=LARGEST_BATCH,
    )
    if not links:
        raise LinkNotFound
    return links
