"""The rules by which a calendar can be booked, and the checks that they make sense."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import available_timezones

from domain.errors import Invalid, Sentence, SlotNotOffered, TimeOfDay
from domain.slot import MINUTE, Reservation, Slot

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Hours = tuple[tuple[str, str], ...]
"""Half-open wall-clock intervals of one day, "HH:MM" from "00:00" to "24:00"."""

MOST_INTERVALS_A_DAY = 48
MOST_OVERRIDES = 1000

LIMITS = {
    "duration_minutes": (1, 1440),
    "start_increment_minutes": (1, 1440),
    "buffer_before_minutes": (0, 1440),
    "buffer_after_minutes": (0, 1440),
    "minimum_notice_minutes": (0, 525_600),
    "booking_window_days": (1, 365),
}
LONGEST_BUFFER = timedelta(
    minutes=max(LIMITS["buffer_before_minutes"][1], LIMITS["buffer_after_minutes"][1])
)
_TIME_OF_DAY = re.compile("(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00")
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Availability:
    """Weekly hours by weekday, and by ISO date the hours that replace them.

    A weekday that is missing is closed, and so is a date that is overridden with no hours.
    Nothing is checked here: what is in the log must still load when the rules change.
    """

    weekly: dict[str, Hours]
    overrides: dict[str, Hours]

    def hours_on(self, day: date) -> Hours:
        """Returns the hours of a local date."""
        override = self.overrides.get(day.isoformat())
        return self.weekly.get(WEEKDAYS[day.weekday()], ()) if override is None else override


@dataclass(frozen=True)
class BookingRules:
    """The rules by which a calendar offers slots, whatever is reserved.

    They are checked when they come in (`check_rules`), not here.
    """

    time_zone: str
    duration_minutes: int
    availability: Availability
    start_increment_minutes: int
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    minimum_notice_minutes: int = 240
    booking_window_days: int = 60

    def reservation(self, slot: Slot) -> Reservation:
        """Returns a reservation of the slot, with this calendar's buffers."""
        return Reservation(
            slot,
            buffer_before=self.buffer_before_minutes * MINUTE,
            buffer_after=self.buffer_after_minutes * MINUTE,
        )

    def slot_at(self, start: datetime) -> Slot:
        """Returns the slot of this calendar's duration at `start`, which may be in any zone.

        Raises `SlotNotOffered` for a slot beyond the years of `datetime`, and `ValueError`
        for a start without a zone.
        """
        if start.utcoffset() is None:
            raise ValueError("A slot starts in a time zone.")
        try:
            start = start.astimezone(UTC)
            return Slot(start, start + self.duration_minutes * MINUTE)
        except OverflowError:
            raise SlotNotOffered from None


def check_rules(rules: BookingRules) -> None:
    """Checks the rules; raises `Invalid` with every fault, by the dotted path of its field."""
    errors = faults_of_numbers(rules, LIMITS) | faults_of_availability(
        rules.time_zone, rules.availability
    )
    if errors:
        raise Invalid(errors)


def faults_of_availability(time_zone: str, availability: Availability) -> dict[str, list[str]]:
    """Returns what is wrong with hours and their time zone, by the dotted path of the field."""
    errors: dict[str, list[str]] = {}
    if not is_time_zone(time_zone):
        errors["time_zone"] = [
            Sentence("Must be the IANA name of a time zone, such as Europe/Berlin.")
        ]
    weekly, overrides = availability.weekly, availability.overrides
    for weekday, hours in weekly.items():
        faults = [] if weekday in WEEKDAYS else [Sentence("Must be a weekday, monday to sunday.")]
        errors[f"availability.weekly.{weekday}"] = faults + _faults_of_hours(hours)
    if len(overrides) > MOST_OVERRIDES:
        errors["availability.overrides"] = [
            Sentence("Must have at most {most} dates.", most=MOST_OVERRIDES)
        ]
    for day, hours in overrides.items():
        faults = [] if _is_date(day) else [Sentence("Must be a real date, written as YYYY-MM-DD.")]
        errors[f"availability.overrides.{day}"] = faults + _faults_of_hours(hours)
    return {field: sentences for field, sentences in errors.items() if sentences}


def faults_of_numbers(terms: object, limits: Mapping[str, tuple[int, int]]) -> dict[str, list[str]]:
    """Returns what is wrong with the numbers in these fields of `terms`, by field."""
    return {
        field: [Sentence("Must be between {least} and {most}.", least=least, most=most)]
        for field, (least, most) in limits.items()
        if not least <= getattr(terms, field) <= most
    }


def sorted_availability(availability: Availability) -> Availability:
    """Returns the same availability with weekdays, dates and each day's intervals in order."""
    weekly, overrides = availability.weekly, availability.overrides
    weekdays = sorted(weekly, key=lambda day: (WEEKDAYS.index(day) if day in WEEKDAYS else 7, day))
    return Availability(
        weekly={day: tuple(sorted(weekly[day])) for day in weekdays},
        overrides={day: tuple(sorted(overrides[day])) for day in sorted(overrides)},
    )


@lru_cache(maxsize=1)
def known_time_zones() -> frozenset[str]:
    """Returns the IANA names of all time zones.

    A set of names, because `zoneinfo` would open a file by whatever name it is asked for.
    """
    return frozenset(available_timezones() - {"localtime", "posixrules", "Factory"})


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text) and date.fromisoformat(text))
    except ValueError:
        return False


def _faults_of_hours(hours: Hours) -> list[str]:
    """Returns what is wrong with one day's hours; intervals are numbered in their input order."""
    if len(hours) > MOST_INTERVALS_A_DAY:
        return [Sentence("Must have at most {most} intervals.", most=MOST_INTERVALS_A_DAY)]
    faults: list[str] = []
    proper = []
    for number, (opens, closes) in enumerate(hours, start=1):
        if not (_TIME_OF_DAY.fullmatch(opens) and _TIME_OF_DAY.fullmatch(closes)):
            faults.append(
                Sentence(
                    "Interval {number}: times must be HH:MM, from 00:00 to 24:00.", number=number
                )
            )
        elif closes <= opens:
            faults.append(Sentence("Interval {number} must end after it starts.", number=number))
        else:
            proper.append((opens, closes))
    faults += [
        Sentence(
            "{opens}–{closes} and {next_opens}–{next_closes} must not overlap.",
            opens=TimeOfDay(opens),
            closes=TimeOfDay(closes),
            next_opens=TimeOfDay(next_opens),
            next_closes=TimeOfDay(next_closes),
        )
        for (opens, closes), (next_opens, next_closes) in pairwise(sorted(proper))
        if next_opens < closes
    ]
    return faults


def is_time_zone(name: str) -> bool:
    """Returns True for the IANA name of a time zone."""
    return name in known_time_zones()
