"""The mails that a running service has written into its data folder."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from tests.browser.site import Site


def mails_in(site: Site, about: str = "*") -> Iterator[EmailMessage]:
    """Yields the mails about a booking or an account; by default all."""
    folder = Path(site.service.environment["ADMITONE_DATA"]) / "mail"
    for file in sorted(folder.glob(f"{about}.*.eml")):
        yield message_from_bytes(file.read_bytes(), policy=policy.default)


def kind_of(mail: EmailMessage) -> str:
    """Returns the part of the subject that all mails of a kind have in common."""
    return str(mail["Subject"]).partition(":")[0]


def recipient_of(mail: EmailMessage) -> str:
    """Returns the address to which the mail goes."""
    address: str = mail["To"].addresses[0].addr_spec
    return address
