"""Pages that tell an invitee why nothing can be booked or shown."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from domain.errors import AdmitOneError, LinkEnded, LinkRedeemed, Unavailable
from interface.i18n import gettext
from interface.pages.shared.error_pages import when_to_try_again
from interface.web.fields import in_utc
from interface.web.invitation import Invitation
from interface.web.problems import refusal_page
from interface.web.reader_preferences import kept_zone


def link_ended(
    refusal: LinkEnded, invited: Invitation, *, zone: str, while_choosing: bool = False
) -> ResponseReturnValue:
    """Shows why the link can no longer book; nothing about the calendar, or who booked.

    `zone` is the reader's. `while_choosing` means that the link ended while its form was open.
    """
    page = render_template(
        "invitee/ended.html",
        ended=type(refusal).__name__,
        while_choosing=while_choosing and isinstance(refusal, LinkRedeemed),
        host=invited.host_name,
        expired_at=invited.link.expires_at,
        zone=zone,
        asks_zone="tz" not in request.values and kept_zone() is None,
        in_utc=in_utc,
    )
    return refusal_page(page, refusal, owner=False)


def refused(error: AdmitOneError) -> ResponseReturnValue:
    """Shows the sentence of any other refusal, and nothing else."""
    retry = isinstance(error, Unavailable)
    page = render_template(
        "invitee/ended.html",
        title=gettext(error.detail),
        hint=when_to_try_again(error),
        retry=retry,
    )
    return refusal_page(page, error, owner=False)
