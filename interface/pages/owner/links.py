"""The links of an owner: a list, one link, correcting, revoking and replacing."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from application.audit.link_history import changes_of_link
from application.commands.links import LARGEST_BATCH
from application.eventstore.mapper import MAPPER
from application.people import personal_data
from application.people.refused_attempts import MOST_KEPT
from application.people.security_log import LINKS_EXPORTED
from domain.errors import (
    CalendarArchived,
    Invalid,
    LinkEnded,
    LinkNotFound,
    LinkRevoked,
    Sentence,
    StaleVersion,
)
from domain.link import LinkStatus
from domain.offer import EVERYTHING
from interface.pages.owner.csv_files import csv_file, spreadsheet_cell
from interface.pages.owner.link_filters import (
    Filters,
    ListQuery,
    batch_address,
    counts_of,
    first_links,
    has_more_active,
    list_address,
    page_of,
    read_query,
)
from interface.pages.owner.link_forms import (
    end_of_day,
    expiry_errors,
    form_key,
    last_day,
    new_form_id,
    selectable_days,
)
from interface.pages.owner.link_requests import requests_of_owner
from interface.pages.owner.owned import own_calendar, own_calendars, own_id, own_link, url_of
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import Day, Text, in_utc
from interface.web.problems import refusal_page
from interface.web.request_context import services
from interface.web.request_schemas import LONGEST_NOTE, LONGEST_PERSON, RevokeInput
from projections.views import link_list, link_overview
from projections.views.calendar_list import CalendarRow
from projections.views.link_list import LinkDetails, LinkRow

blueprint = Blueprint("links_pages", __name__)
protect_from_csrf(blueprint)

MOST_EXPORTED = 10_000
CSV_TITLES = (
    *("recipient", "email", "note", "reference", "calendar", "status", "created_at", "expires_at"),
    *("url", "booked_by", "booked_email", "booking_start", "booking_status"),
)


class LinkEdit(Schema):
    """The fields of a link that can be corrected after it was issued."""

    recipient = Text(longest=LONGEST_PERSON, load_default=None)
    note = Text(longest=LONGEST_NOTE, several_lines=True, load_default=None)
    expires_on = Day(
        required=True, error_messages={"required": Sentence("Choose a date in the future.")}
    )
    version = fields.Integer(required=True, validate=validate.Range(1, 2**31 - 1))


@blueprint.get("/links")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows the list; a malformed address redirects to the whole of it."""
    query = read_query(ListQuery())
    if query is None:
        return redirect(url_for("links_pages.index"))
    entries, earlier, later = page_of(query)
    if not entries and (query["before"] is not None or query["after"] is not None):
        return redirect(list_address(query))
    links = [entry for entry in entries if isinstance(entry, LinkRow)]
    counts = counts_of(query)
    return render_template(
        "links/index.html",
        entries=entries,
        link_requests=requests_of_owner(),
        urls={link.id: url_of(link) for link in links if link.status is LinkStatus.ACTIVE},
        calendars=own_calendars(),
        batch_address=partial(batch_address, query),
        query=query,
        filtered=query["q"] or query["status"] or query["calendar"] or query["first"] is not None,
        has_active=any(link.status is LinkStatus.ACTIVE for link in links),
        tabs=[
            (each, list_address(query | {"status": each}), counts.get(each))
            for each in (None, *LinkStatus)
        ],
        active_count=counts.get(LinkStatus.ACTIVE),
        all_address=list_address(query, "links_pages.ask_to_revoke", matching="yes"),
        has_more_active=has_more_active(query, links, counts, pages=bool(earlier or later)),
        csv_address=list_address(query, "links_pages.export"),
        whole_list=list_address(query | {"first": None, "last": None}),
        earlier=earlier,
        later=later,
        zone=user_time_zone(),
    )


@blueprint.get("/links/export.csv")
@for_role("owner")
def export() -> ResponseReturnValue:
    """Sends the links of the list as CSV, the first 10,000 in its order."""
    query = read_query(Filters())
    if query is None:
        return redirect(url_for("links_pages.index"))
    links = first_links(query, MOST_EXPORTED)
    services().security_log.record(
        LINKS_EXPORTED,
        account_id=own_id(),
        details={"links": str(len(links))},
    )
    calendars = own_calendars()
    return csv_file(
        "links.csv",
        CSV_TITLES,
        [_csv_row(link, calendars.get(link.calendar_id)) for link in links],
    )


@blueprint.get("/links/<uuid:link_id>")
@for_role("owner")
def show(link_id: UUID) -> ResponseReturnValue:
    """Shows one link and its history."""
    return _link_page(link_id)


@blueprint.post("/links/<uuid:link_id>")
@for_role("owner")
def change(link_id: UUID) -> ResponseReturnValue:
    """Changes recipient, note and the last day of a link."""
    link = own_link(link_id)
    typed = {name: request.form.get(name) for name in LinkEdit().fields}
    loaded = load(LinkEdit(), typed)
    if loaded.errors:
        return _link_page(link_id, typed=typed, errors=loaded.errors), 422
    current, zone, values = services(), user_time_zone(), loaded.values
    is_same_day = values["expires_on"] == last_day(link, zone)
    try:
        result = current.links.change(
            link_id=link_id,
            owner_id=own_id(),
            typed={"recipient": values["recipient"], "note": values["note"]},
            expires_at=None if is_same_day else end_of_day(values["expires_on"], zone),
            version=values["version"],
            actor=auth.actor(),
            now=current.now(),
        )
    except (LinkEnded, StaleVersion) as refusal:
        page = _link_page(link_id, refusal.detail, typed=typed)
        return refusal_page(page, refusal, owner=True)
    except Invalid:
        return _link_page(link_id, typed=typed, errors=expiry_errors()), 422
    wait_until_visible(result, link_list.NAME)
    return redirect(url_for("links_pages.show", link_id=link_id, notice="link-changed"), 303)


@blueprint.get("/links/revoke")
@for_role("owner")
def ask_to_revoke() -> ResponseReturnValue:
    """Asks for confirmation before links are revoked: those named, or all active that match."""
    if "matching" in request.args:
        query = read_query(Filters())
        if query is None:
            return redirect(url_for("links_pages.index"))
        active = first_links(query | {"status": LinkStatus.ACTIVE}, LARGEST_BATCH + 1)
    else:
        selected = _selected(request.args)
        active = [link for link in selected if link.status is LinkStatus.ACTIVE]
        if len(selected) == 1 and not active:  # its page says what became of it
            return redirect(url_for("links_pages.show", link_id=selected[0].id))
    if not active:
        return redirect(url_for("links_pages.index", notice="nothing-to-revoke"))
    return _revoke_form(active[:LARGEST_BATCH], has_more=len(active) > LARGEST_BATCH)


@blueprint.post("/links/revoke")
@for_role("owner")
def revoke() -> ResponseReturnValue:
    """Revokes the selected links; names each that can't be revoked, with the reason."""
    links = _selected(request.form)
    if not links:
        raise LinkNotFound
    loaded = load(RevokeInput(), {"reason": request.form.get("reason")})
    if loaded.errors:
        return _revoke_form(links, loaded.errors), 422
    current = services()
    result = wait_until_visible(
        current.links.revoke_many(
            link_ids=[link.id for link in links],
            owner_id=own_id(),
            reason=loaded.values["reason"],
            actor=auth.actor(),
            now=current.now(),
        ),
        link_list.NAME,
    )
    # A link that was revoked before counts as revoked: a form sent twice gets the same response.
    refused = {
        link_id: refusal
        for link_id, refusal in result.unchanged.items()
        if not isinstance(refusal, LinkRevoked)
    }
    if len(links) == 1:
        (link,) = links
        if link.id in refused:
            page = _link_page(link.id, refused[link.id].detail)
            return refusal_page(page, refused[link.id], owner=True)
        return redirect(url_for("links_pages.show", link_id=link.id, notice="link-revoked"), 303)
    if refused:
        return render_template(
            "links/revoked.html",
            count=len(links) - len(refused),
            refused=[(link, refused[link.id]) for link in links if link.id in refused],
            calendars=own_calendars(),
        )
    return redirect(url_for("links_pages.index", notice="links-revoked"), 303)


@blueprint.get("/links/<uuid:link_id>/replace")
@for_role("owner")
def ask_to_replace(link_id: UUID) -> ResponseReturnValue:
    """Asks for confirmation before the link is replaced."""
    link = own_link(link_id)
    return render_template(
        "links/replace.html",
        link=link,
        calendar=own_calendar(link.calendar_id),
        form_id=new_form_id(),
    )


@blueprint.post("/links/<uuid:link_id>/replace")
@for_role("owner")
def replace(link_id: UUID) -> ResponseReturnValue:
    """Revokes the link and shows a new one like it; a form sent twice replaces it once."""
    current = services()
    try:
        result = current.links.replace(
            link_id=link_id,
            owner_id=own_id(),
            actor=auth.actor(),
            now=current.now(),
            idempotency_key=form_key(),
        )
    except (LinkEnded, CalendarArchived) as refusal:
        return refusal_page(_link_page(link_id, refusal.detail), refusal, owner=True)
    new = wait_until_visible(result, link_list.NAME)
    return redirect(url_for("links_pages.show", link_id=new.id, notice="link-replaced"), 303)


def _csv_row(link: LinkRow, calendar: CalendarRow | None) -> list[str]:
    """Returns the cells of a link. Its calendar is None while that view is behind."""
    booking = link.booking
    invitee = booking.invitee if booking else None
    return [
        spreadsheet_cell(link.recipient),
        spreadsheet_cell(link.prefill.email if link.prefill else None),
        spreadsheet_cell(link.note),
        spreadsheet_cell(link.reference),
        spreadsheet_cell(calendar.terms.name if calendar else None),
        link.status.value,
        in_utc(link.issued_at),
        in_utc(link.expires_at),
        url_of(link) if link.status is LinkStatus.ACTIVE else "",
        spreadsheet_cell(invitee.name if invitee else None),
        spreadsheet_cell(invitee.email if invitee else None),
        in_utc(booking.start) if booking else "",
        booking.status.value if booking else "",
    ]


def _link_page(
    link_id: UUID,
    refusal: str | None = None,
    *,
    typed: dict[str, str | None] | None = None,
    errors: dict[str, list[str]] | None = None,
) -> str:
    link, zone = own_link(link_id), user_time_zone()
    # The event that revokes a link is its last, and the text that belongs to it is the reason.
    last = personal_data.find(services().database, link_id, link.version)
    calendar = own_calendar(link.calendar_id)
    offer = link.offer or EVERYTHING
    rules = offer.rules(calendar.terms.rules)
    ended_at = link.redeemed_at or link.revoked_at or services().now()
    attempts = services().refused_attempts.counts(link_id)
    return render_template(
        "links/show.html",
        link=link,
        url=url_of(link) if link.status is LinkStatus.ACTIVE else None,
        calendar=calendar,
        offer=offer,
        offered_slots=[rules.slot_at(start) for start in sorted(offer.slots or ())],
        duration_minutes=rules.duration_minutes,
        changes=_changes(link),
        expired=link.expires_at <= ended_at,
        reason=last and last.data.get("reason"),
        attempts=attempts,
        most_attempts=MOST_KEPT,
        refusal=refusal,
        replaces=link_overview.link_replaced_by(services().database, link_id),
        typed={
            "recipient": link.recipient,
            "note": link.note,
            "expires_on": last_day(link, zone).isoformat(),
        }
        | (typed or {}),
        is_edited=typed is not None,
        errors=errors or {},
        selectable_days=selectable_days(),
        zone=zone,
    )


def _changes(link: LinkDetails) -> list[datetime]:
    """Returns when the link was changed. Only then it has more versions than its ends."""
    if link.version == 1 + bool(link.redeemed_at) + bool(link.revoked_at):
        return []
    return services().database.in_snapshot(lambda conn: changes_of_link(conn, link.id, MAPPER))


def _revoke_form(
    links: Sequence[LinkRow],
    errors: dict[str, list[str]] | None = None,
    *,
    has_more: bool = False,
) -> str:
    return render_template(
        "links/revoke.html",
        links=links,
        has_more=has_more,
        calendars=own_calendars(),
        reason=request.form.get("reason"),
        errors=errors or {},
    )


def _selected(form: Any) -> list[LinkRow]:
    """Returns the own links that a form names. Raises `Invalid` or `LinkNotFound`."""
    current = services()
    values = form.getlist("link")
    if len(values) > LARGEST_BATCH:
        raise Invalid({"link": [f"Select at most {LARGEST_BATCH} links."]})
    try:
        ids = [UUID(value) for value in values]
    except ValueError:
        raise LinkNotFound from None
    return link_list.links_of(
        current.database,
        own_id(),
        now=current.now(),
        ids=ids,
        limit=LARGEST_BATCH,
    )
