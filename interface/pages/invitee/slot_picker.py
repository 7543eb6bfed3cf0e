"""The days and times that an invitee can choose from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.slot import Slot
from interface.pages.shared.i18n import locale, offset_text, time_text
from interface.web.invitation import Invitation
from interface.web.request_context import services

PAGE = timedelta(days=28)
_DAY = timedelta(days=1)
# How far around a time that was lost others are looked for, and how many are offered.
_AROUND = timedelta(days=14)
_MOST_NEAR = 6


@dataclass(frozen=True)
class Day:
    """A day of the page, and how many free times it has."""

    day: date
    free: int


@dataclass(frozen=True)
class Chooser:
    """Four weeks of days, and the free slots of the one that is chosen."""

    days: Sequence[Day]
    chosen: date | None
    slots: Sequence[Slot]
    earlier: date | None
    later: date | None
    next_free: Slot | None

    @property
    def first(self) -> date:
        """The first day of the page."""
        return self.days[0].day

    @property
    def last(self) -> date:
        """The last day of the page."""
        return self.days[-1].day

    @property
    def has_free_days(self) -> bool:
        """Whether anything can be chosen on this page."""
        return any(day.free for day in self.days)


def chooser(
    invited: Invitation, *, time_zone: str, page_from: date | None, chosen: date | None
) -> Chooser:
    """The page that holds `page_from`, or `chosen`, or else the first free time there is.

    Days are those of `time_zone`. Without a choice the first free day of the page is chosen.
    """
    today = local_day(services().now(), time_zone)
    window = timedelta(days=invited.calendar.terms.rules.booking_window_days)
    last_page = _week_of(today + window)
    anchor = page_from or chosen
    first = min(max(_week_of(anchor or today), _week_of(today)), last_page)
    slots = _slots(invited, first, today, time_zone)
    next_free = slots[0] if slots else None
    if next_free is None:
        since = today if anchor is None else first + PAGE
        next_free = invited.open_slots.first_from(since, time_zone)
    if next_free and anchor is None and _week_of(local_day(next_free.start, time_zone)) > first:
        first = _week_of(local_day(next_free.start, time_zone))
        slots = _slots(invited, first, today, time_zone)
    by_day = [local_day(slot.start, time_zone) for slot in slots]
    count = Counter(by_day)
    page = [Day(first + n * _DAY, count[first + n * _DAY]) for n in range(PAGE.days)]
    if chosen is None or not first <= chosen < first + PAGE:
        chosen = by_day[0] if by_day else None
    return Chooser(
        days=page,
        chosen=chosen,
        slots=[slot for slot, day in zip(slots, by_day, strict=True) if day == chosen],
        earlier=max(first - PAGE, _week_of(today)) if first > _week_of(today) else None,
        later=first + PAGE if first + PAGE <= today + window else None,
        next_free=next_free,
    )


def is_free(invited: Invitation, start: datetime, *, time_zone: str) -> Slot | None:
    """The free slot that begins at `start`, if there is one."""
    day = local_day(start, time_zone)
    slots = invited.open_slots.on_days(day, day, time_zone)
    return next((slot for slot in slots if slot.start == start), None)


def nearest_slots(invited: Invitation, lost: datetime | None, *, time_zone: str) -> list[Slot]:
    """Some free slots nearest to a time that was lost, by start. Without one: the first ones."""
    now = services().now()
    near = max(lost or now, now)
    first, last = (
        local_day(moment, time_zone) for moment in (max(near - _AROUND, now), near + _AROUND)
    )
    slots = invited.open_slots.on_days(first, last, time_zone)
    if not slots:
        found = invited.open_slots.first_from(last, time_zone)
        slots = [found] if found else []
    others = [slot for slot in slots if slot.start != lost]
    nearest = sorted(others, key=lambda slot: abs(slot.start - near))[:_MOST_NEAR]
    return sorted(nearest, key=lambda slot: slot.start)


def local_day(moment: datetime, time_zone: str) -> date:
    """The date in `time_zone`."""
    return moment.astimezone(ZoneInfo(time_zone)).date()


def time_labels(slots: Sequence[Slot], time_zone: str) -> dict[Slot, str]:
    """The wall clock of each start; with its offset where a clock change shows one twice."""
    labels = {slot: time_text(slot.start, time_zone) for slot in slots}
    times = Counter(labels.values())
    return {
        slot: f"{label} ({offset_text(slot.start, time_zone)})" if times[label] > 1 else label
        for slot, label in labels.items()
    }


def _slots(invited: Invitation, first: date, today: date, time_zone: str) -> list[Slot]:
    last = first + PAGE - _DAY
    return invited.open_slots.on_days(max(first, today), last, time_zone)


def _week_of(day: date) -> date:
    """The day on which the reader's week with that day begins."""
    return day - timedelta(days=(day.weekday() - locale().first_week_day) % 7)
