"""The slots that a calendar offers, by example."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.availability import is_offered, offered_slots
from domain.booking_rules import (
    Availability,
    Hours,
)
from domain.errors import SlotNotOffered
from domain.slot import Reservation, Slot
from tests.domain.schedules import ALL_DAY, FAR_AHEAD, LONG_AGO, MINUTE, at, reserved, rules, starts


def test_each_interval_of_a_day_has_its_own_grid() -> None:
    calendar = rules(("13:30", "15:45"), ("09:00", "11:00"))
    assert starts(calendar, "2026-05-04") == ["09:00", "10:00", "13:30", "14:30"]


def test_only_the_weekdays_with_hours_are_open() -> None:
    calendar = replace(rules(), availability=Availability({"tuesday": (("09:00", "10:00"),)}, {}))
    assert starts(calendar, "2026-05-04") == []
    assert starts(calendar, "2026-05-05") == ["09:00"]


def test_an_override_replaces_the_hours_of_its_date_alone() -> None:
    overrides: dict[str, Hours] = {"2026-12-24": (), "2026-12-25": (("20:00", "21:00"),)}
    calendar = rules(("09:00", "10:00"), overrides=overrides)
    assert starts(calendar, "2026-12-23") == ["09:00"]
    assert starts(calendar, "2026-12-24") == []
    assert starts(calendar, "2026-12-25") == ["20:00"]


def test_starts_may_be_closer_together_or_further_apart_than_the_slots_are_long() -> None:
    closer = rules(("09:00", "10:30"), start_increment_minutes=15)
    assert starts(closer, "2026-05-04") == ["09:00", "09:15", "09:30"]
    apart = rules(("09:00", "12:00"), duration_minutes=20, start_increment_minutes=75)
    assert starts(apart, "2026-05-04") == ["09:00", "10:15", "11:30"]


def test_slots_run_to_midnight_but_not_across_it_into_closed_hours() -> None:
    calendar = rules(("22:30", "24:00"), start_increment_minutes=30)
    assert starts(calendar, "2026-05-04") == ["22:30", "23:00"]


def test_slots_run_across_midnight_when_the_hours_of_both_days_touch_there() -> None:
    calendar = rules(("23:00", "24:00"), ("00:00", "00:30"), start_increment_minutes=30)
    assert starts(calendar, "2026-05-04") == ["23:00", "23:30"]


def test_slots_span_intervals_that_touch_and_each_interval_keeps_its_grid() -> None:
    calendar = rules(("09:00", "10:30"), ("10:30", "12:00"))
    assert starts(calendar, "2026-05-04") == ["09:00", "10:00", "10:30"]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Asia/Kolkata", "2026-05-04T03:30"),
        ("Asia/Kathmandu", "2026-05-04T03:15"),
        ("Australia/Eucla", "2026-05-04T00:15"),
        ("America/St_Johns", "2026-05-04T11:30"),
    ],
)
def test_hours_are_those_of_the_calendars_zone(zone: str, first: str) -> None:
    calendar = rules(("09:00", "10:00"), zone=zone)
    slots = offered_slots(
        calendar, now=at("2026-05-03"), since=at("2026-05-04"), until=at("2026-05-05")
    )
    assert slots == [Slot(at(first), at(first) + timedelta(hours=1))]


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Berlin", "2026-03-29", "01:00 01:30 03:00 03:30"),
        ("Europe/Berlin", "2026-10-25", "01:00 01:30 02:00 02:30 02:00 02:30 03:00 03:30"),
        ("America/New_York", "2026-03-08", "01:00 01:30 03:00 03:30"),
        ("America/New_York", "2026-11-01", "01:00 01:30 01:00 01:30 02:00 02:30 03:00 03:30"),
        ("Australia/Lord_Howe", "2026-10-04", "01:00 01:30 02:30 03:00 03:30"),
        ("Australia/Lord_Howe", "2026-04-05", "01:00 01:30 01:30 02:00 02:30 03:00 03:30"),
    ],
)
def test_skipped_local_times_are_not_offered_and_repeated_ones_are_two_instants(
    zone: str, day: str, expected: str
) -> None:
    calendar = rules(("01:00", "04:00"), zone=zone, duration_minutes=30, start_increment_minutes=30)
    assert starts(calendar, day) == expected.split()


def test_a_date_that_a_zone_skipped_has_no_slots() -> None:
    calendar = rules(("09:00", "10:00"), zone="Pacific/Apia")
    slots = offered_slots(
        calendar, now=at("2011-12-29"), since=at("2011-12-29"), until=at("2012-01-01")
    )
    assert [slot.start for slot in slots] == [
        at("2011-12-29T19:00"),
        at("2011-12-30T19:00"),
        at("2011-12-31T19:00"),
    ]


def test_a_slot_that_runs_through_a_clock_change_keeps_its_true_length() -> None:
    calendar = rules(("01:00", "04:00"), zone="Europe/Berlin", duration_minutes=120)
    assert starts(calendar, "2026-03-29") == ["01:00"]
    assert starts(calendar, "2026-10-25") == ["01:00", "02:00", "02:00"]


@pytest.mark.parametrize(
    ("busy", "expected"),
    [
        (reserved("2026-05-04T10:00", "2026-05-04T11:00"), "08:00 09:00 11:00 12:00"),
        (reserved("2026-05-04T09:59:59", "2026-05-04T11:00:01"), "08:00 12:00"),
        (reserved("2026-05-04T10:00", "2026-05-04T11:00", before=1), "08:00 11:00 12:00"),
        (reserved("2026-05-04T10:00", "2026-05-04T11:00", after=1), "08:00 09:00 12:00"),
        (reserved("2026-05-04T10:00", "2026-05-04T11:00", 120, 120), ""),
        (reserved("2026-05-03T00:00", "2026-05-05T00:00"), ""),
    ],
)
def test_slots_keep_clear_of_what_is_reserved_and_of_its_buffers(
    busy: Reservation, expected: str
) -> None:
    assert starts(rules(("08:00", "13:00")), "2026-05-04", busy=[busy]) == expected.split()


def test_the_calendars_own_buffers_keep_its_slots_clear_of_what_is_reserved() -> None:
    busy = [reserved("2026-05-04T10:00", "2026-05-04T11:00")]
    before = rules(("08:00", "13:00"), buffer_before_minutes=1)
    assert starts(before, "2026-05-04", busy=busy) == ["08:00", "09:00", "12:00"]
    after = rules(("08:00", "13:00"), buffer_after_minutes=1)
    assert starts(after, "2026-05-04", busy=busy) == ["08:00", "11:00", "12:00"]


def test_the_buffers_of_neighbours_share_the_gap_between_them() -> None:
    calendar = rules(
        ("08:00", "10:00"), duration_minutes=30, start_increment_minutes=15, buffer_after_minutes=15
    )
    busy = [reserved("2026-05-04T09:30", "2026-05-04T10:00", before=30)]
    assert starts(calendar, "2026-05-04", busy=busy) == ["08:00", "08:15", "08:30"]


def test_buffers_may_reach_into_closed_hours() -> None:
    calendar = rules(("09:00", "10:00"), buffer_before_minutes=600, buffer_after_minutes=600)
    assert starts(calendar, "2026-05-04") == ["09:00"]


def test_the_minimum_notice_is_kept_to_the_microsecond() -> None:
    calendar = rules(("09:00", "11:00"), minimum_notice_minutes=60)
    now, nine, ten = at("2026-05-04T08:00"), at("2026-05-04T09:00"), at("2026-05-04T10:00")
    assert is_offered(calendar, calendar.slot_at(nine), now=now)
    later = now + timedelta(microseconds=1)
    assert not is_offered(calendar, calendar.slot_at(nine), now=later)
    assert is_offered(calendar, calendar.slot_at(ten), now=later)


def test_the_booking_window_ends_with_a_local_date() -> None:
    calendar = rules(*ALL_DAY, zone="Pacific/Auckland", booking_window_days=2)
    now = at("2026-05-04T11:59")  # 23:59 in Auckland
    slots = offered_slots(calendar, now=now, since=LONG_AGO, until=FAR_AHEAD)
    assert (slots[0].start, slots[-1].start) == (at("2026-05-04T12:00"), at("2026-05-06T11:00"))
    slots = offered_slots(calendar, now=now + MINUTE, since=LONG_AGO, until=FAR_AHEAD)
    assert slots[-1].start == at("2026-05-07T11:00")


@pytest.mark.parametrize(
    ("zone", "last"),
    [("Pacific/Pago_Pago", "2026-05-06T10:00"), ("Pacific/Kiritimati", "2026-05-06T09:00")],
)
def test_the_last_day_is_offered_to_its_end_however_far_from_utc(zone: str, last: str) -> None:
    calendar = rules(*ALL_DAY, zone=zone, booking_window_days=1)
    slots = offered_slots(calendar, now=at("2026-05-04T12:00"), since=LONG_AGO, until=FAR_AHEAD)
    assert slots[-1].start == at(last)


def test_nothing_is_offered_when_the_notice_is_longer_than_the_booking_window() -> None:
    calendar = rules(*ALL_DAY, minimum_notice_minutes=10_000, booking_window_days=1)
    for since in (LONG_AGO, at("2026-05-04"), at("2026-05-12"), FAR_AHEAD):
        for until in (LONG_AGO, at("2026-05-04"), at("2026-05-12"), FAR_AHEAD):
            assert offered_slots(calendar, now=at("2026-05-04"), since=since, until=until) == []


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Berlin"])
def test_the_first_and_last_instants_there_are_cause_no_error(zone: str) -> None:
    calendar, now = rules(*ALL_DAY, zone=zone, booking_window_days=365), at("2026-05-04")
    for tz in (UTC, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago")):
        first, last = datetime.min.replace(tzinfo=tz), datetime.max.replace(tzinfo=tz)
        assert len(offered_slots(calendar, now=now, since=first, until=last)) > 8000
        assert offered_slots(calendar, now=now, since=last, until=first) == []
    busy = Reservation(Slot(LONG_AGO, FAR_AHEAD), timedelta(days=1), timedelta(days=1))
    assert offered_slots(calendar, now=now, since=LONG_AGO, until=FAR_AHEAD, busy=[busy]) == []
    hour = timedelta(hours=1)
    for slot in (Slot(LONG_AGO, LONG_AGO + hour), Slot(FAR_AHEAD - hour, FAR_AHEAD)):
        assert not is_offered(calendar, slot, now=now)


def test_a_range_across_the_hour_that_occurs_twice_is_taken_as_instants() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    since = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    until = datetime(2026, 10, 25, 2, 15, tzinfo=berlin, fold=1)
    calendar = rules(*ALL_DAY, zone="Europe/Berlin")
    slots = offered_slots(calendar, now=at("2026-10-24"), since=since, until=until)
    assert [slot.start for slot in slots] == [at("2026-10-25T01:00")]


def test_only_the_calendars_duration_on_a_whole_minute_of_its_grid_is_offered() -> None:
    calendar, nine, now = rules(("09:00", "17:00")), at("2026-05-04T09:00"), at("2026-05-03")
    assert is_offered(calendar, calendar.slot_at(nine), now=now)
    for start in (nine + MINUTE, nine + timedelta(seconds=1), nine + timedelta(microseconds=1)):
        assert not is_offered(calendar, calendar.slot_at(start), now=now)
    assert not is_offered(calendar, Slot(nine, nine + 2 * timedelta(hours=1)), now=now)
    assert not is_offered(calendar, Slot(nine, nine + 30 * MINUTE), now=now)


def test_a_slot_starts_at_an_instant_of_any_zone() -> None:
    start = datetime(2026, 3, 29, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert rules().slot_at(start) == Slot(at("2026-03-29T00:30"), at("2026-03-29T01:30"))
    with pytest.raises(ValueError, match="time zone"):
        rules().slot_at(start.replace(tzinfo=None))
    for beyond in (FAR_AHEAD, datetime.min.replace(tzinfo=ZoneInfo("Asia/Tokyo"))):
        with pytest.raises(SlotNotOffered):
            rules().slot_at(beyond)
