"""Requests for a new link: answered with one click, or removed."""

from uuid import UUID

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from application.link_requests import LinkRequest, LinkRequestNotFound
from domain.errors import CalendarArchived
from interface.pages.owner.owned import own_id, own_link
from interface.pages.owner.read_your_writes import wait_until_visible
from interface.pages.shared import auth
from interface.pages.shared.auth import for_role
from interface.pages.shared.csrf import protect_from_csrf
from interface.web.request_context import mail_goes_out, services
from projections.views import link_list

blueprint = Blueprint("link_requests", __name__)
protect_from_csrf(blueprint)


def requests_of_owner() -> list[LinkRequest]:
    """Returns the requests to the person who is signed in, the oldest first."""
    return services().link_requests.all(own_id())


@blueprint.post("/links/<uuid:link_id>/request/answer")
@for_role("owner")
def answer(link_id: UUID) -> ResponseReturnValue:
    """Issues a link like the one that has ended, for the person who asked."""
    old, current = own_link(link_id), services()
    try:
        request = current.link_requests.one(own_id(), link_id)
        answered = current.request_answers.answer(request, actor=auth.actor(), now=current.now())
    except LinkRequestNotFound:  # the form was sent twice
        return redirect(url_for("links_pages.index"), 303)
    except CalendarArchived:  # which the form for a new link says
        return redirect(url_for("share_link.show", calendar_id=old.calendar_id), 303)
    link = wait_until_visible(answered, link_list.NAME)
    is_mailed = request.email is not None and mail_goes_out()
    notice = "link-mailed" if is_mailed else "link-for-request"
    return redirect(url_for("links_pages.show", link_id=link.id, notice=notice), 303)


@blueprint.post("/links/<uuid:link_id>/request/dismiss")
@for_role("owner")
def dismiss(link_id: UUID) -> ResponseReturnValue:
    """Removes the request without a new link."""
    services().link_requests.dismiss(own_id(), own_link(link_id).id)
    return redirect(url_for("links_pages.index", notice="request-dismissed"), 303)
