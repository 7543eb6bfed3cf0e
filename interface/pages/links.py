"""The links of an owner."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from marshmallow import Schema, fields, validate

from application import personal_data
from application.attempts import MOST_KEPT
from domain.errors import CalendarArchived, Invalid, LinkEnded, LinkNotFound, LinkRedeemed
from domain.link import LinkStatus
from interface.api.paging import LARGEST_PAGE
from interface.api.problems import answer_to
from interface.api.schemas import RevokeInput
from interface.current import services
from interface.fields import Text
from interface.pages import security
from interface.pages.forms import load
from interface.pages.own import own_calendar, own_calendars, own_link, url_of
from interface.pages.own_writes import seen
from interface.pages.security import must_session, own_zone, signed_in
from projections import link_list
from projections.link_list import LinkOrder, LinkRow

blueprint = Blueprint("links_pages", __name__)
security.guard(blueprint)

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
        zone=own_zone(),
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
    """End the links. Those that were used in the meantime stay used."""
    links = _chosen(request.form)
    if not links:
        raise LinkNotFound
    loaded = load(RevokeInput(), {"reason": request.form.get("reason")})
    if loaded.errors:
        return _revoke_form(links, loaded.errors), 422
    used = None
    for link in links:
        try:
            _revoke(link.id, loaded.values["reason"])
        except LinkRedeemed as refusal:
            used = refusal
    if len(links) == 1:
        if used:
            status, _ = answer_to(used, owner=True)
            return _shown(links[0].id, used.detail), status
        return redirect(
            url_for("links_pages.show", link_id=links[0].id, notice="link-revoked"), 303
        )
    notice = "links-revoked-not-all" if used else "links-revoked"
    return redirect(url_for("links_pages.index", notice=notice), 303)


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
        result = current.bookings.replace_link(
            link_id=link_id,
            owner_id=must_session().account.id,
            actor=security.actor(),
            now=current.now(),
        )
    except (LinkEnded, CalendarArchived) as refusal:
        status, _ = answer_to(refusal, owner=True)
        return _shown(link_id, refusal.detail), status
    new = seen(result, link_list.NAME)
    return redirect(url_for("links_pages.show", link_id=new.id, notice="link-replaced"), 303)


def _page(query: dict[str, Any]) -> tuple[Sequence[LinkRow], bool, bool]:
    """The links of a page, and whether there are any on pages before and after it."""
    current = services()
    before, after = query["before"], query["after"]
    found = link_list.links_of(
        current.database,
        must_session().account.id,
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
    attempts = services().attempts.counts(link_id)
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
        zone=own_zone(),
    )


def _revoke_form(links: Sequence[LinkRow], errors: dict[str, list[str]] | None = None) -> str:
    return render_template(
        "links/revoke.html",
        links=links,
        calendars=own_calendars(),
        reason=request.form.get("reason"),
        errors=errors or {},
    )


def _revoke(link_id: UUID, reason: str | None) -> None:
    current = services()
    result = current.bookings.revoke_link(
        link_id=link_id,
        owner_id=must_session().account.id,
        reason=reason,
        actor=security.actor(),
        now=current.now(),
    )
    seen(result, link_list.NAME)


def _chosen(form: Any) -> list[LinkRow]:
    """The own links that a form names. Raises `Invalid`."""
    current = services()
    named = form.getlist("link")
    if len(named) > LARGEST_PAGE:
        raise Invalid({"link": [f"At most {LARGEST_PAGE} at once."]})
    try:
        ids = [UUID(text) for text in named]
    except ValueError:
        raise LinkNotFound from None
    return link_list.links_of(
        current.database,
        must_session().account.id,
        now=current.now(),
        ids=ids,
        limit=LARGEST_PAGE,
    )
