"""Gives an owner's commands to the application, with examples for all that a test leaves out.

`HttpDesk` is its twin: the same verbs over HTTP. `new_…` returns what was made; the other
verbs return the result of the command.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from application.commands.links import BulkRevocation
from application.commands.new_link import NewLink
from application.commands.redemption import Redemption
from application.eventstore.event_sourced_application import Written
from application.people.personal_data import Invitee
from domain.booking import INVITEE, Booking
from domain.booking_rules import WEEKDAYS, Availability
from domain.calendar import CalendarTerms
from domain.link import SingleUseLink
from domain.schedule import Schedule
from interface.bootstrap import Services
from tests.support.examples import (
    ACTOR,
    ADA,
    OWNER,
    RULES,
    SCHEDULE_TERMS,
    TERMS,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)

ALL_DAY = Availability(weekly=dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),)), overrides={})
ALWAYS_OPEN: dict[str, Any] = {"availability": ALL_DAY, "minimum_notice_minutes": 0}
"""Changes to the example's terms, for a calendar that can be booked at any time."""
OWN_TERMS = {field.name for field in fields(CalendarTerms)} - {"rules"}
AHEAD = timedelta(days=10)


def terms(**changes: Any) -> CalendarTerms:
    """Returns the example's terms with these changes: of its own fields, or of its rules."""
    own = {name: changes.pop(name) for name in OWN_TERMS & changes.keys()}
    return replace(TERMS, **own, rules=replace(RULES, **changes))


def minutes(count: int) -> timedelta:
    """Returns this many minutes."""
    return timedelta(minutes=count)


@dataclass
class Desk:
    """Gives one command after the other, each at the time of the services' clock by default."""

    services: Services
    owner_id: UUID = OWNER
    actor: str = ACTOR

    def new_calendar(
        self, *, owner_id: UUID | None = None, now: datetime | None = None, **changes: Any
    ) -> UUID:
        """Creates a calendar with `terms(**changes)` and returns its id."""
        written = self.services.calendars.create(
            owner_id=owner_id or self.owner_id,
            terms=terms(**changes),
            actor=self.actor,
            now=self._time(now),
        )
        return written.value.id

    def change(self, calendar_id: UUID, version: int | None = 1, **changes: Any) -> Written[Any]:
        """Changes a calendar's terms to `terms(**changes)`."""
        return self.services.calendars.change(
            calendar_id=calendar_id,
            owner_id=self.owner_id,
            change=lambda _: terms(**changes),
            version=version,
            actor=self.actor,
            now=self._time(),
        )

    def new_schedule(self, *, owner_id: UUID | None = None, **changes: Any) -> UUID:
        """Creates a schedule with the example's terms and these changes, and returns its id."""
        written = self.services.schedules.create(
            owner_id=owner_id or self.owner_id,
            terms=replace(SCHEDULE_TERMS, **changes),
            actor=self.actor,
            now=self._time(),
        )
        return written.value.id

    def change_schedule(
        self, schedule_id: UUID, version: int | None = None, **changes: Any
    ) -> Written[Schedule]:
        """Changes these terms of a schedule, by default in its newest version."""
        return self.services.schedules.change(
            schedule_id=schedule_id,
            owner_id=self.owner_id,
            change=lambda terms: replace(terms, **changes),
            version=version,
            actor=self.actor,
            now=self._time(),
        )

    def archive_schedule(
        self, schedule_id: UUID, *, release_calendars: bool = True
    ) -> Written[Schedule]:
        """Archives a schedule. By default its calendars keep its hours."""
        return self.services.schedules.archive(
            schedule_id=schedule_id,
            owner_id=self.owner_id,
            release_calendars=release_calendars,
            actor=self.actor,
            now=self._time(),
        )

    def archive(self, calendar_id: UUID) -> Written[Any]:
        """Archives a calendar."""
        return self.services.calendars.archive(
            calendar_id=calendar_id, owner_id=self.owner_id, actor=self.actor, now=self._time()
        )

    def issue(
        self,
        calendar_id: UUID,
        *links: NewLink,
        owner_id: UUID | None = None,
        key: str | None = None,
        now: datetime | None = None,
    ) -> Written[list[SingleUseLink]]:
        """Issues links together."""
        return self.services.links.issue(
            calendar_id=calendar_id,
            owner_id=owner_id or self.owner_id,
            links=links,
            actor=self.actor,
            now=self._time(now),
            idempotency_key=key,
        )

    def new_link(
        self,
        calendar_id: UUID | None = None,
        *,
        owner_id: UUID | None = None,
        now: datetime | None = None,
        **options: Any,
    ) -> UUID:
        """Issues a link and returns its id. By default the calendar is a new one."""
        calendar_id = calendar_id or self.new_calendar(owner_id=owner_id)
        (link,) = self.issue(calendar_id, NewLink(**options), owner_id=owner_id, now=now).value
        return link.id

    def new_links(self, calendar_id: UUID, count: int) -> list[UUID]:
        """Issues links together and returns their ids."""
        return [link.id for link in self.issue(calendar_id, *[NewLink()] * count).value]

    def change_link(
        self,
        link_id: UUID,
        *,
        version: int | None = None,
        expires_at: datetime | None = None,
        now: datetime | None = None,
        **typed: str | None,
    ) -> Written[SingleUseLink]:
        """Changes a link's expiry and the typed fields that are named."""
        return self.services.links.change(
            link_id=link_id,
            owner_id=self.owner_id,
            typed=typed,
            expires_at=expires_at,
            version=version,
            actor=self.actor,
            now=self._time(now),
        )

    def revoke(
        self, link_id: UUID, *, reason: str | None = None, now: datetime | None = None
    ) -> Written[SingleUseLink]:
        """Revokes a link."""
        return self.services.links.revoke(
            link_id=link_id,
            owner_id=self.owner_id,
            reason=reason,
            actor=self.actor,
            now=self._time(now),
        )

    def revoke_many(self, *link_ids: UUID, reason: str | None = None) -> Written[BulkRevocation]:
        """Revokes links with one command."""
        return self.services.links.revoke_many(
            link_ids=link_ids,
            owner_id=self.owner_id,
            reason=reason,
            actor=self.actor,
            now=self._time(),
        )

    def replace(
        self, link_id: UUID, *, key: str | None = None, now: datetime | None = None
    ) -> Written[SingleUseLink]:
        """Replaces a link."""
        return self.services.links.replace(
            link_id=link_id,
            owner_id=self.owner_id,
            actor=self.actor,
            now=self._time(now),
            idempotency_key=key,
        )

    def redeem(
        self,
        link_id: UUID,
        start: datetime = TOMORROW_AT_NINE,
        invitee: Invitee = ADA,
        *,
        notes: str | None = None,
        key: str | None = None,
        now: datetime | None = None,
    ) -> Written[Redemption]:
        """Redeems a link as an invitee."""
        return self.services.redemptions.redeem(
            link_id=link_id,
            start=start,
            invitee=invitee,
            notes=notes,
            idempotency_key=key,
            now=self._time(now),
        )

    def book(self, link_id: UUID, start: datetime = TOMORROW_AT_NINE, **options: Any) -> UUID:
        """Redeems a link and returns the id of the booking; options as in `redeem`."""
        return self.redeem(link_id, start, **options).value.booking.id

    def new_booking(
        self,
        calendar_id: UUID,
        start: datetime = TOMORROW_AT_NINE,
        invitee: Invitee = ADA,
        *,
        notes: str | None = None,
        recipient: str | None = None,
    ) -> UUID:
        """Makes a booking with a new link, ten days ahead of its start, and returns its id."""
        link_id = self.new_link(calendar_id, recipient=recipient, now=start - AHEAD)
        return self.book(link_id, start, invitee=invitee, notes=notes, now=start - AHEAD)

    def reschedule(
        self,
        booking_id: UUID,
        start: datetime = TOMORROW_AT_TEN,
        *,
        by_invitee: bool = False,
        now: datetime | None = None,
    ) -> Written[Booking]:
        """Moves a booking as the owner, or as the invitee."""
        return self.services.bookings.reschedule(
            booking_id=booking_id, start=start, now=self._time(now), **self._who(by_invitee)
        )

    def cancel(
        self,
        booking_id: UUID,
        *,
        reason: str | None = None,
        by_invitee: bool = False,
        now: datetime | None = None,
    ) -> Written[Booking]:
        """Cancels a booking as the owner, or as the invitee."""
        return self.services.bookings.cancel(
            booking_id=booking_id, reason=reason, now=self._time(now), **self._who(by_invitee)
        )

    def change_place(self, booking_id: UUID, place: str) -> Written[Booking]:
        """Changes where a booking takes place."""
        return self.services.bookings.change_place(
            booking_id=booking_id, place=place, now=self._time(), **self._who()
        )

    def ask_to_reschedule(self, booking_id: UUID, message: str | None = None) -> Written[Booking]:
        """Asks the invitee to pick another time."""
        return self.services.bookings.ask_to_reschedule(
            booking_id=booking_id, message=message, now=self._time(), **self._who()
        )

    def forget(
        self,
        booking_id: UUID,
        *,
        by_operator: bool = False,
        now: datetime | None = None,
    ) -> Written[Booking]:
        """Forgets an invitee as the owner, or as an operator."""
        return self.services.erasure.forget(
            booking_id=booking_id,
            owner_id=None if by_operator else self.owner_id,
            actor=self.actor,
            now=self._time(now),
        )

    def link(self, link_id: UUID) -> SingleUseLink:
        """Returns the link as the log has it."""
        return self.services.event_store.get(SingleUseLink, link_id)

    def booking(self, booking_id: UUID) -> Booking:
        """Returns the booking as the log has it."""
        return self.services.event_store.get(Booking, booking_id)

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Returns all events after a position, as an auditor reads them, with transactions."""
        return self.services.database.fetch_all(
            """SELECT log.*, stored_events.xmin::text AS transaction
            FROM log JOIN stored_events ON notification_id = position
            WHERE position > %s ORDER BY position""",
            (after,),
        )

    def topics(self, after: int = 0) -> list[str]:
        """Returns the topics of all events after a position."""
        return [line["topic"] for line in self.log(after)]

    def personal_rows(self) -> list[dict[str, Any]]:
        """Returns everything that was typed about people, with transactions."""
        return self.services.database.fetch_all(
            "SELECT *, xmin::text AS transaction FROM personal_data ORDER BY originator_id"
        )

    def let_first(self, rival: Callable[[], object]) -> None:
        """Lets a rival act after the next decision is taken and before it is saved."""
        event_store = self.services.event_store
        record = event_store.record

        def record_too_late(*aggregates: Any, **more: Any) -> Any:
            del vars(event_store)["record"]
            rival()
            return record(*aggregates, **more)

        vars(event_store)["record"] = record_too_late

    def _who(self, by_invitee: bool = False) -> dict[str, Any]:
        if by_invitee:
            return {"owner_id": None, "actor": INVITEE}
        return {"owner_id": self.owner_id, "actor": self.actor}

    def _time(self, now: datetime | None = None) -> datetime:
        return now or self.services.now()
