"""Requests for a new link: answered with one click, or removed."""

from dataclasses import replace
from uuid import UUID

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from application.commands.new_link import NewLink
from application.link_requests import LinkRequest, LinkRequestNotFound
from application.people.personal_data import Prefill
from domain.errors import CalendarArchived
from domain.link import LONGEST_LIFE
from domain.offer import EVERYTHING
from interface.pages.owner.owned import own_link
from interface.pages.owner.pasted_recipients import PastedRecipient
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role, require_session
from interface.pages.shared.csrf import protect_from_csrf
from interface.web.request_context import mail_goes_out, services
from projections.views import link_list

blueprint = Blueprint("link_requests", __name__)
protect_from_csrf(blueprint)


def requests_of_owner() -> list[LinkRequest]:
    """Returns the requests to the person who is signed in, the oldest first."""
    return services().link_requests.all(require_session().account.id)


@blueprint.post("/links/<uuid:link_id>/request/answer")
@for_role("owner")
def answer(link_id: UUID) -> ResponseReturnValue:
    """Issues a link like the one that has ended, for the person who asked; once, if repeated.

    Without its note, which is about whom the old one was for: forgetting them leaves the new link.
    """
    old = own_link(link_id)
    current, owner_id = services(), require_session().account.id
    try:
        request = current.link_requests.one(owner_id, link_id)
    except LinkRequestNotFound:  # the form was sent twice
        return redirect(url_for("links_pages.index"), 303)
    asker = PastedRecipient(request.name, request.email or "")
    # Days and times of the old link may be over, so the new one offers all of the calendar.
    duration = (old.offer or EVERYTHING).duration_minutes
    new = NewLink(
        recipient=asker.label,
        life=min(old.expires_at - old.issued_at, LONGEST_LIFE),
        prefill=Prefill(request.name, request.email),
        offer=replace(EVERYTHING, duration_minutes=duration),
    )
    try:
        issued = current.links.issue(
            calendar_id=old.calendar_id,
            owner_id=owner_id,
            links=[new],
            actor=auth.actor(),
            now=current.now(),
            idempotency_key=f"request:{link_id} {request.asked_at.isoformat()}",
        )
    except CalendarArchived:  # which the form for a new link says
        return redirect(url_for("share_link.show", calendar_id=old.calendar_id), 303)
    (link,) = wait_until_visible(issued, link_list.NAME)
    current.link_requests.answer(request, new_link_id=link.id, now=current.now())
    is_mailed = request.email is not None and mail_goes_out()
    notice = "link-mailed" if is_mailed else "link-for-request"
    return redirect(url_for("links_pages.show", link_id=link.id, notice=notice), 303)


@blueprint.post("/links/<uuid:link_id>/request/dismiss")
@for_role("owner")
def dismiss(link_id: UUID) -> ResponseReturnValue:
    """Removes the request without a new link."""
    services().link_requests.dismiss(require_session().account.id, own_link(link_id).id)
    return redirect(url_for("links_pages.index", notice="request-dismissed"), 303)
