"""The part of a calendar that one link offers."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from domain.booking_rules import BookingRules

MOST_OFFERED_SLOTS = 50


@dataclass(frozen=True)
class Offer:
    """The limits that a link adds to the rules of its calendar. None means no limit.

    A slot may start on the days `first_day` to `last_day` of the calendar's zone, both included,
    and at the instants `slots`, in UTC. It takes `duration_minutes` instead of the calendar's
    duration. Nothing is checked here: what is in the log must still load when the rules change.
    """

    first_day: date | None = None
    last_day: date | None = None
    slots: tuple[datetime, ...] | None = None
    duration_minutes: int | None = None

    def rules(self, rules: BookingRules) -> BookingRules:
        """Returns the calendar's rules, with the duration of the link."""
        if self.duration_minutes is None:
            return rules
        return replace(rules, duration_minutes=self.duration_minutes)


EVERYTHING = Offer()
"""The offer of a link that adds no limits."""
