"""Commands on calendars."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.eventstore.deadline import deadline
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.people.accounts import Accounts
from domain.calendar import Calendar, CalendarTerms


@dataclass(frozen=True)
class CalendarCommands:
    """Creates, changes and archives calendars."""

    event_store: EventSourcedApplication
    accounts: Accounts

    def create(
        self, *, owner_id: UUID, terms: CalendarTerms, actor: str, now: datetime
    ) -> Written[Calendar]:
        """Creates a calendar. Raises `Invalid`.

        An owner who has not chosen a time zone yet gets that of the calendar, because people
        mostly live where they can be booked.
        """
        calendar = Calendar.create(owner_id=owner_id, terms=terms, actor=actor, now=now)
        with deadline():
            self.accounts.set_default_time_zone(owner_id, terms.rules.time_zone)
            return self.event_store.write(calendar)

    def change(
        self,
        *,
        calendar_id: UUID,
        owner_id: UUID,
        change: Callable[[CalendarTerms], CalendarTerms],
        version: int | None,
        actor: str,
        now: datetime,
    ) -> Written[Calendar]:
        """Applies `change` to the terms of `version`; None stands for the newest version.

        Raises `StaleVersion`, `CalendarArchived`, `Invalid` or `CalendarNotFound`.
        """

        def decide() -> Written[Calendar]:
            calendar = self.event_store.get_own(Calendar, calendar_id, owner_id)
            base = calendar.version if version is None else version
            calendar.change(change(calendar.terms), version=base, actor=actor, now=now)
            return self.event_store.write(calendar)

        return self.event_store.retry_on_conflict(decide)

    def archive(
        self, *, calendar_id: UUID, owner_id: UUID, actor: str, now: datetime
    ) -> Written[Calendar]:
        """Ends the issuing of links for a calendar. Raises `CalendarNotFound`."""

        def decide() -> Written[Calendar]:
            calendar = self.event_store.get_own(Calendar, calendar_id, owner_id)
            calendar.archive(actor=actor, now=now)
            return self.event_store.write(calendar)

        return self.event_store.retry_on_conflict(decide)
