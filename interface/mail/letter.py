"""The words of a mail to its reader, and the message that is made of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime, quote
from functools import cache

import idna
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from interface import i18n
from interface.mail.mail import Mail
from interface.mail.message import Form, Mailbox, written

_SPECIAL = re.compile(r'[][()<>@,:;"\\\s]')  # only within quotation marks, by RFC 5322


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

    The domain is in ASCII, as mail servers know it. Version 0.2 accepted addresses with signs that
    would make several of one, such as a comma: these get quotation marks.
    """
    user, _, domain = email.rpartition("@")
    if _SPECIAL.search(user):
        user = f'"{quote(user)}"'
    if not domain.isascii():
        domain = idna.encode(domain, uts46=True).decode()
    return Mailbox(_one_line(name), f"{user}@{domain}")


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
    forms = [Form("text/plain", _as_text(letter)), Form("text/html", _as_html(letter))]
    if calendar is not None:
        forms.append(Form(f"text/calendar; method={calendar.method}", calendar.content.decode()))
    return Mail(written(headers, forms), envelope.sender.address, envelope.recipient.address)


def _one_line(text: str) -> str:
    """Returns the text with single spaces, also in place of signs that a header must not have."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join([sign if sign.isprintable() else " " for sign in line])
        line = " ".join(line.split())
    return line


def _as_text(letter: Letter) -> str:
    parts = [letter.title, letter.lead]
    if letter.facts:
        parts.append("\n".join([f"{label}: {value}" for label, value in letter.facts]))
    if letter.quote is not None:
        label, typed = letter.quote
        parts.append("\n".join([f"{label}:", *[f"> {line}" for line in typed.splitlines()]]))
    parts += [f"{text}:\n{url}" for text, url in letter.actions]
    return "\n\n".join([*parts, *letter.closing])


def _as_html(letter: Letter) -> str:
    """Returns a page in ASCII, so that it need not be encoded line by line."""
    html = _template().render(letter=letter, language=i18n.language())
    return html.encode("ascii", "xmlcharrefreplace").decode()


@cache
def _template() -> Template:
    templates = Environment(
        loader=PackageLoader("interface.mail"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = templates.get_template("letter.html")
    template.globals = {}  # which would be copied for every letter
    return template
