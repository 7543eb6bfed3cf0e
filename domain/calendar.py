"""A bookable kind of appointment of one owner."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID, uuid4

from eventsourcing.domain import Aggregate, event

from domain.booking_rules import BookingRules, check_rules
from domain.errors import CalendarArchived, Invalid, Sentence, StaleVersion

LONGEST_NAME = 200
LONGEST_LOCATION = 500
LONGEST_DESCRIPTION = 4000


@dataclass(frozen=True)
class CalendarTerms:
    """Everything that an owner decides about a calendar: its texts and its rules."""

    name: str
    rules: BookingRules
    location: str = ""
    description: str = ""

    def check(self) -> None:
        """Checks the terms; raises `Invalid` with every fault, by field."""
        errors: dict[str, list[str]] = {}
        if not self.name.strip():
            errors["name"] = [Sentence("Must not be empty.")]
        for field, longest in (
            ("name", LONGEST_NAME),
            ("location", LONGEST_LOCATION),
            ("description", LONGEST_DESCRIPTION),
        ):
            if len(getattr(self, field)) > longest:
                errors[field] = [
                    Sentence("Must not be longer than {most} characters.", most=longest)
                ]
        try:
            check_rules(self.rules)
        except Invalid as invalid:
            errors |= {field: list(sentences) for field, sentences in invalid.errors.items()}
        if errors:
            raise Invalid(errors)

    def with_duration(self, minutes: int | None) -> "CalendarTerms":
        """Returns these terms with another duration; None leaves it as it is."""
        if minutes is None:
            return self
        return replace(self, rules=replace(self.rules, duration_minutes=minutes))


class Calendar(Aggregate):
    """A way to book an owner. Links that were sent for it survive every change to it."""

    TOPIC = "calendar"

    class Created(Aggregate.Created):
        """The calendar exists, with its first terms."""

        TOPIC = "calendar.created"
        owner_id: UUID
        terms: CalendarTerms
        actor: str

    class Changed(Aggregate.Event):
        """The terms are replaced: these are all of the new ones."""

        TOPIC = "calendar.changed"
        terms: CalendarTerms
        actor: str

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

        Raises `CalendarArchived`, `StaleVersion` or `Invalid`.
        """
        if self.is_archived:
            raise CalendarArchived
        if version != self.version:
            raise StaleVersion
        terms.check()
        if terms != self.terms:
            self.trigger_event(self.Changed, terms=terms, actor=actor, timestamp=now)

    def archive(self, *, actor: str, now: datetime) -> None:
        """Ends the issuing of links for this calendar. Does nothing the second time."""
        if not self.is_archived:
            self.trigger_event(self.Archived, actor=actor, timestamp=now)

    @event(Changed)
    def _changed(self, terms: CalendarTerms) -> None:
        self.terms = terms

    @event(Archived)
    def _archived(self) -> None:
        self.is_archived = True
