"""A link that somebody asks for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from application.people import personal_data
from application.people.personal_data import Prefill
from domain.offer import EVERYTHING, Offer

DEFAULT_LINK_LIFE = timedelta(days=90)


@dataclass(frozen=True)
class NewLink:
    """A link to issue. It expires at `expires_at`, UTC, or if that is None after `life`.

    `reference` is an id that a program of the owner gives it.
    """

    recipient: str | None = None
    note: str | None = None
    expires_at: datetime | None = None
    life: timedelta = DEFAULT_LINK_LIFE
    reference: str | None = None
    prefill: Prefill | None = None
    offer: Offer = EVERYTHING

    @property
    def typed(self) -> dict[str, str]:
        """Returns the texts about a person as they are stored beside the log."""
        return personal_data.without_empty(
            personal_data.link_data(self.recipient, self.note, self.reference, self.prefill)
        )

    def expiry(self, issued_at: datetime) -> datetime:
        """Returns when the link expires if it is issued at this time."""
        return self.expires_at or issued_at + self.life
