"""The days and times that an invitee can choose from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.availability import SlotsOfSpan
from domain.slot import Slot
from interface.i18n import (
    free_day_text,
    local_day,
    short_day_text,
    time_text,
    week_start,
    weekday_text,
)
from projections.open_slots import OpenSlots

_DAY = timedelta(days=1)
_PAGE_DAYS = 28
_PAGE_LENGTH = timedelta(days=_PAGE_DAYS)
# Other times are searched near a lost one first, then farther away, and at most six are offered.
_SEARCH_RADII = (_DAY, timedelta(days=14))
_MOST_OFFERS = 6


@dataclass(frozen=True)
class Day:
    """A day of the page, and when its free times start, in minutes since 1970."""

    day: date
    starts: Sequence[int]

    @property
    def free(self) -> int:
        """The number of free times."""
        return len(self.starts)


@dataclass(frozen=True)
class SlotPicker:
    """Four weeks of days, and the free slots of the chosen day.

    `earlier` and `later` are the first days of the neighbouring pages, where there are any.
    `next_free` is the first free slot on the page, or after it if the page has none.
    """

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
        """Returns True if any day of the page has a free time."""
        return any(day.free for day in self.days)


def pick_slot(
    open_slots: OpenSlots, *, time_zone: str, page_from: date | None, chosen: date | None
) -> SlotPicker:
    """Returns the page that contains `page_from`, else `chosen`, else the first free slot.

    Days are those of `time_zone`. Without a chosen day, the first free one of the page is chosen.
    """
    today = local_day(open_slots.now, time_zone)
    window = timedelta(days=open_slots.rules.booking_window_days)
    last_page = week_start(today + window)
    anchor = page_from or chosen
    first = min(max(week_start(anchor or today), week_start(today)), last_page)
    page = open_slots.by_day(first, _PAGE_DAYS, time_zone)
    next_free = _first_slot(page)
    if next_free is None:
        since = today if anchor is None else first + _PAGE_LENGTH
        next_free = open_slots.first_from(since, time_zone)
    if next_free and anchor is None and week_start(local_day(next_free.start, time_zone)) > first:
        first = week_start(local_day(next_free.start, time_zone))
        page = open_slots.by_day(first, _PAGE_DAYS, time_zone)
    if chosen is None or not first <= chosen < first + _PAGE_LENGTH:
        chosen = next((day for day, found in page.items() if found.count), None)
    return SlotPicker(
        days=[Day(day, found.starts) for day, found in page.items()],
        chosen=chosen,
        slots=page[chosen].first() if chosen else [],
        earlier=max(first - _PAGE_LENGTH, week_start(today)) if first > week_start(today) else None,
        later=first + _PAGE_LENGTH if first + _PAGE_LENGTH <= today + window else None,
        next_free=next_free,
    )


class DayCell(NamedTuple):
    """A day as the page shows it. `label` names it and its free times; None if it has none."""

    day: date
    number: str
    label: str | None
    is_chosen: bool


def day_cells(picker: SlotPicker) -> list[DayCell]:
    """Returns the days of the page. The first one, and the first of a month, name the month."""
    return [
        DayCell(
            day.day,
            str(day.day.day) if day.day.day > 1 and place else short_day_text(day.day),
            free_day_text(day.day, len(day.starts)) if day.starts else None,
            day.day == picker.chosen,
        )
        for place, day in enumerate(picker.days)
    ]


def free_slot(open_slots: OpenSlots, start: datetime, *, time_zone: str) -> Slot | None:
    """Returns the free slot that begins at `start`, or None."""
    day = local_day(start, time_zone)
    slots = open_slots.on_days(day, day, time_zone)
    return next((slot for slot in slots if slot.start == start), None)


def nearest_slots(open_slots: OpenSlots, lost: datetime | None, *, time_zone: str) -> list[Slot]:
    """Returns up to six free slots nearest to a lost time, by start; without one, the first six."""
    now = open_slots.now
    target = max(lost or now, now)
    nearest: list[Slot] = []
    for radius in _SEARCH_RADII:
        first, last = (
            local_day(moment, time_zone) for moment in (max(target - radius, now), target + radius)
        )
        slots = open_slots.on_days(first, last, time_zone)
        if not slots and radius == _SEARCH_RADII[-1]:
            later = open_slots.first_from(last, time_zone)
            slots = [later] if later else []
        others = [slot for slot in slots if slot.start != lost]
        nearest = sorted(others, key=lambda slot: abs(slot.start - target))[:_MOST_OFFERS]
        # The days reach beyond the radius, but not as far on both sides.
        if len(nearest) == _MOST_OFFERS and abs(nearest[-1].start - target) <= radius:
            break
    return sorted(nearest, key=lambda slot: slot.start)


def time_labels(slots: Sequence[Slot], time_zone: str) -> dict[Slot, str]:
    """Returns the time of each start by the clock of the zone."""
    return {slot: time_text(slot.start, time_zone) for slot in slots}


def host_labels(slots: Sequence[Slot], *, time_zone: str, host_zone: str) -> dict[Slot, str]:
    """Returns the time of each start in the host's zone; none at all if no clock differs.

    A time has the weekday before it where that differs as well.
    """
    if time_zone == host_zone:
        return {}
    here, there = ZoneInfo(time_zone), ZoneInfo(host_zone)
    labels, differs = {}, False
    for slot in slots:
        own, theirs = slot.start.astimezone(here), slot.start.astimezone(there)
        differs = differs or own.utcoffset() != theirs.utcoffset()
        label = time_text(slot.start, host_zone)
        is_same_day = own.day == theirs.day
        labels[slot] = label if is_same_day else f"{weekday_text(theirs.date())} {label}"
    return labels if differs else {}


def packed_starts(picker: SlotPicker) -> str:
    """Returns the starts of all slots of the page as distances in minutes, the first since 1970.

    `30*15` stands for fifteen times 30, which is short to send and quick to unpack in a browser.
    """
    parts: list[str] = []
    before, step, times = 0, 0, 0
    for day in picker.days:
        for start in day.starts:
            if start - before == step:
                times += 1
            else:
                parts.append(f"{step}*{times}")
                step, times = start - before, 1
            before = start
    return ",".join([*parts[1:], f"{step}*{times}"]) if before else ""


def _first_slot(page: dict[date, SlotsOfSpan]) -> Slot | None:
    return next((slot for found in page.values() for slot in found.first(1)), None)
