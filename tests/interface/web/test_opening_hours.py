"""Hours and time zones as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.booking_rules import Hours
from interface.web.opening_hours import UnreadableHours, hours_text, parse_hours
from interface.web.time_zone_lookup import resolve_time_zone, selectable_time_zones

TIMES = st.integers(0, 1440).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
DAYS = st.lists(TIMES, max_size=12, unique=True).map(
    lambda times: tuple(zip(sorted(times)[::2], sorted(times)[1::2], strict=False))
)


@given(DAYS)
@settings(deadline=None)
def test_hours_are_parsed_from_their_own_text(hours: Hours) -> None:
    assert parse_hours(hours_text(hours)) == hours


@pytest.mark.parametrize(
    "text",
    [
        "9-12, 13-17",
        "09:00–12:00, 13:00–17:00",
        "9:00 - 12:00;13:00 - 17:00",
        "9 to 12 and 13 to 17",
        "9.00—12.00 & 13h00~17h00",
        "  9am-12pm,1 pm – 5 p.m.  ",
        "9-12,\n13-17,",
    ],
)
def test_many_spellings_mean_the_same_hours(text: str) -> None:
    assert parse_hours(text) == (("09:00", "12:00"), ("13:00", "17:00"))


@pytest.mark.parametrize("text", ["", "  ", "closed", "Closed.", "-", "–", "zu"])
def test_a_day_may_be_closed(text: str) -> None:
    assert parse_hours(text, closed=("closed", "zu")) == ()


@pytest.mark.parametrize("text", ["18-24", "18:00 – 00:00", "6pm-12am", "18-0"])
def test_a_day_may_end_at_midnight(text: str) -> None:
    assert parse_hours(text) == (("18:00", "24:00"),)


def test_noon_and_midnight_are_told_apart() -> None:
    assert parse_hours("12am-12pm") == (("00:00", "12:00"),)


def test_whether_hours_make_sense_is_left_to_the_domain() -> None:
    assert parse_hours("17-9, 25-26") == (("17:00", "09:00"), ("25:00", "26:00"))


@pytest.mark.parametrize("text", ["lunch", "9", "9-", "9-12 13-17", "9-12, x", "13pm-2pm", "٩-١٢"])
def test_text_without_hours_is_refused(text: str) -> None:
    with pytest.raises(UnreadableHours):
        parse_hours(text)


@given(st.text(max_size=40))
@settings(deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        hours = parse_hours(text)
    except UnreadableHours:
        return
    assert parse_hours(hours_text(hours)) == hours


def test_a_zone_is_found_by_its_city_in_any_spelling() -> None:
    assert resolve_time_zone(" paris ") == "Europe/Paris"
    assert resolve_time_zone("new york") == "America/New_York"
    assert resolve_time_zone("europe/berlin") == "Europe/Berlin"
    assert resolve_time_zone("Utc") == "UTC"
    assert resolve_time_zone("US/Pacific") == "US/Pacific"


def test_a_city_in_two_zones_and_one_in_none_are_left_as_typed() -> None:
    assert resolve_time_zone("Buenos Aires") == "Buenos Aires"  # two names for one place
    assert resolve_time_zone("Atlantis") == "Atlantis"


def test_selectable_zones_are_places() -> None:
    assert "Europe/Paris" in selectable_time_zones()
    assert "UTC" in selectable_time_zones()
    assert not [
        zone for zone in selectable_time_zones() if zone.startswith(("Etc/", "posix", "EST"))
    ]
