"""An owner's life in a few lines: calendars, links and bookings, at any time, also past ones."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from application.commands.links import NewLink
from application.people.accounts import Account
from application.people.personal_data import Invitee
from domain.booking import Booking
from domain.booking_rules import WEEKDAYS, Availability, BookingRules
from domain.calendar import CalendarTerms
from interface.bootstrap import Services
from tests.support.examples import ADA

ALWAYS = Availability(dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),)), {})
AHEAD = timedelta(days=10)


@dataclass(frozen=True)
class Diary:
    """What one owner does, without a network. Views show it once they have caught up."""

    services: Services
    owner: Account

    def calendar(
        self,
        name: str = "Intro call",
        *,
        minutes: int = 30,
        location: str = "",
        description: str = "",
        now: datetime | None = None,
        **rules: Any,
    ) -> UUID:
        """The id of a new calendar, open all the time in UTC unless `rules` say otherwise."""
        standard: dict[str, Any] = {
            "time_zone": "UTC",
            "availability": ALWAYS,
            "start_increment_minutes": 30,
            "minimum_notice_minutes": 0,
        }
        terms = CalendarTerms(
            name=name,
            rules=BookingRules(duration_minutes=minutes, **standard | rules),
            location=location,
            description=description,
        )
        made = self.services.calendars.create(
            owner_id=self.owner.id,
            terms=terms,
            actor=self._actor,
            now=now or self.services.now(),
        )
        return made.value.id

    def link(
        self,
        calendar_id: UUID,
        recipient: str | None = None,
        *,
        note: str | None = None,
        now: datetime | None = None,
        expires_at: datetime | None = None,
    ) -> UUID:
        """The id of a new link."""
        (link_id,) = self.links(calendar_id, NewLink(recipient, note, expires_at), now=now)
        return link_id

    def links(self, calendar_id: UUID, *wishes: NewLink, now: datetime | None = None) -> list[UUID]:
        """The ids of links that are issued together."""
        made = self.services.links.issue(
            calendar_id=calendar_id,
            owner_id=self.owner.id,
            links=wishes,
            actor=self._actor,
            now=now or self.services.now(),
        )
        return [link.id for link in made.value]

    def revoke(self, link_id: UUID, reason: str | None = None) -> None:
        """End a link."""
        self.services.links.revoke(
            link_id=link_id,
            owner_id=self.owner.id,
            reason=reason,
            actor=self._actor,
            now=self.services.now(),
        )

    def booking(
        self,
        calendar_id: UUID,
        start: datetime,
        invitee: Invitee = ADA,
        *,
        notes: str | None = None,
        recipient: str | None = None,
    ) -> UUID:
        """The id of a booking, made ten days before it starts."""
        link_id = self.link(calendar_id, recipient, now=start - AHEAD)
        made = self.services.redemptions.redeem(
            link_id=link_id,
            start=start,
            invitee=invitee,
            notes=notes,
            idempotency_key=None,
            now=start - AHEAD,
        )
        return made.value.booking.id

    def cancel(self, booking_id: UUID) -> None:
        """Call a booking off."""
        booking = self.services.event_store.get(Booking, booking_id)
        booking.cancel(personal_data=None, actor=self._actor, now=self.services.now())
        self.services.event_store.write(booking)

    def forget(self, booking_id: UUID) -> None:
        """Forget an invitee."""
        self.services.erasure.forget(
            booking_id=booking_id,
            owner_id=self.owner.id,
            actor=self._actor,
            now=self.services.now(),
        )

    @property
    def _actor(self) -> str:
        return f"account:{self.owner.id}"
