"""Time that an owner blocks in a calendar's hours, and the wall clock that it is read from."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.availability import open_times
from domain.blocked_time import closed_during, opened_again
from domain.booking_rules import WEEKDAYS, Availability, Hours
from domain.slot import Slot
from domain.wall_clock import time_of_day, wall_clock_spans
from tests.domain.schedules import MINUTE, at

BERLIN = "Europe/Berlin"
OFFICE = Availability(dict.fromkeys(WEEKDAYS, (("09:00", "12:00"), ("13:00", "17:00"))), {})


def spans(start: str, end: str, zone: str = BERLIN) -> list[str]:
    """The wall clock during a slot, such as 25 02:00-03:00: day of the month and times."""
    return [
        f"{span.day.day} {time_of_day(span.begins)}-{time_of_day(span.ends)}"
        for span in wall_clock_spans(Slot(at(start), at(end)), zone)
    ]


def closed(start: str, end: str, availability: Availability = OFFICE) -> dict[str, Hours]:
    """The overrides after a slot was blocked in Berlin."""
    return closed_during(availability, BERLIN, Slot(at(start), at(end))).overrides


def test_the_wall_clock_is_cut_at_midnight_and_where_clocks_change() -> None:
    assert spans("2026-11-24T08:00", "2026-11-24T09:30") == ["24 09:00-10:30"]
    assert spans("2026-11-24T22:30", "2026-11-25T00:00") == ["24 23:30-24:00", "25 00:00-01:00"]
    # 02:30 to 02:15, when the hour from two to three comes twice
    assert spans("2026-10-25T00:30", "2026-10-25T01:15") == ["25 02:30-03:00", "25 02:00-02:15"]
    # 01:30 to 03:30, when it does not come at all
    assert spans("2026-03-29T00:30", "2026-03-29T01:30") == ["29 01:30-02:00", "29 03:00-03:30"]
    # Samoa had no 30 December 2011
    assert spans("2011-12-30T09:00", "2011-12-30T11:00", "Pacific/Apia") == [
        "29 23:00-24:00",
        "31 00:00-01:00",
    ]


def test_blocked_time_is_taken_out_of_the_hours_of_its_date() -> None:
    assert closed("2026-11-24T09:30", "2026-11-24T13:00") == {
        "2026-11-24": (("09:00", "10:30"), ("14:00", "17:00"))
    }
    assert closed("2026-11-24T00:00", "2026-11-24T20:00") == {"2026-11-24": ()}


def test_a_date_that_was_not_open_then_gets_no_override() -> None:
    assert closed("2026-11-24T17:00", "2026-11-25T07:00") == {}


def test_blocking_both_of_two_touching_intervals_keeps_the_grid_of_the_rest() -> None:
    touching = Availability({"tuesday": (("09:00", "10:30"), ("10:30", "12:00"))}, {})
    assert closed("2026-11-24T10:30", "2026-11-24T11:00", touching) == {
        "2026-11-24": (("09:00", "10:30"), ("10:30", "11:30"))
    }


def test_opening_again_restores_weekly_hours_and_drops_what_is_no_longer_needed() -> None:
    day_off = Availability(OFFICE.weekly, {"2026-11-24": ()})
    morning = opened_again(day_off, BERLIN, Slot(at("2026-11-24T07:00"), at("2026-11-24T11:30")))
    assert morning.overrides == {"2026-11-24": (("09:00", "12:00"),)}
    afternoon = opened_again(morning, BERLIN, Slot(at("2026-11-24T11:00"), at("2026-11-24T18:00")))
    assert afternoon == OFFICE


@st.composite
def _slots(draw: st.DrawFn) -> Slot:
    """Slots around both clock changes of 2026 and between."""
    around = draw(st.sampled_from(["2026-03-28", "2026-06-03", "2026-10-24"]))
    start = datetime.fromisoformat(around).replace(tzinfo=UTC)
    start += draw(st.integers(0, 3 * 1440)) * MINUTE
    return Slot(start, start + draw(st.integers(1, 2000)) * MINUTE)


@given(_slots(), st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe"]))
@settings(deadline=None, max_examples=60)
def test_nothing_is_open_in_blocked_time_and_opening_again_undoes_it(slot: Slot, zone: str) -> None:
    blocked = closed_during(OFFICE, zone, slot)
    wide = {"since": slot.start - timedelta(days=2), "until": slot.end + timedelta(days=2)}
    assert not any(time.overlaps(slot) for time in open_times(blocked, zone, **wide))
    assert opened_again(blocked, zone, slot) == OFFICE
    dates = {span.day.isoformat() for span in wall_clock_spans(slot, zone)}
    assert blocked.overrides.keys() <= dates
