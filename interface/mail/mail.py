"""A mail that is ready to be sent."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

MAIL_POLICY = SMTP.clone(cte_type="7bit")  # some servers on the way know nothing else


@dataclass(frozen=True)
class Mail:
    """A message that is ready to be sent, and between which addresses."""

    message: EmailMessage
    sender: str
    recipient: str

    @property
    def has_international_address(self) -> bool:
        """Returns True if only servers that know SMTPUTF8 can take this mail."""
        return not (self.sender + self.recipient).isascii()

    def as_bytes(self) -> bytes:
        """Returns the whole mail, in ASCII if its addresses are."""
        policy = SMTPUTF8 if self.has_international_address else MAIL_POLICY
        return self.message.as_bytes(policy=policy)
