"""The offered slots equal those of a search minute by minute, across zones and clock changes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.availability import is_offered, offered_slots
from domain.booking_rules import (
    WEEKDAYS,
    Availability,
    BookingRules,
    Hours,
)
from domain.slot import Reservation, Slot
from tests.domain.schedules import ALL_DAY, MINUTE, at

ZONES = [
    *("UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin"),
    *("America/New_York", "America/St_Johns", "America/Havana", "America/Sao_Paulo"),
    *("America/Santiago", "America/Nuuk", "America/Caracas", "Africa/Casablanca"),
    *("Africa/Cairo", "Africa/Monrovia", "Asia/Kolkata", "Asia/Kathmandu"),
    *("Asia/Tehran", "Asia/Beirut", "Asia/Gaza", "Asia/Pyongyang"),
    *("Australia/Lord_Howe", "Australia/Sydney", "Australia/Eucla", "Pacific/Apia"),
    *("Pacific/Chatham", "Pacific/Auckland", "Atlantic/Azores", "Antarctica/Troll"),
]


@cache
def days_of_clock_changes(zone: str) -> list[date]:
    """The UTC days since 2005, and of 1972, in which the offset changes; or any day."""
    tz = ZoneInfo(zone)
    found = [date(2026, 5, 4)]
    for first, length in ((at("1972-01-01"), 30), (at("2005-01-01"), 9500)):
        midnights = [(first + timedelta(days=n)).astimezone(tz) for n in range(length)]
        found += [
            (midnight.astimezone(UTC)).date()
            for midnight, following in pairwise(midnights)
            if midnight.utcoffset() != following.utcoffset()
        ]
    return found[1:] or found


@dataclass(frozen=True)
class Scene:
    rules: BookingRules
    now: datetime
    since: datetime
    until: datetime
    busy: list[Reservation]


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def hours_of_a_day(draw: st.DrawFn) -> Hours:
    telling = st.sampled_from([0, 1, 30, 60, 90, 120, 150, 180, 240, 540, 1320, 1380, 1410, 1440])
    cuts = sorted(draw(st.sets(telling | st.integers(0, 1440), max_size=6)))
    gaps = [(clock(a), clock(b)) for a, b in pairwise(cuts)]
    return tuple(gap for gap in gaps if draw(st.integers(0, 3)))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    def minutes(least: int, most: int) -> timedelta:
        return draw(st.integers(least, most)) * MINUTE + timedelta(
            seconds=draw(st.sampled_from([0, 0, 0, 1, 59]))
        )

    zone = draw(st.sampled_from(ZONES))
    day = draw(st.sampled_from(days_of_clock_changes(zone)))
    since = datetime(day.year, day.month, day.day, tzinfo=UTC) + minutes(-1440, 1200)
    until = since + minutes(0, 2000)
    hours = st.just(ALL_DAY) | hours_of_a_day()
    few = draw(st.lists(hours, min_size=1, max_size=3))
    weekly = {name: few[n % len(few)] for n, name in enumerate(WEEKDAYS)}
    near = st.integers(-1, 2).map(lambda n: f"{day + timedelta(days=n)}")
    overrides = draw(st.dictionaries(near, hours, max_size=2))
    length = st.sampled_from([1, 15, 30, 60, 90, 1440]) | st.integers(1, 300)
    buffer = st.just(0) | st.integers(0, 120)
    calendar = BookingRules(
        zone,
        duration_minutes=draw(length),
        availability=Availability(weekly, overrides),
        start_increment_minutes=draw(length),
        buffer_before_minutes=draw(buffer),
        buffer_after_minutes=draw(buffer),
        minimum_notice_minutes=draw(st.just(0) | st.integers(0, 2000)),
        booking_window_days=draw(st.integers(1, 5)),
    )
    busy = []
    for _ in range(draw(st.integers(0, 5))):
        start = since + minutes(-200, 2000)
        slot = Slot(start, start + minutes(1, 200))
        busy.append(Reservation(slot, minutes(0, 90), draw(buffer) * MINUTE))
    now = since - minutes(-600, 3 * 1440)
    shown = draw(st.sampled_from([UTC, ZoneInfo(zone)]))
    return Scene(calendar, now, since.astimezone(shown), until.astimezone(shown), busy)


def meet(start: datetime, end: datetime, other_start: datetime, other_end: datetime) -> bool:
    return start < other_end and other_start < end


def minute_by_minute(scene: Scene) -> list[Slot]:
    """Finds the offered slots by checking each minute against the definition."""
    calendar = scene.rules
    zone = ZoneInfo(calendar.time_zone)
    length = calendar.duration_minutes * MINUTE
    before = calendar.buffer_before_minutes * MINUTE
    after = calendar.buffer_after_minutes * MINUTE

    first = scene.since.astimezone(UTC).replace(second=0, microsecond=0)

    @cache
    def interval_at(minute: int) -> tuple[date, int] | None:
        """The local date, and the minutes since its interval began; None when closed."""
        wall = (first + minute * MINUTE).astimezone(zone)
        hours = calendar.availability.overrides.get(f"{wall.date()}")
        if hours is None:
            hours = calendar.availability.weekly[WEEKDAYS[wall.weekday()]]
        shown = wall.hour * 60 + wall.minute
        for opens, closes in hours:
            begin, end = (int(text[:2]) * 60 + int(text[3:]) for text in (opens, closes))
            if begin <= shown < end:
                return wall.date(), shown - begin
        return None

    def offered(minute: int) -> bool:
        interval = interval_at(minute)
        if interval is None or interval[1] % calendar.start_increment_minutes:
            return False
        start = first + minute * MINUTE
        if not scene.since <= start < scene.until:
            return False
        window = timedelta(days=calendar.booking_window_days)
        if interval[0] > scene.now.astimezone(zone).date() + window:
            return False
        if start < scene.now + calendar.minimum_notice_minutes * MINUTE:
            return False
        if any(interval_at(minute + n) is None for n in range(length // MINUTE)):
            return False
        end = start + length
        return not any(
            meet(start - before, end + after, taken.slot.start, taken.slot.end)
            or meet(
                taken.slot.start - taken.buffer_before,
                taken.slot.end + taken.buffer_after,
                start,
                end,
            )
            for taken in scene.busy
        )

    last = (scene.until - first) // MINUTE
    offers = [first + n * MINUTE for n in range(last + 1) if offered(n)]
    return [Slot(start, start + length) for start in offers]


@settings(deadline=None, max_examples=400)
@given(scenes())
def test_the_offered_slots_equal_those_of_a_minute_by_minute_search(scene: Scene) -> None:
    slots = offered_slots(
        scene.rules, now=scene.now, since=scene.since, until=scene.until, busy=scene.busy
    )
    assert slots == minute_by_minute(scene)


@settings(deadline=None, max_examples=100)
@given(scenes())
def test_a_slot_is_offered_exactly_when_it_is_among_the_offered_slots(scene: Scene) -> None:
    since, until = scene.since.astimezone(UTC), scene.until.astimezone(UTC)
    slots = offered_slots(scene.rules, now=scene.now, since=since, until=until)
    assert all(is_offered(scene.rules, slot, now=scene.now) for slot in slots[:20])
    whole = since.replace(second=0) + MINUTE
    for n in range(0, max(0, (until - whole) // MINUTE), 37):
        slot = scene.rules.slot_at(whole + n * MINUTE)
        assert is_offered(scene.rules, slot, now=scene.now) is (slot in slots)
