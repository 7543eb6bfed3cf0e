"""A bookable kind of appointment of one owner."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID, uuid4

from eventsourcing.domain import event

from domain.aggregate import Aggregate
from domain.booking_rules import LIMITS, BookingRules, check_rules, faults_of_numbers
from domain.errors import CalendarArchived, Invalid, Sentence, StaleVersion
from domain.visible_text import is_visible

LONGEST_NAME = 200
LONGEST_LOCATION = 500
LONGEST_DESCRIPTION = 4000
LONGEST_CONTACT = 200

CHANGE_LIMITS = {
    "cancel_notice_minutes": (0, 525_600),
    "reschedule_notice_minutes": (0, 525_600),
    "reschedule_limit": (0, 100),
    "reminder_minutes": (0, 43_200),
}
NUMBER_LIMITS = LIMITS | CHANGE_LIMITS


@dataclass(frozen=True)
class CalendarTerms:
    """Everything that an owner decides about a calendar: its texts and its rules.

    Invitees cancel up to `cancel_notice_minutes` before the start of their booking, and move it
    up to `reschedule_notice_minutes` before, `reschedule_limit` times. Where they can get no
    further, they read `contact`, a line on how to reach the owner. They are reminded
    `reminder_minutes` before the start; 0 means that they aren't. With a `schedule_id`, the hours
    and the time zone in the rules are those of that schedule.
    """

    name: str
    rules: BookingRules
    location: str = ""
    description: str = ""
    cancel_notice_minutes: int = 0
    reschedule_notice_minutes: int = 0
    reschedule_limit: int = 3
    contact: str = ""
    reminder_minutes: int = 1440
    schedule_id: UUID | None = None

    def check(self) -> None:
        """Checks the terms; raises `Invalid` with every fault, by field."""
        errors = faults_of_name(self.name)
        for field, longest in (
            ("location", LONGEST_LOCATION),
            ("description", LONGEST_DESCRIPTION),
            ("contact", LONGEST_CONTACT),
        ):
            if len(getattr(self, field)) > longest:
                errors[field] = [_too_long(longest)]
        errors |= faults_of_numbers(self, CHANGE_LIMITS)
        try:
            check_rules(self.rules)
        except Invalid as invalid:
            errors |= {field: list(sentences) for field, sentences in invalid.errors.items()}
        if errors:
            raise Invalid(errors)

    def with_duration(self, minutes: int | None) -> "CalendarTerms":
        """Returns these terms with another duration; None leaves it as it is."""
        if minutes is None or minutes == self.rules.duration_minutes:
            return self
        return replace(self, rules=replace(self.rules, duration_minutes=minutes))

    def has_hours_of(self, other: "CalendarTerms") -> bool:
        """Returns True if the weekly hours, date overrides and time zones are the same.

        A weekday without hours is the same as one that is not named.
        """
        return _hours(self.rules) == _hours(other.rules)


def _hours(rules: BookingRules) -> tuple[object, ...]:
    availability = rules.availability
    weekly = {day: hours for day, hours in availability.weekly.items() if hours}
    return rules.time_zone, weekly, availability.overrides


def faults_of_name(name: str) -> dict[str, list[str]]:
    """Returns what is wrong with the name of a calendar or of a schedule, by field."""
    faults: list[str] = []
    if not is_visible(name):
        faults.append(Sentence("Must not be empty."))
    elif len(name) > LONGEST_NAME:
        faults.append(_too_long(LONGEST_NAME))
    return {"name": faults} if faults else {}


def _too_long(longest: int) -> Sentence:
    return Sentence("Must not be longer than {most} characters.", most=longest)


def _add_change_rules(terms: dict[str, Any]) -> None:
    """Completes stored terms that say nothing about changes: there were no limits to them."""
    terms |= {
        "cancel_notice_minutes": 0,
        "reschedule_notice_minutes": 0,
        "reschedule_limit": 3,
        "contact": "",
        "reminder_minutes": 1440,
    }


class Calendar(Aggregate):
    """A way to book an owner. Links that were sent for it survive every change to it."""

    TOPIC = "calendar"
    NEWEST_EVENTS = 2
    """So many of its last events say all about it, with the first one: the newest terms, which
    are always whole, and that it is archived, after which nothing comes."""

    class Created(Aggregate.Created):
        """The calendar exists, with its first terms."""

        TOPIC = "calendar.created"
        class_version = 3
        owner_id: UUID
        terms: CalendarTerms
        actor: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Adds the rules for changes of bookings."""
            _add_change_rules(state["terms"])

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            """Adds that the calendar has hours of its own."""
            state["terms"]["schedule_id"] = None

    class Changed(Aggregate.Event):
        """The terms are replaced: these are all of the new ones."""

        TOPIC = "calendar.changed"
        class_version = 3
        terms: CalendarTerms
        actor: str

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            """Adds the rules for changes of bookings."""
            _add_change_rules(state["terms"])

        @staticmethod
        def upcast_v2_v3(state: dict[str, Any]) -> None:
            """Adds that the calendar has hours of its own."""
            state["terms"]["schedule_id"] = None

    class Archived(Aggregate.Event):
        """No new links from now on; those already sent still work until they end."""

        TOPIC = "calendar.archived"
        actor: str

    @event(Created)
    def __init__(self, owner_id: UUID, terms: CalendarTerms) -> None:
        self.owner_id = owner_id
        self.terms = terms
        self.is_archived = False

    @classmethod
    def create(cls, *, owner_id: UUID, terms: CalendarTerms, actor: str, now: datetime) -> Self:
        """Creates a calendar of `owner_id`. Raises `Invalid`."""
        terms.check()
        return cls._create(
            cls.Created, id=uuid4(), owner_id=owner_id, terms=terms, actor=actor, timestamp=now
        )

    def must_take_links(self) -> None:
        """Checks that links can be issued for this calendar. Raises `CalendarArchived`."""
        if self.is_archived:
            raise CalendarArchived

    def change(self, terms: CalendarTerms, *, version: int, actor: str, now: datetime) -> None:
        """Replaces the terms of `version`, the newest. Does nothing if they are the same.

        Whoever changes `schedule_id` tells the schedules, too. Raises `CalendarArchived`,
        `StaleVersion` or `Invalid`: also for other hours while the calendar follows a schedule.
        """
        if self.is_archived:
            raise CalendarArchived
        if version != self.version:
            raise StaleVersion
        terms.check()
        if terms.schedule_id is not None and terms.schedule_id == self.terms.schedule_id:
            if not terms.has_hours_of(self.terms):
                raise Invalid(
                    {
                        "schedule_id": [
                            Sentence(
                                "This calendar has the hours of a schedule."
                                " Change them there, or give it hours of its own."
                            )
                        ]
                    }
                )
            kept = replace(terms.rules, availability=self.terms.rules.availability)
            terms = replace(terms, rules=kept)
        self._replace(terms, actor=actor, now=now)

    def follow(self, terms: CalendarTerms, *, actor: str, now: datetime) -> None:
        """Takes the new hours of the schedule that the calendar follows, which are in `terms`."""
        self._replace(terms, actor=actor, now=now)

    def keep_hours(self, *, actor: str, now: datetime) -> None:
        """Makes the hours of the schedule that the calendar follows, if any, its own."""
        self._replace(replace(self.terms, schedule_id=None), actor=actor, now=now)

    def archive(self, *, actor: str, now: datetime) -> None:
        """Ends the issuing of links for this calendar. Does nothing the second time.

        It keeps its hours, and no longer follows a schedule.
        """
        if not self.is_archived:
            self.keep_hours(actor=actor, now=now)
            self.trigger_event(self.Archived, actor=actor, timestamp=now)

    def _replace(self, terms: CalendarTerms, *, actor: str, now: datetime) -> None:
        if terms != self.terms:
            self.trigger_event(self.Changed, terms=terms, actor=actor, timestamp=now)

    @event(Changed)
    def _changed(self, terms: CalendarTerms) -> None:
        self.terms = terms

    @event(Archived)
    def _archived(self) -> None:
        self.is_archived = True
