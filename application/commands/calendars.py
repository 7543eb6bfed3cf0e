"""Commands on calendars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.eventstore.deadline import deadline
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.people.accounts import Accounts
from domain.booking_rules import Availability, sorted_availability
from domain.calendar import Calendar, CalendarTerms
from domain.slot import Slot


@dataclass(frozen=True)
class CalendarCommands:
    """Creates, changes and archives calendars, and blocks time in them."""

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
        same_hours: Sequence[UUID] = (),
    ) -> Written[Calendar]:
        """Applies `change` to the terms of `version`; None stands for the newest version.

        The calendars in `same_hours` get its hours and time zone in the same save, whatever their
        version is; archived ones stay as they are. Raises `StaleVersion`, `CalendarArchived`,
        `Invalid` or `CalendarNotFound`, with nothing changed.
        """

        def decide() -> Written[Calendar]:
            calendar = self.event_store.get_own(Calendar, calendar_id, owner_id)
            base = calendar.version if version is None else version
            calendar.change(change(calendar.terms), version=base, actor=actor, now=now)
            rules = calendar.terms.rules
            others = []
            for other_id in dict.fromkeys(same_hours):
                if other_id == calendar_id:
                    continue
                other = self.event_store.get_own(Calendar, other_id, owner_id)
                if not other.is_archived:
                    theirs = replace(
                        other.terms.rules,
                        time_zone=rules.time_zone,
                        availability=rules.availability,
                    )
                    terms = replace(other.terms, rules=theirs)
                    other.change(terms, version=other.version, actor=actor, now=now)
                    others.append(other)
            return Written(calendar, self.event_store.record(calendar, *others))

        return self.event_store.retry_on_conflict(decide)

    def change_hours(
        self,
        *,
        change: Callable[[Availability, str, Slot], Availability],
        slot: Slot,
        calendar_ids: Sequence[UUID],
        owner_id: UUID,
        actor: str,
        now: datetime,
    ) -> Written[list[Calendar]]:
        """Blocks a stretch of time in several calendars at once, or opens it again.

        `change` is `closed_during` or `opened_again`. Returns the calendars that changed; archived
        ones stay as they are. Raises `CalendarNotFound`, or `Invalid` with nothing changed.
        """

        def decide() -> Written[list[Calendar]]:
            changed = []
            for calendar_id in calendar_ids:
                calendar = self.event_store.get_own(Calendar, calendar_id, owner_id)
                rules = calendar.terms.rules
                hours = change(rules.availability, rules.time_zone, slot)
                if not calendar.is_archived and hours != rules.availability:
                    rules = replace(rules, availability=sorted_availability(hours))
                    terms = replace(calendar.terms, rules=rules)
                    calendar.change(terms, version=calendar.version, actor=actor, now=now)
                    changed.append(calendar)
            return Written(changed, self.event_store.record(*changed))

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
