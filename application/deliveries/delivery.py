"""A delivery: one message to one receiver because of one event, and what became of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import msgspec

LONGEST_ANSWER = 500  # characters


class Audience(StrEnum):
    """For whom a delivery is."""

    INVITEE = "invitee"
    OWNER = "owner"


class DeliveryState(StrEnum):
    """The states of a delivery.

    It is due until it was sent, or until nobody needs it any more and it has ended. After too
    many attempts, or one that was refused for good, it is parked until an operator retries it.
    """

    DUE = "due"
    SENT = "sent"
    PARKED = "parked"
    ENDED = "ended"


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery to add to the table. Times are UTC.

    `owner_id` is the account that it concerns, of a booking its owner. `fact` is the position of
    the event that causes it, and `fact_version` the version of its aggregate; None where no event
    does. Only the channel knows what `target` means. Deliveries to one target about the same
    `subject` are sent in the order of their facts.
    """

    channel: str
    kind: str
    audience: Audience
    owner_id: UUID
    due_at: datetime
    booking_id: UUID | None = None
    link_id: UUID | None = None
    fact: int | None = None
    fact_version: int | None = None
    target: str = ""
    subject: UUID | None = None


class Delivery(NewDelivery, frozen=True, kw_only=True):
    """A delivery as it is stored. `answer` is what the other side said to the last attempt."""

    id: UUID
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime
    answer: str | None
    sent_at: datetime | None

    @classmethod
    def from_row(cls, *, audience: str, state: str, **columns: Any) -> Self:
        """Returns a delivery from its row in the table."""
        return cls(audience=Audience(audience), state=DeliveryState(state), **columns)

    @property
    def next_due_at(self) -> datetime | None:
        """Returns when the next attempt is due; None if there won't be any by itself."""
        return self.next_attempt_at if self.state is DeliveryState.DUE else None


COLUMNS = ", ".join(Delivery.__struct_fields__)
"""The columns of the table that make a delivery."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a claimed delivery. `attempts` identifies the claim."""

    id: UUID
    attempts: int
    state: DeliveryState
    answer: str | None = None
    next_attempt_at: datetime | None = None
    sent_at: datetime | None = None

    @classmethod
    def sent(cls, delivery: Delivery, *, answer: str, now: datetime) -> Self:
        """The other side has accepted the delivery and answered this."""
        return cls(delivery.id, delivery.attempts, DeliveryState.SENT, _short(answer), sent_at=now)

    @classmethod
    def postponed(cls, delivery: Delivery, *, answer: str, until: datetime) -> Self:
        """The attempt failed, and this is when the next one is due."""
        return cls(delivery.id, delivery.attempts, DeliveryState.DUE, _short(answer), until)

    @classmethod
    def parked(cls, delivery: Delivery, *, answer: str) -> Self:
        """The delivery is given up until somebody retries it."""
        return cls(delivery.id, delivery.attempts, DeliveryState.PARKED, _short(answer))

    @classmethod
    def ended(cls, delivery: Delivery) -> Self:
        """Nobody needs the delivery any more."""
        return cls(delivery.id, delivery.attempts, DeliveryState.ENDED)


def _short(answer: str) -> str:
    return answer[:LONGEST_ANSWER]
