"""A link as a message to its recipient, to copy or to mail."""

from typing import NamedTuple
from urllib.parse import quote, urlencode

from domain.link import SingleUseLink
from interface.i18n import gettext, short_date_text
from interface.pages.owner.owned import url_of
from interface.pages.owner.pasted_recipients import PastedRecipient
from projections.views.calendar_list import CalendarRow
from projections.views.link_list import LinkRow


class LinkMessage(NamedTuple):
    """The words of the message, and the address that opens them in a mail program."""

    text: str
    mailto: str


def link_message(
    link: LinkRow | SingleUseLink,
    calendar: CalendarRow,
    recipient: PastedRecipient,
    *,
    host: str,
    zone: str,
) -> LinkMessage:
    """Returns the message in the owner's language. The expiry is shown in `zone`."""
    greeting = gettext("Hi,")
    if recipient.name:
        greeting = gettext("Hi %(name)s,") % {"name": recipient.name}
    values = {"calendar": calendar.terms.name, "date": short_date_text(link.expires_at, zone)}
    lines = [
        greeting,
        gettext("Please choose a time that suits you (%(calendar)s):") % values,
        url_of(link),
        gettext("The link works for one booking, until %(date)s.") % values,
        host,
    ]
    text = "\n\n".join(lines)
    subject = gettext("Choose a time with %(host)s") % {"host": host}
    query = urlencode({"subject": subject, "body": text.replace("\n", "\r\n")}, quote_via=quote)
    return LinkMessage(text, f"mailto:{quote(recipient.email, safe='@+')}?{query}")
