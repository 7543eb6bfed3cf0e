"""Recognises requests to issue or replace links that are repeated with an idempotency key.

The ids of the links follow from the account and the key. So the primary key of the log lets a
key issue only once, however many requests carry it at a time, and the links themselves are all
that has to be known about the first request.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from application.commands.new_link import NewLink
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import Wanted
from application.people import personal_data
from domain import issuing
from domain.errors import IdempotencyMismatch
from domain.link import SingleUseLink


def hash_of(idempotency_key: str) -> str:
    """Returns what the log stores of a key: its SHA-256, in hexadecimal."""
    return hashlib.sha256(idempotency_key.encode()).hexdigest()


@dataclass(frozen=True)
class IssuingKey:
    """An idempotency key of an account, which names one of its requests to issue links."""

    owner_id: UUID
    key: str

    def link_id(self, place: int) -> UUID:
        """Returns the id of the link in this place among those that the request issues."""
        return uuid5(self.owner_id, f"link {place} of request {hash_of(self.key)}")

    @property
    def when_issuing(self) -> str:
        """Returns the hash of the key that the events of new links store."""
        return hash_of(self.key)

    def when_replacing(self, link_id: UUID) -> str:
        """Returns what the log stores of the key if the request replaces this link.

        The hash covers the link, too: no other request with the key can be mistaken for this one.
        """
        return hash_of(f"replace {link_id} {self.key}")


def issued_before(
    event_store: EventSourcedApplication,
    key: IssuingKey,
    *,
    calendar_id: UUID,
    links: Sequence[NewLink],
    now: datetime,
) -> Written[list[SingleUseLink]]:
    """Returns the links that the first request with this key issued, as they were then.

    Raises `IdempotencyMismatch` unless it asked for exactly these links. Once the text of a link
    is erased, nothing tells what the first request asked for: raises `LinkRedeemed`,
    `LinkRevoked` or `LinkExpired` then, or `IdempotencyMismatch` if the link still works.
    """
    ids = [key.link_id(place) for place in range(len(links))]
    one_more = Wanted(SingleUseLink, key.link_id(len(links)), 1)
    loaded = event_store.load(*(Wanted(SingleUseLink, each, 1) for each in ids), one_more)
    issued = [link for each in ids if (link := loaded.find(SingleUseLink, each, 1))]
    if len(issued) < len(links) or loaded.find(SingleUseLink, one_more.id, 1):
        raise IdempotencyMismatch
    rows = personal_data.first_rows(event_store.database, ids)
    for link, new in zip(issued, links, strict=True):
        row = rows.get(link.id)
        if row is None and link.personal_data is not None:
            event_store.get(SingleUseLink, link.id).must_be_active(now)
            raise IdempotencyMismatch
        salt = row.salt if row else b""
        issuing.confirm_repeat(
            link,
            idempotency_key=key.when_issuing,
            calendar_id=calendar_id,
            expires_at=new.expiry(link.created_on),
            offer=new.offer,
            personal_data=personal_data.commitment(salt, new.typed) if new.typed else None,
        )
    return Written(issued, event_store.head())


def confirm_replaced(key: IssuingKey, link_id: UUID, first: SingleUseLink) -> None:
    """Checks that an earlier request with this key issued `first` to replace this link.

    Raises `IdempotencyMismatch`.
    """
    if first.issuing_key != key.when_replacing(link_id):
        raise IdempotencyMismatch
