"""The words of the mail with a new link, to the person who asked for it."""

from datetime import datetime

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
