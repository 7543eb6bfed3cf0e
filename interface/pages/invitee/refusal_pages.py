"""Pages that tell an invitee why nothing can be booked or shown."""

from collections.abc import Mapping, Sequence

from flask import render_template, request
from flask.typing import ResponseReturnValue

from domain.errors import AdmitOneError, LinkEnded, Unavailable
from interface.i18n import gettext
from interface.pages.shared.error_pages import when_to_try_again
from interface.web.fields import in_utc
from interface.web.invitation import Invitation
from interface.web.problems import refusal_page
from interface.web.reader_preferences import kept_zone


def link_ended(
    refusal: LinkEnded,
    invited: Invitation,
    token: str,
    *,
    zone: str,
    while_choosing: bool = False,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, Sequence[str]] | None = None,
) -> ResponseReturnValue:
    """Shows why the link can no longer book, and with whom; nothing about who booked.

    It offers to ask for a new link, with what is `typed` already. `zone` is the reader's.
    `while_choosing` means that the link ended while its form was open.
    """
    page = render_template(
        "invitee/ended.html",
        ended=type(refusal).__name__,
        while_choosing=while_choosing,
        token=token,
        host=invited.host_name,
        calendar_name=invited.calendar.terms.name,
        contact=invited.calendar.terms.contact,
        typed=typed or {},
        errors=errors or {},
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
