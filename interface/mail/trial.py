"""The mail by which an operator sees that mail goes out."""

from datetime import datetime
from uuid import uuid4

from interface.mail.letter import Envelope, Letter, compose, mailbox
from interface.mail.mail import Mail
from interface.settings import Settings


def trial_mail(settings: Settings, recipient: str, *, now: datetime) -> Mail:
    """Returns a mail that says where it comes from. It is in English, as the command line is."""
    title = "Mail from Admit One arrives"
    letter = Letter(
        subject=title,
        title=title,
        lead=f"This mail was sent by `admitone mail test` of the service at {settings.public_url}.",
    )
    envelope = Envelope(
        sender=mailbox("Admit One", settings.sender_address),
        recipient=mailbox("", recipient),
        message_id=f"{uuid4()}.test@{settings.public_host}",
        date=now,
    )
    return compose(letter, envelope)
