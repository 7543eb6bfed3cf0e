"""A mail that is ready to be sent."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mail:
    """The bytes of a message, and between which addresses they go.

    The bytes are ASCII unless one of the addresses is not: some servers on the way know nothing
    else.
    """

    content: bytes = field(repr=False)
    sender: str
    recipient: str

    @property
    def has_international_address(self) -> bool:
        """Returns True if only servers that know SMTPUTF8 can take this mail."""
        return not (self.sender + self.recipient).isascii()
