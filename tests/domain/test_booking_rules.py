"""The booking rules that are accepted, and those that are refused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from domain.booking_rules import (
    Availability,
    BookingRules,
    Hours,
    check_rules,
    sorted_availability,
)
from domain.errors import Invalid
from tests.domain.schedules import ALL_DAY, at, reserved, rules


def test_a_reservation_carries_the_calendars_buffers() -> None:
    calendar = rules(buffer_before_minutes=5, buffer_after_minutes=10)
    expected = reserved("2026-05-04T09:00", "2026-05-04T10:00", before=5, after=10)
    assert calendar.reservation(calendar.slot_at(at("2026-05-04T09:00"))) == expected


def test_sorted_availability_puts_weekdays_dates_and_intervals_in_order() -> None:
    late_first: Hours = (("13:00", "17:00"), ("09:00", "12:00"))
    given_order = Availability(
        {"sunday": (), "monday": late_first}, {"2027-01-01": (), "2026-12-24": late_first}
    )
    ordered = sorted_availability(given_order)
    assert list(ordered.weekly.items()) == [("monday", late_first[::-1]), ("sunday", ())]
    assert list(ordered.overrides.items()) == [
        ("2026-12-24", late_first[::-1]),
        ("2027-01-01", ()),
    ]


def faults(calendar: BookingRules) -> dict[str, Sequence[str]]:
    with pytest.raises(Invalid) as refusal:
        check_rules(calendar)
    return dict(refusal.value.errors)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"])
def test_iana_zones_are_accepted(zone: str) -> None:
    check_rules(rules(zone=zone))


@pytest.mark.parametrize(
    "zone",
    [
        *("", ".", "../x", "/etc/passwd", "Europe", "europe/berlin", "Europe/Berlin\0", " UTC"),
        *("localtime", "posixrules", "Factory", "right/UTC", "posix/UTC", "UTC\n", "Mars/X"),
        *("\ud800", "x" * 10_000),
    ],
)
def test_anything_but_an_iana_zone_is_refused(zone: str) -> None:
    assert list(faults(rules(zone=zone))) == ["time_zone"]


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("duration_minutes", 1, 1440),
        ("start_increment_minutes", 1, 1440),
        ("buffer_before_minutes", 0, 1440),
        ("buffer_after_minutes", 0, 1440),
        ("minimum_notice_minutes", 0, 525600),
        ("booking_window_days", 1, 365),
    ],
)
def test_each_number_has_a_lower_and_an_upper_limit(field: str, least: int, most: int) -> None:
    def having(value: int) -> BookingRules:
        terms: dict[str, Any] = {field: value}
        return rules(**terms)

    for value in (least, most):
        check_rules(having(value))
    for value in (least - 1, most + 1):
        assert faults(having(value)) == {field: [f"Must be between {least} and {most}."]}


GOOD_HOURS: list[Hours] = [
    (),
    ALL_DAY,
    (("00:00", "00:01"), ("23:59", "24:00")),
    (("12:00", "13:00"), ("09:00", "12:00")),
    tuple((f"{n // 2:02}:{n % 2 * 30:02}", f"{n // 2:02}:{n % 2 * 30 + 29:02}") for n in range(48)),
]
BAD_HOURS: list[tuple[Hours, str]] = [
    *[
        ((("08:00", text),), "Interval 1: times")
        for text in ("24:01", "9:00", "25:00", "12:60", "")
    ],
    *[((("08:00", text),), "Interval 1: times") for text in ("09:00 ", "09:00\n", "٠٩:٠٠", "0900")],
    ((("08:00", "09:00"), ("-1:00", "10:00")), "Interval 2: times"),
    ((("09:00", "09:00"),), "Interval 1 must end after it starts"),
    ((("24:00", "00:00"),), "Interval 1 must end after it starts"),
    ((("11:00", "12:00"), ("09:00", "11:01")), "09:00–11:01 and 11:00–12:00 must not overlap"),
    ((("09:00", "10:00"), ("09:00", "10:00")), "must not overlap"),
    ((("09:00", "10:00"),) * 49, "Must have at most 48 intervals"),
]


@pytest.mark.parametrize("hours", GOOD_HOURS)
def test_disjoint_hours_in_any_order_are_accepted(hours: Hours) -> None:
    check_rules(rules(*hours, overrides={"2026-12-24": hours}))


@pytest.mark.parametrize(("hours", "sentence"), BAD_HOURS)
def test_hours_that_make_no_sense_are_refused(hours: Hours, sentence: str) -> None:
    weekly = replace(rules(), availability=Availability({"friday": hours}, {}))
    for calendar, field in (
        (weekly, "availability.weekly.friday"),
        (rules(overrides={"2026-12-24": hours}), "availability.overrides.2026-12-24"),
    ):
        (told,) = faults(calendar).items()
        assert told[0] == field
        assert any(sentence in fault for fault in told[1])


@pytest.mark.parametrize(
    "day",
    [
        *("2026-02-29", "2026-13-01", "0000-01-01", "20261224", "2026-W52-4", "2026-1-1", "", "x"),
        *("2026-12-24\n", "2026-12-24T00:00", "٢٠٢٦-١٢-٢٤"),
    ],
)
def test_an_override_must_name_a_real_date(day: str) -> None:
    assert list(faults(rules(overrides={day: ()}))) == [f"availability.overrides.{day}"]
    check_rules(rules(overrides={"2028-02-29": ()}))


def test_there_are_at_most_a_thousand_overrides() -> None:
    dates = [f"{date(2026, 1, 1) + timedelta(days=n)}" for n in range(1001)]
    check_rules(rules(overrides=dict.fromkeys(dates[:1000], ())))
    assert list(faults(rules(overrides=dict.fromkeys(dates, ())))) == ["availability.overrides"]


def test_all_errors_are_reported_at_once() -> None:
    hours: Hours = (("9", "10"), ("12:00", "11:00"))
    calendar = BookingRules("Nowhere", 0, Availability({"mon": hours}, {"today": hours}), 0)
    told = faults(calendar)
    assert {field: len(sentences) for field, sentences in told.items()} == {
        "time_zone": 1,
        "duration_minutes": 1,
        "start_increment_minutes": 1,
        "availability.weekly.mon": 3,
        "availability.overrides.today": 3,
    }
