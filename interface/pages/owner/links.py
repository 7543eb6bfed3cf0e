"""The links of an owner."""

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
from interface.pages.owner.owned import own_calendar, own_calendars, own_link, url_of
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import require_session, signed_in, user_time_zone
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
_REVOKED_BY = 2  # the version of the event that ends a link: nothing comes between


class ListQuery(Schema):
    """Which links, and which part of their list: before and after are positions."""

    q = Text(longest=200, load_default=None)
    status = fields.Enum(LinkStatus, by_value=True, load_default=None)
    calendar = fields.UUID(load_default=None)
    sort = fields.Enum(LinkOrder, by_value=True, load_default=LinkOrder.NEWEST)
    before = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)
    after = fields.Integer(validate=validate.Range(0, 2**63 - 1), load_default=None)


@blueprint.get("/links")
@signed_in
def index() -> ResponseReturnValue:
    """The list. An address that makes no sense leads to the whole of it."""
    given = {name: request.args.get(name) for name in ListQuery().fields}
    loaded = load(ListQuery(), given)
    if loaded.errors:
        return redirect(url_for("links_pages.index"))
    query = loaded.values
    links, earlier, later = _page(query)
    if not links and (query["before"] is not None or query["after"] is not None):
        return redirect(_address(query))
    return render_template(
        "links/index.html",
        links=links,
        urls={link.id: url_of(link) for link in links if link.status is LinkStatus.ACTIVE},
        calendars=own_calendars(),
        query=query,
        filtered=query["q"] or query["status"] or query["calendar"],
        choosable=any(link.status is LinkStatus.ACTIVE for link in links),
        statuses=list(LinkStatus),
        earlier=_address(query, after=links[0].position) if earlier else None,
        later=_address(query, before=links[-1].position) if later else None,
        zone=user_time_zone(),
    )


@blueprint.get("/links/<uuid:link_id>")
@signed_in
def show(link_id: UUID) -> ResponseReturnValue:
    """One link and what became of it."""
    return _shown(link_id)


@blueprint.get("/links/revoke")
@signed_in
def ask_to_revoke() -> ResponseReturnValue:
    """Ask before links are ended."""
    active = [link for link in _chosen(request.args) if link.status is LinkStatus.ACTIVE]
    if not active:
        return redirect(url_for("links_pages.index", notice="nothing-to-revoke"))
    return _revoke_form(active)


@blueprint.post("/links/revoke")
@signed_in
def revoke() -> ResponseReturnValue:
    """Revokes the links. Of those that can't be revoked, each is named with the reason."""
    links = _chosen(request.form)
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
    # Revoked before is as good as revoked now: whoever sends the form twice is told the same.
    refused = {
        link_id: refusal
        for link_id, refusal in result.unchanged.items()
        if not isinstance(refusal, LinkRevoked)
    }
    if len(links) == 1:
        (link,) = links
        if link.id in refused:
            page = _shown(link.id, refused[link.id].detail)
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
@signed_in
def ask_to_replace(link_id: UUID) -> ResponseReturnValue:
    """Ask before the link is ended."""
    link = own_link(link_id)
    return render_template("links/replace.html", link=link, calendar=own_calendar(link.calendar_id))


@blueprint.post("/links/<uuid:link_id>/replace")
@signed_in
def replace(link_id: UUID) -> ResponseReturnValue:
    """End the link and show one like it, ready to copy."""
    current = services()
    try:
        result = current.links.replace(
            link_id=link_id,
            owner_id=require_session().account.id,
            actor=auth.actor(),
            now=current.now(),
        )
    except (LinkEnded, CalendarArchived) as refusal:
        return refusal_page(_shown(link_id, refusal.detail), refusal, owner=True)
    new = wait_until_visible(result, link_list.NAME)
    return redirect(url_for("links_pages.show", link_id=new.id, notice="link-replaced"), 303)


def _page(query: dict[str, Any]) -> tuple[Sequence[LinkRow], bool, bool]:
    """The links of a page, and whether there are any on pages before and after it."""
    current = services()
    before, after = query["before"], query["after"]
    found = link_list.links_of(
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
    more = len(found) > PAGE_SIZE
    if after is not None:
        return found[-PAGE_SIZE:], more, True
    return found[:PAGE_SIZE], before is not None, more


def _address(query: dict[str, Any], **place: Any) -> str:
    """The list with the same filters, at that place; at its start, without one."""
    kept = {name: query[name] for name in ("q", "status", "calendar") if query[name]}
    if query["sort"] is not LinkOrder.NEWEST:
        kept["sort"] = query["sort"]
    return url_for("links_pages.index", **kept, **place)


def _shown(link_id: UUID, refusal: str | None = None) -> str:
    link = own_link(link_id)
    reason = personal_data.find(services().database, link_id, _REVOKED_BY)
    ended_at = link.redeemed_at or link.revoked_at or services().now()
    attempts = services().refused_attempts.counts(link_id)
    return render_template(
        "links/show.html",
        link=link,
        url=url_of(link) if link.status is LinkStatus.ACTIVE else None,
        calendar=own_calendar(link.calendar_id),
        expired=link.expires_at <= ended_at,
        reason=reason and reason.data.get("reason"),
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


def _chosen(form: Any) -> list[LinkRow]:
    """The own links that a form names. Raises `Invalid`."""
    current = services()
    named = form.getlist("link")
    if len(named) > LARGEST_BATCH:
        raise Invalid({"link": [f"At most {LARGEST_BATCH} at once."]})
    try:
        ids = [UUID(text) for text in named]
    except ValueError:
        raise LinkNotFound from None
    return link_list.links_of(
        current.database,
        require_session().account.id,
        now=current.now(),
        ids=ids,
        limit=LARGEST_BATCH,
    )
