"""Commands on calendars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from application.commands.schedules import chosen_schedule, with_its_hours
from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.people.accounts import Accounts
from domain.booking_rules import Availability, sorted_availability
from domain.calendar import Calendar, CalendarTerms
from domain.schedule import Schedule
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

        If its terms name a schedule, it gets the hours of that. An owner who has not chosen a time
        zone yet gets that of the calendar, because people mostly live where they can be booked.
        """

        def decide() -> Written[Calendar]:
            schedule = chosen_schedule(self.event_store, terms, owner_id)
            own = terms if schedule is None else schedule.terms_for(terms)
            calendar = Calendar.create(owner_id=owner_id, terms=own, actor=actor, now=now)
            self.accounts.set_default_time_zone(owner_id, own.rules.time_zone)
            if schedule is None:
                return self.event_store.write(calendar)
            schedule.admit(calendar.id, actor=actor, now=now)
            return Written(calendar, self.event_store.record(calendar, schedule))

        return self.event_store.retry_on_conflict(decide)

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

        If the new terms name a schedule, the calendar gets the hours of that. The calendars in
        `same_hours` get its hours and time zone in the same save, whatever their version is;
        archived ones, and those that follow a schedule, stay as they are. Raises `StaleVersion`,
        `CalendarArchived`, `Invalid` or `CalendarNotFound`, with nothing changed.
        """

        def decide() -> Written[Calendar]:
            calendar = self.event_store.get_own(Calendar, calendar_id, owner_id)
            base = calendar.version if version is None else version
            terms = change(calendar.terms)
            schedules: list[Schedule] = []
            if terms.schedule_id != calendar.terms.schedule_id:
                schedules += self._release(calendar, actor=actor, now=now)
                if joined := chosen_schedule(self.event_store, terms, owner_id):
                    joined.admit(calendar_id, actor=actor, now=now)
                    schedules.append(joined)
                    terms = joined.terms_for(terms)
            calendar.change(terms, version=base, actor=actor, now=now)
            rules = calendar.terms.rules
            others = []
            for other_id in dict.fromkeys(same_hours):
                if other_id == calendar_id:
                    continue
                other = self.event_store.get_own(Calendar, other_id, owner_id)
                if not other.is_archived and other.terms.schedule_id is None:
                    theirs = replace(
                        other.terms.rules,
                        time_zone=rules.time_zone,
                        availability=rules.availability,
                    )
                    terms = replace(other.terms, rules=theirs)
                    other.change(terms, version=other.version, actor=actor, now=now)
                    others.append(other)
            return Written(calendar, self.event_store.record(calendar, *others, *schedules))

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

        `change` is `closed_during` or `opened_again`. Where a calendar follows a schedule, the
        schedule is changed, with all calendars that follow it. Returns the calendars that changed;
        archived ones stay as they are. Raises `CalendarNotFound`, or `Invalid` with nothing
        changed.
        """

        def decide() -> Written[list[Calendar]]:
            calendars = [
                self.event_store.get_own(Calendar, calendar_id, owner_id)
                for calendar_id in calendar_ids
            ]
            changed: list[Calendar] = []
            schedules: list[Schedule] = []
            for calendar in calendars:
                rules = calendar.terms.rules
                hours = change(rules.availability, rules.time_zone, slot)
                is_own = not calendar.is_archived and calendar.terms.schedule_id is None
                if is_own and hours != rules.availability:
                    rules = replace(rules, availability=sorted_availability(hours))
                    terms = replace(calendar.terms, rules=rules)
                    calendar.change(terms, version=calendar.version, actor=actor, now=now)
                    changed.append(calendar)
            following = [each for each in calendars if each.terms.schedule_id is not None]
            followed = [each.terms.schedule_id for each in following if each.terms.schedule_id]
            for schedule_id in dict.fromkeys(followed):
                schedule = self.event_store.get_own(Schedule, schedule_id, owner_id)
                before = schedule.terms
                hours = change(before.availability, before.time_zone, slot)
                if hours != before.availability:
                    new = replace(before, availability=sorted_availability(hours))
                    schedule.change(new, version=schedule.version, actor=actor, now=now)
                    schedules.append(schedule)
                    changed += with_its_hours(self.event_store, schedule, actor=actor, now=now)
            position = self.event_store.record(*changed, *schedules, unchanged=following)
            return Written(changed, position)

        return self.event_store.retry_on_conflict(decide)

    def archive(
        self, *, calendar_id: UUID, owner_id: UUID, actor: str, now: datetime
    ) -> Written[Calendar]:
        """Ends the issuing of links for a calendar. Raises `CalendarNotFound`."""

        def decide() -> Written[Calendar]:
            calendar = self.event_store.get_own(Calendar, calendar_id, owner_id)
            schedules = self._release(calendar, actor=actor, now=now)
            calendar.archive(actor=actor, now=now)
            return Written(calendar, self.event_store.record(calendar, *schedules))

        return self.event_store.retry_on_conflict(decide)

    def _release(self, calendar: Calendar, *, actor: str, now: datetime) -> list[Schedule]:
        """Releases the calendar from the schedule that it follows.

        Returns that schedule, to be saved; an empty list if there is none.
        """
        if calendar.terms.schedule_id is None:
            return []
        schedule = self.event_store.get(Schedule, calendar.terms.schedule_id)
        schedule.release(calendar.id, actor=actor, now=now)
        return [schedule]
