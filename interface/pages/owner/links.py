"""The links of an owner: a list, one link, revoking and replacing."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from application.commands.links import LARGEST_BATCH
from application.people import personal_data
from application.people.refused_attempts import MOST_KEPT
from domain.errors import CalendarArchived, Invalid, LinkEnded, LinkNotFound, LinkRevoked
from domain.link import LinkStatus
from domain.offer import EVERYTHING
from interface.pages.owner.link_forms import form_key, new_form_id
from interface.pages.owner.link_requests import requests_of_owner
from interface.pages.owner.owned import own_calendar, own_calendars, own_link, url_of
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, require_session, user_time_zone
from interface.pages.shared.csrf import protect_from_csrf
from interface.pages.shared.forms import load
from interface.web.fields import Text
from interface.web.problems import refusal_page
from interface.web.request_context import services
from interface.web.request_schemas import RevokeInput
from projections.views import link_list
from projections.views.link_list import LinkOrder, LinkRow

blueprint = Blueprint("links_pages", __name__)
protect_from_csrf(blueprint)

PAGE_SIZE = 25


class ListQuery(Schema):
    """Filters of the list, and its part: `before` and `after` are positions in the log."""

    q = Text(longest=200, load_default=None)
    status = fields.Enum(LinkStatus, by_value=True, load_default=None)
    calendar = fields.UUID(load_default=None)
    sort = fields.Enum(LinkOrder, by_value=True, load_default=LinkOrder.NEWEST)
    before = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)
    after = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)


@blueprint.get("/links")
@for_role("owner")
def index() -> ResponseReturnValue:
    """Shows the list; a malformed address redirects to the whole of it."""
    loaded = load(ListQuery(), {name: request.args.get(name) for name in ListQuery().fields})
    if loaded.errors:
        return redirect(url_for("links_pages.index"))
    query = loaded.values
    links, earlier, later = _page(query)
    if not links and (query["before"] is not None or query["after"] is not None):
        return redirect(_address(query))
    return render_template(
        "links/index.html",
        links=links,
        link_requests=requests_of_owner(),
        urls={link.id: url_of(link) for link in links if link.status is LinkStatus.ACTIVE},
        calendars=own_calendars(),
        query=query,
        filtered=query["q"] or query["status"] or query["calendar"],
        has_active=any(link.status is LinkStatus.ACTIVE for link in links),
        statuses=list(LinkStatus),
        earlier=_address(query, after=links[0].position) if earlier else None,
        later=_address(query, before=links[-1].position) if later else None,
        zone=user_time_zone(),
    )


@blueprint.get("/links/<uuid:link_id>")
@for_role("owner")
def show(link_id: UUID) -> ResponseReturnValue:
    """Shows one link and its history."""
    return _link_page(link_id)


@blueprint.get("/links/revoke")
@for_role("owner")
def ask_to_revoke() -> ResponseReturnValue:
    """Asks for confirmation before links are revoked."""
    active = [link for link in _selected(request.args) if link.status is LinkStatus.ACTIVE]
    if not active:
        return redirect(url_for("links_pages.index", notice="nothing-to-revoke"))
    return _revoke_form(active)


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
            owner_id=require_session().account.id,
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
            owner_id=require_session().account.id,
            actor=auth.actor(),
            now=current.now(),
            idempotency_key=form_key(),
        )
    except (LinkEnded, CalendarArchived) as refusal:
        return refusal_page(_link_page(link_id, refusal.detail), refusal, owner=True)
    new = wait_until_visible(result, link_list.NAME)
    return redirect(url_for("links_pages.show", link_id=new.id, notice="link-replaced"), 303)


def _page(query: dict[str, Any]) -> tuple[Sequence[LinkRow], bool, bool]:
    """Returns the links of a page, and whether there are earlier and later pages."""
    current = services()
    before, after = query["before"], query["after"]
    links = link_list.links_of(
        current.database,
        require_session().account.id,
        now=current.now(),
        q=query["q"],
        status=query["status"],
        calendar_id=query["calendar"],
        order=query["sort"],
        before=before,
        after=after,
        limit=PAGE_SIZE + 1,
    )
    has_more = len(links) > PAGE_SIZE
    if after is not None:
        return links[-PAGE_SIZE:], has_more, True
    return links[:PAGE_SIZE], before is not None, has_more


def _address(query: dict[str, Any], **place: Any) -> str:
    """Returns the address of the list with these filters, at its start or at `place`."""
    filters = {name: query[name] for name in ("q", "status", "calendar") if query[name]}
    if query["sort"] is not LinkOrder.NEWEST:
        filters["sort"] = query["sort"]
    return url_for("links_pages.index", **filters, **place)


def _link_page(link_id: UUID, refusal: str | None = None) -> str:
    link = own_link(link_id)
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
        expired=link.expires_at <= ended_at,
        reason=last and last.data.get("reason"),
        attempts=attempts,
        most_attempts=MOST_KEPT,
        refusal=refusal,
        zone=user_time_zone(),
    )


def _revoke_form(links: Sequence[LinkRow], errors: dict[str, list[str]] | None = None) -> str:
    return render_template(
        "links/revoke.html",
        links=links,
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
        require_session().account.id,
        now=current.now(),
        ids=ids,
        limit=LARGEST_BATCH,
    )
