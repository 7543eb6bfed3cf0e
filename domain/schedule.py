"""Availability with a name, which several calendars of one owner follow."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID, uuid4

from eventsourcing.domain import event

from domain.aggregate import Aggregate
from domain.booking_rules import Availability, faults_of_availability
from domain.calendar import CalendarTerms, faults_of_name
from domain.errors import Invalid, ScheduleInUse, ScheduleNotFound, Sentence, StaleVersion

MOST_CALENDARS = 50
"""So many calendars follow one schedule at most: a change of it changes them all in one save."""


@dataclass(frozen=True)
class ScheduleTerms:
    """Everything that an owner decides about a schedule."""

    name: str
    time_zone: str
    availability: Availability

    def check(self) -> None:
        """Checks the terms; raises `Invalid` with every fault, by field."""
        errors = faults_of_name(self.name) | faults_of_availability(
            self.time_zone, self.availability
        )
        if errors:
            raise Invalid(errors)


class Schedule(Aggregate):
    """Weekly hours, date overrides and their time zone, kept in one place for several calendars.

    Each calendar that follows it has these hours in its own terms as well, and gets the new ones
    in the save that changes the schedule. So only calendars decide what can be booked.
    """

    TOPIC = "schedule"

    class Created(Aggregate.Created):
        """The schedule exists, with its first terms."""

        TOPIC = "schedule.created"
        owner_id: UUID
        terms: ScheduleTerms
        actor: str

    class Changed(Aggregate.Event):
        """The terms are replaced: these are all of the new ones."""

        TOPIC = "schedule.changed"
        terms: ScheduleTerms
        actor: str

    class CalendarJoined(Aggregate.Event):
        """From now on, the calendar follows the schedule."""

        TOPIC = "schedule.calendar_joined"
        calendar_id: UUID
        actor: str

    class CalendarLeft(Aggregate.Event):
        """The calendar has hours of its own again, follows another schedule, or was archived."""

        TOPIC = "schedule.calendar_left"
        calendar_id: UUID
        actor: str

    class Archived(Aggregate.Event):
        """No calendar can follow the schedule any more."""

        TOPIC = "schedule.archived"
        actor: str

    @event(Created)
    def __init__(self, owner_id: UUID, terms: ScheduleTerms) -> None:
        self.owner_id = owner_id
        self.terms = terms
        self.calendar_ids: list[UUID] = []
        self.is_archived = False

    @classmethod
    def create(cls, *, owner_id: UUID, terms: ScheduleTerms, actor: str, now: datetime) -> Self:
        """Creates a schedule of `owner_id` that no calendar follows yet. Raises `Invalid`."""
        terms.check()
        return cls._create(
            cls.Created, id=uuid4(), owner_id=owner_id, terms=terms, actor=actor, timestamp=now
        )

    def copy(self) -> Self:
        """Returns a copy that can change and leaves this one as it is."""
        copy = super().copy()
        copy.calendar_ids = self.calendar_ids.copy()
        return copy

    def change(self, terms: ScheduleTerms, *, version: int, actor: str, now: datetime) -> None:
        """Replaces the terms of `version`, the newest. Does nothing if they are the same.

        The calendars that follow have to get the new hours in the same save. Raises
        `ScheduleNotFound` for an archived schedule, `StaleVersion` or `Invalid`.
        """
        if self.is_archived:
            raise ScheduleNotFound
        if version != self.version:
            raise StaleVersion
        terms.check()
        if terms != self.terms:
            self.trigger_event(self.Changed, terms=terms, actor=actor, timestamp=now)

    def terms_for(self, terms: CalendarTerms) -> CalendarTerms:
        """Returns the terms of a calendar that follows this schedule: the hours are replaced."""
        rules = replace(
            terms.rules, time_zone=self.terms.time_zone, availability=self.terms.availability
        )
        return replace(terms, rules=rules, schedule_id=self.id)

    def admit(self, calendar_id: UUID, *, actor: str, now: datetime) -> None:
        """Lets a calendar follow the schedule. Does nothing if it does.

        Raises `ScheduleNotFound` for an archived schedule, and `Invalid` for a calendar too many.
        """
        if self.is_archived:
            raise ScheduleNotFound
        if calendar_id in self.calendar_ids:
            return
        if len(self.calendar_ids) >= MOST_CALENDARS:
            raise Invalid(
                {
                    "schedule_id": [
                        Sentence(
                            "At most {most} calendars can follow a schedule.", most=MOST_CALENDARS
                        )
                    ]
                }
            )
        self.trigger_event(self.CalendarJoined, calendar_id=calendar_id, actor=actor, timestamp=now)

    def release(self, calendar_id: UUID, *, actor: str, now: datetime) -> None:
        """Ends that a calendar follows the schedule. Does nothing if it doesn't."""
        if calendar_id in self.calendar_ids:
            self.trigger_event(
                self.CalendarLeft, calendar_id=calendar_id, actor=actor, timestamp=now
            )

    def archive(self, *, actor: str, now: datetime) -> None:
        """Ends the schedule. Does nothing the second time.

        Raises `ScheduleInUse` while a calendar follows it.
        """
        if self.calendar_ids:
            raise ScheduleInUse
        if not self.is_archived:
            self.trigger_event(self.Archived, actor=actor, timestamp=now)

    @event(Changed)
    def _changed(self, terms: ScheduleTerms) -> None:
        self.terms = terms

    @event(CalendarJoined)
    def _calendar_joined(self, calendar_id: UUID) -> None:
        self.calendar_ids.append(calendar_id)

    @event(CalendarLeft)
    def _calendar_left(self, calendar_id: UUID) -> None:
        self.calendar_ids.remove(calendar_id)

    @event(Archived)
    def _archived(self) -> None:
        self.is_archived = True
