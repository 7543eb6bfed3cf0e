"""The invitation: it can be turned into one booking, once."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self
from uuid import UUID, uuid4

from eventsourcing.domain import event

from domain.aggregate import Aggregate
from domain.errors import (
    Invalid,
    LinkExpired,
    LinkRedeemed,
    LinkRevoked,
    Sentence,
    StaleVersion,
)
from domain.offer import Offer
from domain.slot import Slot

LONGEST_LIFE = timedelta(days=365)


class LinkStatus(StrEnum):
    """The states of a link. Expired is a reading of the clock, not an event."""

    ACTIVE = "active"
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"


class SingleUseLink(Aggregate):
    """An invitation that one person may turn into one booking, once.

    Redeemed and revoked are final: whichever is recorded first stays true for ever.
    """

    TOPIC = "link"

    class Created(Aggregate.Created):
        """Never triggered: only there because the library asks this class for a topic too."""

        TOPIC = "link.created"

    class Issued(Created):
        """`personal_data` commits to what the owner typed, which stays outside the log.

        That is recipient, note, reference and the details to fill in for the invitee.
        `idempotency_key` is a SHA-256 of the key that the request carried, if any: see
        `application.commands.repeated_issuing`.
        """

        TOPIC = "link.issued"
        class_version = 3
        owner_id: UUID
        calendar_id: UUID
        expires_at: datetime
        offer: Offer | None
        personal_data: str | None
        idempotency_key: str | None
        actor: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Every link offered all of its calendar."""
            state["offer"] = None

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            """No request to issue links could carry a key."""
            state["idempotency_key"] = None

    class Changed(Aggregate.Event):
        """Expiry and typed text are replaced: these are all of the new ones."""

        TOPIC = "link.changed"
        expires_at: datetime
        personal_data: str | None
        actor: str

    class Redeemed(Aggregate.Event):
        """`idempotency_key` is the SHA-256 of the key that the request carried, if any."""

        TOPIC = "link.redeemed"
        booking_id: UUID
        slot_start: datetime
        slot_end: datetime
        idempotency_key: str | None
        actor: str

    class Revoked(Aggregate.Event):
        """`personal_data` commits to the reason; `replaced_by` is the link issued instead."""

        TOPIC = "link.revoked"
        personal_data: str | None
        replaced_by: UUID | None
        actor: str

    @event(Issued)
    def __init__(
        self,
        owner_id: UUID,
        calendar_id: UUID,
        expires_at: datetime,
        offer: Offer | None,
        personal_data: str | None,
        idempotency_key: str | None,
    ) -> None:
        self.owner_id = owner_id
        self.calendar_id = calendar_id
        self.expires_at = expires_at
        self.offer = offer
        self.personal_data = personal_data
        self.issuing_key = idempotency_key
        self.typed_version = 1  # of the event that committed to the typed text
        self.booking_id: UUID | None = None
        self.idempotency_key: str | None = None
        self.is_revoked = False
        self.replaced_by: UUID | None = None

    @classmethod
    def issue(
        cls,
        *,
        owner_id: UUID,
        calendar_id: UUID,
        expires_at: datetime,
        personal_data: str | None,
        actor: str,
        now: datetime,
        link_id: UUID | None = None,
        offer: Offer | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Issues an active link. Without `offer` it offers all of its calendar.

        Raises `Invalid` unless `expires_at` lies after `now`, by at most 365 days.
        """
        _check_expiry(expires_at, now)
        return cls._create(
            cls.Issued,
            id=link_id or uuid4(),
            owner_id=owner_id,
            calendar_id=calendar_id,
            expires_at=expires_at,
            offer=offer,
            personal_data=personal_data,
            idempotency_key=idempotency_key,
            actor=actor,
            timestamp=now,
        )

    @property
    def origin(self) -> tuple[UUID, UUID, Offer | None]:
        """The owner, the calendar and the offer of the link, which never change."""
        return self.owner_id, self.calendar_id, self.offer

    def change(
        self,
        *,
        version: int,
        expires_at: datetime,
        personal_data: str | None,
        actor: str,
        now: datetime,
    ) -> None:
        """Replaces expiry and typed text of `version`, the newest.

        `personal_data` commits to all of the new text. Does nothing if both are the same as before.
        Raises `LinkRedeemed`, `LinkRevoked`, `LinkExpired`, `StaleVersion` or `Invalid`.
        """
        self.must_be_active(now)
        if version != self.version:
            raise StaleVersion
        if (expires_at, personal_data) == (self.expires_at, self.personal_data):
            return
        if expires_at != self.expires_at:
            _check_expiry(expires_at, now)
        self.trigger_event(
            self.Changed,
            expires_at=expires_at,
            personal_data=personal_data,
            actor=actor,
            timestamp=now,
        )

    def forget_text(self, *, actor: str, now: datetime) -> None:
        """Records that the typed text is erased, so that no change or replacement takes it over.

        Does nothing without a text, or once the link was redeemed or revoked.
        """
        if self.booking_id is None and not self.is_revoked and self.personal_data is not None:
            self.trigger_event(
                self.Changed,
                expires_at=self.expires_at,
                personal_data=None,
                actor=actor,
                timestamp=now,
            )

    def status(self, now: datetime) -> LinkStatus:
        """Returns the state at `now`. A final state outranks the clock."""
        if self.booking_id is not None:
            return LinkStatus.REDEEMED
        if self.is_revoked:
            return LinkStatus.REVOKED
        return LinkStatus.EXPIRED if now >= self.expires_at else LinkStatus.ACTIVE

    def must_be_active(self, now: datetime) -> None:
        """Checks that this link can still book; raises the true reason if it can't."""
        match self.status(now):
            case LinkStatus.REDEEMED:
                raise LinkRedeemed
            case LinkStatus.REVOKED:
                raise LinkRevoked
            case LinkStatus.EXPIRED:
                raise LinkExpired

    def redeem(
        self,
        booking_id: UUID,
        slot: Slot,
        *,
        idempotency_key: str | None,
        actor: str,
        now: datetime,
    ) -> None:
        """Uses the link up. The slot may lie after the expiry, `now` may not.

        Raises `LinkRedeemed`, `LinkRevoked` or `LinkExpired`.
        """
        self.must_be_active(now)
        self.trigger_event(
            self.Redeemed,
            booking_id=booking_id,
            slot_start=slot.start,
            slot_end=slot.end,
            idempotency_key=idempotency_key,
            actor=actor,
            timestamp=now,
        )

    def revoke(
        self,
        *,
        personal_data: str | None,
        actor: str,
        now: datetime,
        replaced_by: UUID | None = None,
    ) -> None:
        """Ends the link before it is used, even an expired one. Does nothing the second time.

        Raises `LinkRedeemed`; and `LinkRevoked` where a revoked link would be replaced.
        """
        if self.booking_id is not None:
            raise LinkRedeemed
        if self.is_revoked:
            if replaced_by is not None:
                raise LinkRevoked
            return
        self.trigger_event(
            self.Revoked,
            personal_data=personal_data,
            replaced_by=replaced_by,
            actor=actor,
            timestamp=now,
        )

    @event(Changed)
    def _changed(self, expires_at: datetime, personal_data: str | None) -> None:
        self.expires_at = expires_at
        self.personal_data = personal_data
        self.typed_version = self.version + 1  # that of the event, which is being applied

    @event(Redeemed)
    def _redeemed(self, booking_id: UUID, idempotency_key: str | None) -> None:
        self.booking_id = booking_id
        self.idempotency_key = idempotency_key

    @event(Revoked)
    def _revoked(self, replaced_by: UUID | None) -> None:
        self.is_revoked = True
        self.replaced_by = replaced_by


def _check_expiry(expires_at: datetime, now: datetime) -> None:
    """Raises `Invalid` unless `expires_at` lies after `now`, by at most 365 days."""
    if expires_at <= now:
        raise Invalid({"expires_at": [Sentence("Must be in the future.")]})
    if expires_at - now > LONGEST_LIFE:
        raise Invalid({"expires_at": [Sentence("Must be within 365 days.")]})
