"""The words of two mails about a request for a new link: to the owner, and to whoever asked."""

from datetime import datetime

from application.link_requests import LinkRequest
from interface.i18n import gettext, moment_text, zone_text
from interface.mail.letter import Letter


def link_letter(*, host: str, expires_at: datetime, zone: str, url: str) -> Letter:
    """Returns the mail with the link at `url`. The expiry is shown in `zone`."""
    return Letter(
        subject=gettext("Your new link from %(host)s") % {"host": host},
        title=gettext("Choose a time with %(host)s") % {"host": host},
        lead=gettext("You asked for a new link. Here it is: it works for one booking."),
        facts=[
            (gettext("Valid until"), f"{moment_text(expires_at, zone)} ({zone_text(zone)})"),
        ],
        actions=[(gettext("Choose a time"), url)],
    )


def request_letter(request: LinkRequest, *, calendar: str, url: str) -> Letter:
    """Returns the mail about a request, which the owner answers at `url`."""
    facts = [
        (gettext("Name"), request.name),
        (gettext("E-mail address"), request.email or ""),
        (gettext("Calendar"), calendar),
    ]
    return Letter(
        subject=gettext("%(name)s asks for a new link") % {"name": request.name},
        title=gettext("Someone is asking you for a new link"),
        lead=gettext("%(name)s can't book with the link that you sent, and asks for a new one.")
        % {"name": request.name},
        facts=[(label, value) for label, value in facts if value],
        quote=(gettext("Message"), request.message) if request.message else None,
        actions=[(gettext("Show the request"), url)],
        closing=[
            gettext(
                "Anybody who has the link can ask, so make sure that you know the person. "
                "You get one such mail per link."
            )
        ],
    )
