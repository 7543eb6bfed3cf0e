"""Commands on schedules, and which calendars follow them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from application.eventstore.event_sourced_application import EventSourcedApplication, Written
from application.eventstore.loading import Wanted
from domain.calendar import Calendar, CalendarTerms
from domain.errors import Invalid, ScheduleNotFound, Sentence
from domain.schedule import Schedule, ScheduleTerms


@dataclass(frozen=True)
class ScheduleCommands:
    """Creates, changes and archives schedules. A change is one save with all that follows."""

    event_store: EventSourcedApplication

    def create(
        self, *, owner_id: UUID, terms: ScheduleTerms, actor: str, now: datetime
    ) -> Written[Schedule]:
        """Creates a schedule. Raises `Invalid`."""
        schedule = Schedule.create(owner_id=owner_id, terms=terms, actor=actor, now=now)
        return self.event_store.write(schedule)

    def change(
        self,
        *,
        schedule_id: UUID,
        owner_id: UUID,
        change: Callable[[ScheduleTerms], ScheduleTerms],
        version: int | None,
        actor: str,
        now: datetime,
    ) -> Written[Schedule]:
        """Applies `change` to the terms of `version`; None stands for the newest version.

        The calendars that follow get the hours in the same save. Raises `StaleVersion`, `Invalid`
        or `ScheduleNotFound`, with nothing changed.
        """

        def decide() -> Written[Schedule]:
            schedule = self.event_store.get_own(Schedule, schedule_id, owner_id)
            base = schedule.version if version is None else version
            schedule.change(change(schedule.terms), version=base, actor=actor, now=now)
            calendars = with_its_hours(self.event_store, schedule, actor=actor, now=now)
            return Written(schedule, self.event_store.record(schedule, *calendars))

        return self.event_store.retry_on_conflict(decide)

    def archive(
        self,
        *,
        schedule_id: UUID,
        owner_id: UUID,
        release_calendars: bool,
        actor: str,
        now: datetime,
    ) -> Written[Schedule]:
        """Ends a schedule. Does nothing the second time.

        With `release_calendars`, each calendar that follows it gets a copy of its hours as its
        own; otherwise no calendar may follow it. Raises `ScheduleInUse` or `ScheduleNotFound`.
        """

        def decide() -> Written[Schedule]:
            schedule = self.event_store.get_own(Schedule, schedule_id, owner_id)
            calendars = _followers(self.event_store, schedule) if release_calendars else []
            for calendar in calendars:
                calendar.keep_hours(actor=actor, now=now)
                schedule.release(calendar.id, actor=actor, now=now)
            schedule.archive(actor=actor, now=now)
            return Written(schedule, self.event_store.record(schedule, *calendars))

        return self.event_store.retry_on_conflict(decide)


def with_its_hours(
    event_store: EventSourcedApplication, schedule: Schedule, *, actor: str, now: datetime
) -> list[Calendar]:
    """Returns the calendars that follow a schedule, with the hours that it has now."""
    calendars = _followers(event_store, schedule)
    for calendar in calendars:
        calendar.follow(schedule.terms_for(calendar.terms), actor=actor, now=now)
    return calendars


def chosen_schedule(
    event_store: EventSourcedApplication, terms: CalendarTerms, owner_id: UUID
) -> Schedule | None:
    """Returns the schedule that a calendar with these terms follows, to be changed; None if none.

    Raises `Invalid` for one that the owner does not have.
    """
    if terms.schedule_id is None:
        return None
    schedule = event_store.find(Schedule, terms.schedule_id)
    if schedule is None or schedule.owner_id != owner_id or schedule.is_archived:
        raise Invalid({"schedule_id": [Sentence(str(ScheduleNotFound()))]})
    return schedule


def _followers(event_store: EventSourcedApplication, schedule: Schedule) -> list[Calendar]:
    if not schedule.calendar_ids:
        return []
    wanted = [Wanted(Calendar, calendar_id) for calendar_id in schedule.calendar_ids]
    return event_store.load(*wanted).all(Calendar)
