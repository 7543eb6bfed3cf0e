"""Hours and time zones as people write them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.booking_rules import WEEKDAYS, Availability, Hours, faults_of_availability
from domain.wall_clock import minute_of_day
from interface import i18n
from interface.web.opening_hours import (
    UnreadableHours,
    hours_text,
    joined_nights,
    parse_hours,
    split_at_midnight,
    split_nights,
)
from interface.web.time_zone_lookup import resolve_time_zone, selectable_time_zones

TIMES = st.integers(0, 1440).map(lambda minute: f"{minute // 60:02d}:{minute % 60:02d}")
DAYS = st.lists(TIMES, max_size=12, unique=True).map(
    lambda times: tuple(zip(sorted(times)[::2], sorted(times)[1::2], strict=False))
)


# The languages of the pages, in countries that write times in different ways.
LOCALES = ["en", "en-GB", "en-AU", "en-CA", "en-IN", "en-FI", "en-DK", "en-ZA", "en-150"]
LOCALES += ["de", "de-AT", "de-CH", "de-LI"]


@given(DAYS)
@settings(deadline=None)
def test_hours_are_parsed_from_their_own_text(hours: Hours) -> None:
    assert parse_hours(hours_text(hours)) == hours


@given(DAYS, st.sampled_from(LOCALES))
@settings(deadline=None)
def test_hours_are_parsed_as_our_pages_print_times_in_any_country(
    hours: Hours, locale: str
) -> None:
    with i18n.reading(lambda: i18n.locale_named(locale)):
        printed = ", ".join(
            "–".join(i18n.minute_text(minute_of_day(time)) for time in interval)
            for interval in hours
        )
    assert parse_hours(printed) == hours


OFFICE = (("09:00", "17:00"),)
BOTH = (("09:00", "12:00"), ("13:00", "17:00"))
NIGHT = (("22:00", "02:00"),)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("9-17", OFFICE),
        ("9–17", OFFICE),
        ("09:00–17:00", OFFICE),
        ("9am-5pm", OFFICE),
        ("9 AM – 5 PM", OFFICE),
        ("9:00\u202fAM–5:00\u202fPM", OFFICE),
        ("9\u00a0a.m. to 5\u00a0p.m.", OFFICE),
        ("9a-5p", OFFICE),
        ("9-5pm", OFFICE),
        ("9am-5", OFFICE),
        ("09:00-5pm", OFFICE),
        ("9.00 - 17.00", OFFICE),
        ("9h-17h", OFFICE),
        ("9h00-17h00", OFFICE),
        ("0900-1700", OFFICE),
        ("900-1700", OFFICE),
        ("09:00:00-17:00:00", OFFICE),
        ("from 9 to 17", OFFICE),
        ("9 until 17", OFFICE),
        ("9 o'clock till 5 p.m.", OFFICE),
        ("9 bis 17 Uhr", OFFICE),
        ("von 9 Uhr bis 17 Uhr", OFFICE),
        ("9:00 Uhr – 17:00 Uhr", OFFICE),
        ("9.00–17.00 Uhr.", OFFICE),
        ("９：００～１７：００", OFFICE),
        ("\u200e09:00\u2060–\u200b17:00", OFFICE),
        ("9-12, 13-17", BOTH),
        ("09:00–12:00, 13:00–17:00", BOTH),
        ("9:00 - 12:00;13:00 - 17:00", BOTH),
        ("9 to 12 and 13 to 17", BOTH),
        ("9 bis 12 und 13 bis 17 Uhr", BOTH),
        ("9.00—12.00 & 13h00~17h00", BOTH),
        ("  9am-12pm,1 pm – 5 p.m.  ", BOTH),
        ("9-noon, 1-5pm", BOTH),
        ("9-12,\n13-17,", BOTH),
        ("9-12 13-17", BOTH),
        ("9-12 / 13-17", BOTH),
        ("9.30-10", (("09:30", "10:00"),)),
        ("9.30 bis 10", (("09:30", "10:00"),)),
        ("1-5pm", (("13:00", "17:00"),)),
        ("11-1pm", (("11:00", "13:00"),)),
        ("8-9 am", (("08:00", "09:00"),)),
        ("13-5pm", (("13:00", "17:00"),)),
        ("9am-12", (("09:00", "12:00"),)),
        ("12am-12pm", (("00:00", "12:00"),)),
        ("mittags bis 13 Uhr", (("12:00", "13:00"),)),
        ("22:00-02:00", NIGHT),
        ("10pm–2am", NIGHT),
        ("10-2am", NIGHT),
        ("10pm-2", NIGHT),
        ("22 bis 2 Uhr", NIGHT),
        ("18-24", (("18:00", "24:00"),)),
        ("18:00 – 00:00", (("18:00", "24:00"),)),
        ("6pm-12am", (("18:00", "24:00"),)),
        ("6pm – midnight", (("18:00", "24:00"),)),
        ("18 Uhr bis Mitternacht", (("18:00", "24:00"),)),
        ("18-0", (("18:00", "24:00"),)),
        ("0-24", (("00:00", "24:00"),)),
        ("00:00–00:00", (("00:00", "24:00"),)),
        ("all day", (("00:00", "24:00"),)),
        ("24h", (("00:00", "24:00"),)),
        ("ganztägig", (("00:00", "24:00"),)),
        ("17-9, 25-26", (("17:00", "09:00"), ("25:00", "26:00"))),  # the domain refuses these
    ],
)
def test_hours_are_read_as_people_write_them(text: str, hours: Hours) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize("text", ["", "  ", "closed", "Closed.", "-", "–", "zu", "\u00a0"])
def test_a_day_may_be_closed(text: str) -> None:
    assert parse_hours(text, closed=("closed", "zu")) == ()


@pytest.mark.parametrize(
    "text", ["lunch", "9", "9-", "9-12x", "9-12, x", "13pm-2pm", "٩-١٢", "9-12-17", "9-1213-17"]
)
def test_text_without_hours_is_refused(text: str) -> None:
    with pytest.raises(UnreadableHours):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "until_midnight", "after_midnight"),
    [
        ("22:00-02:00", (("22:00", "24:00"),), (("00:00", "02:00"),)),
        ("9-12, 20-8", (("09:00", "12:00"), ("20:00", "24:00")), (("00:00", "08:00"),)),
        ("18-24", (("18:00", "24:00"),), ()),
        ("12-9", (("12:00", "09:00"),), ()),  # rather a mistake
        ("9-5", (("09:00", "05:00"),), ()),
        ("25-3", (("25:00", "03:00"),), ()),
    ],
)
def test_a_night_is_cut_in_two_at_midnight(
    text: str, until_midnight: Hours, after_midnight: Hours
) -> None:
    assert split_at_midnight(parse_hours(text)) == (until_midnight, after_midnight)


@given(st.fixed_dictionaries(dict.fromkeys(WEEKDAYS, DAYS)))
@settings(deadline=None)
def test_nights_that_are_shown_joined_are_split_into_the_same_hours(week: dict[str, Hours]) -> None:
    assert split_nights(joined_nights(week)) == week


def test_a_night_stands_where_it_begins() -> None:
    week: dict[str, Hours] = {
        "monday": (("00:00", "01:00"), ("20:00", "24:00")),
        "tuesday": (("00:00", "02:00"), ("02:00", "03:00")),
        "saturday": (("00:00", "24:00"),),
        "sunday": (("00:00", "10:00"), ("23:00", "24:00")),
    }
    assert {day: hours for day, hours in joined_nights(week).items() if hours} == {
        "monday": (("20:00", "02:00"),),
        "tuesday": (("02:00", "03:00"),),
        "saturday": (("00:00", "24:00"),),
        "sunday": (("00:00", "10:00"), ("23:00", "01:00")),
    }


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


@pytest.mark.parametrize(
    ("zone", "english", "german"),
    [
        (
            "America/New_York",
            "Eastern Time\u00a0– New York",
            "Nordamerikanische Ostküstenzeit\u00a0– New York",
        ),
        (
            "US/Eastern",
            "Eastern Time\u00a0– New York",
            "Nordamerikanische Ostküstenzeit\u00a0– New York",
        ),
        ("Europe/Rome", "Central European Time\u00a0– Rome", "Mitteleuropäische Zeit\u00a0– Rom"),
        (
            "Europe/London",
            "United Kingdom Time\u00a0– London",
            "Vereinigtes Königreich (Ortszeit)\u00a0– London",
        ),
        (
            "Atlantic/Reykjavik",
            "Iceland Time\u00a0– Reykjavik",
            "Island (Ortszeit)\u00a0– Reykjavík",
        ),
        ("Antarctica/Troll", "Troll Time", "Troll (Ortszeit)"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires Time", "Buenos Aires (Ortszeit)"),
        ("UTC", "UTC", "UTC"),
        ("Etc/GMT+5", "Etc/GMT+5", "Etc/GMT+5"),
    ],
)
def test_a_zone_is_named_as_people_call_it(zone: str, english: str, german: str) -> None:
    assert i18n.zone_text(zone) == english
    with i18n.reading(lambda: i18n.locale_named("de")):
        assert i18n.zone_text(zone) == german


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en", "9:00 AM–12:00 AM and 10:00 AM–12:00 PM must not overlap."),
        ("de", "09:00–24:00 und 10:00–12:00 dürfen sich nicht überschneiden."),
    ],
)
def test_hours_that_overlap_are_told_by_the_readers_clock(locale: str, sentence: str) -> None:
    hours = (("09:00", "24:00"), ("10:00", "12:00"))
    errors = faults_of_availability("UTC", Availability({"monday": hours}, {}))
    with i18n.reading(lambda: i18n.locale_named(locale)):
        (said,) = map(i18n.sentence, errors["availability.weekly.monday"])
    assert said.replace("\u202f", " ") == sentence
