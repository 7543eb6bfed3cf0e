"""The words of a mail to its reader, and the message that is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import cache

import idna
from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from interface import i18n
from interface.mail.mail import Mail
from interface.mail.message import Form, Mailbox, written


@dataclass(frozen=True)
class Letter:
    """The words of a mail, in its reader's language.

    `facts` are labels and values, `quote` is what a person wrote, with its label, and `actions`
    are the texts of links and where they lead.
    """

    subject: str
    title: str
    lead: str
    facts: Sequence[tuple[str, str]] = ()
    quote: tuple[str, str] | None = None
    actions: Sequence[tuple[str, str]] = ()
    closing: Sequence[str] = ()


@dataclass(frozen=True)
class Envelope:
    """The sender, recipient, time (UTC) and id of a mail; a repeated one has the same id."""

    sender: Mailbox
    recipient: Mailbox
    message_id: str
    date: datetime
    reply_to: Mailbox | None = None


@dataclass(frozen=True)
class CalendarPart:
    """An iCalendar file with its iTIP method."""

    method: str
    content: bytes = field(repr=False)


def mailbox(name: str, email: str) -> Mailbox:
    """Returns an address with a name for a header, whatever signs the name contains.

    The domain is in ASCII, as mail servers know it.
    """
    user, _, domain = email.rpartition("@")
    if not domain.isascii():
        email = f"{user}@{idna.encode(domain, uts46=True).decode()}"
    return Mailbox(_one_line(name), email)


def compose(letter: Letter, envelope: Envelope, calendar: CalendarPart | None = None) -> Mail:
    """Returns the letter as plain text, as HTML and, if there is any, with its calendar part."""
    headers: list[tuple[str, str | Mailbox]] = [
        ("From", envelope.sender),
        ("To", envelope.recipient),
        ("Subject", _one_line(letter.subject)),
        ("Date", format_datetime(envelope.date)),
        ("Message-ID", f"<{envelope.message_id}>"),
        ("Auto-Submitted", "auto-generated"),
        ("Content-Language", i18n.language()),
    ]
    if envelope.reply_to is not None:
        headers.append(("Reply-To", envelope.reply_to))
    html = _render("letter.html", letter)
    forms = [
        Form("text/plain", _render("letter.txt", letter)),
        # In ASCII, so that it need not be encoded line by line.
        Form("text/html", html.encode("ascii", "xmlcharrefreplace").decode()),
    ]
    if calendar is not None:
        forms.append(Form(f"text/calendar; method={calendar.method}", calendar.content.decode()))
    return Mail(written(headers, forms), envelope.sender.address, envelope.recipient.address)


def _one_line(text: str) -> str:
    """Returns the text without line breaks and other signs that a header must not have."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(sign if sign.isprintable() else " " for sign in line).strip()
    return line


def _render(name: str, letter: Letter) -> str:
    return _template(name).render(letter=letter, language=i18n.language())


@cache
def _template(name: str) -> Template:
    template = _templates().get_template(name)
    template.globals = {}  # which would be copied for every letter
    return template


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("interface.mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
