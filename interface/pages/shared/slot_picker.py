"""The days and times that an invitee can choose from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from domain.availability import SlotsOfSpan
from domain.slot import Slot
from interface.i18n import local_day, offset_text, time_text, week_start
from projections.open_slots import OpenSlots

_DAY = timedelta(days=1)
_PAGE_DAYS = 28
_PAGE_LENGTH = timedelta(days=_PAGE_DAYS)
# Other times are searched near a lost one first, then farther away, and at most six are offered.
_SEARCH_RADII = (_DAY, timedelta(days=14))
_MOST_OFFERS = 6


@dataclass(frozen=True)
class Day:
    """A day of the page, and how many free times it has."""

    day: date
    free: int


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
        days=[Day(day, found.count) for day, found in page.items()],
        chosen=chosen,
        slots=page[chosen].first() if chosen else [],
        earlier=max(first - _PAGE_LENGTH, week_start(today)) if first > week_start(today) else None,
        later=first + _PAGE_LENGTH if first + _PAGE_LENGTH <= today + window else None,
        next_free=next_free,
    )


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
    """Returns the wall-clock time of each start, with its offset where two would look the same.

    That happens on the day on which clocks are set back.
    """
    labels = {slot: time_text(slot.start, time_zone) for slot in slots}
    times = Counter(labels.values())
    return {
        slot: f"{label} ({offset_text(slot.start, time_zone)})" if times[label] > 1 else label
        for slot, label in labels.items()
    }


def _first_slot(page: dict[date, SlotsOfSpan]) -> Slot | None:
    return next((slot for found in page.values() for slot in found.first(1)), None)
