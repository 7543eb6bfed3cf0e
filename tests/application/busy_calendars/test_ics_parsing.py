"""The busy times of other programs' calendars, whatever their events look like."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.busy_calendars import bounded_parsing, ics_parsing
from application.busy_calendars.bounded_parsing import NotACalendar, Stopped
from application.busy_calendars.ics_parsing import TooComplex, merged
from domain.slot import Slot
from tests.support.ics_files import event, ics

SINCE = datetime(2027, 1, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=366)
HOURS = st.integers(0, 60).map(lambda hours: SINCE + timedelta(hours=hours))
SPANS = st.lists(st.tuples(HOURS, HOURS).filter(lambda span: span[0] < span[1]))


def busy(file: bytes, time_zone: str = "America/New_York") -> list[str]:
    """Returns the busy times as text, such as 01-18 09:00 to 01-18 10:00, in UTC."""
    found = ics_parsing.busy_times(file, time_zone=time_zone, since=SINCE, until=UNTIL)
    return [f"{start:%m-%d %H:%M} to {end:%m-%d %H:%M}" for start, end in found]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ("DTSTART:20270118T090000Z\nDTEND:20270118T100000Z", "01-18 09:00 to 01-18 10:00"),
        ("DTSTART:20270118T090000Z\nDURATION:PT90M", "01-18 09:00 to 01-18 10:30"),
        (
            "DTSTART;TZID=Europe/Paris:20270118T090000\nDTEND;TZID=Europe/Paris:20270118T100000",
            "01-18 08:00 to 01-18 09:00",
        ),
        ("DTSTART:20270118T090000\nDTEND:20270118T100000", "01-18 14:00 to 01-18 15:00"),
        (
            "DTSTART;TZID=W. Europe Standard Time:20270118T090000\nDURATION:PT1H",
            "01-18 08:00 to 01-18 09:00",
        ),
        (
            "DTSTART;TZID=/freeassociation.sourceforge.net/Europe/Paris:20270118T090000"
            "\nDURATION:PT1H",
            "01-18 08:00 to 01-18 09:00",
        ),
        ("DTSTART;VALUE=DATE:20270118", "01-18 05:00 to 01-19 05:00"),
        (
            "DTSTART;VALUE=DATE:20270118\nDTEND;VALUE=DATE:20270120",
            "01-18 05:00 to 01-20 05:00",
        ),
        (
            "DTSTART:20261231T230000Z\nDTEND:20270101T010000Z",
            "01-01 00:00 to 01-01 01:00",  # only what is in the year ahead
        ),
    ],
    ids=[
        "UTC",
        "duration",
        "zone",
        "no zone: the owner's",
        "zone by the name of Windows",
        "zone with a prefix",
        "whole day",
        "whole days",
        "has begun",
    ],
)
@pytest.mark.filterwarnings("ignore:Timezone")  # icalendar guesses what the prefix means
def test_an_event_is_busy_from_its_start_to_its_end(properties: str, expected: str) -> None:
    assert busy(ics(properties)) == [expected]


def test_a_zone_that_only_the_file_knows_is_read_from_the_file() -> None:
    zone = """BEGIN:VTIMEZONE\nTZID:Our own\nBEGIN:STANDARD\nDTSTART:20000101T000000
        TZOFFSETFROM:+0300\nTZOFFSETTO:+0300\nEND:STANDARD\nEND:VTIMEZONE"""
    file = ics("DTSTART;TZID=Our own:20270118T090000\nDURATION:PT1H", before=zone)
    assert busy(file) == ["01-18 06:00 to 01-18 07:00"]


@pytest.mark.parametrize(
    "free",
    [
        "DTSTART:20270118T090000Z\nDURATION:PT1H\nTRANSP:TRANSPARENT",
        "DTSTART:20270118T090000Z\nDURATION:PT1H\nSTATUS:CANCELLED",
        "DTSTART:20270118T090000Z",
        "DTSTART:20270118T090000Z\nDTEND:20270118T090000Z",
        "DTSTART:20261118T090000Z\nDURATION:PT1H",
        "DTSTART:20280118T090000Z\nDURATION:PT1H",
    ],
    ids=["transparent", "cancelled", "no end", "no length", "over", "far ahead"],
)
def test_an_event_that_takes_no_time_of_the_year_ahead_does_not_count(free: str) -> None:
    assert busy(ics(free)) == []


def test_what_repeats_is_busy_each_time_except_where_an_exception_says_otherwise() -> None:
    weekly = "DTSTART;TZID=Europe/Paris:20270315T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=5"
    moved = "DTSTART;TZID=Europe/Paris:20270406T120000\nDURATION:PT1H"
    file = ics(f"{weekly}\nEXDATE;TZID=Europe/Paris:20270322T090000").replace(
        b"END:VCALENDAR",
        b"BEGIN:VEVENT\r\nUID:0\r\nRECURRENCE-ID;TZID=Europe/Paris:20270405T090000\r\n"
        + moved.replace("\n", "\r\n").encode()
        + b"\r\nEND:VEVENT\r\nEND:VCALENDAR",
    )
    assert busy(file) == [
        "03-15 08:00 to 03-15 09:00",
        "03-29 07:00 to 03-29 08:00",  # summer time
        "04-06 10:00 to 04-06 11:00",
        "04-12 07:00 to 04-12 08:00",
    ]


def test_several_calendars_in_one_file_count_together() -> None:
    one = ics(event(SINCE, SINCE + timedelta(hours=1)))
    other = ics(event(SINCE + timedelta(hours=1), SINCE + timedelta(hours=2)))
    assert busy(one + b"\r\n" + other) == ["01-01 00:00 to 01-01 02:00"]


@given(SPANS)
def test_merged_times_cover_the_same_moments_and_never_meet(
    spans: list[tuple[datetime, datetime]],
) -> None:
    def covered(among: list[tuple[datetime, datetime]]) -> set[datetime]:
        hours = [SINCE + timedelta(hours=n) for n in range(60)]
        return {hour for hour in hours if any(start <= hour < end for start, end in among)}

    found = merged(spans)
    assert covered(found) == covered(spans)
    assert all(before[1] < after[0] for before, after in pairwise(found))


def parsed(file: bytes, stop: Event | None = None) -> list[Slot]:
    return bounded_parsing.busy_times(
        file, time_zone="UTC", since=SINCE, until=UNTIL, stop=stop or Event()
    )


def test_a_process_of_its_own_finds_the_same_times() -> None:
    assert parsed(ics(event(SINCE, SINCE + timedelta(hours=1)))) == [
        Slot(SINCE, SINCE + timedelta(hours=1))
    ]


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"<!doctype html><title>Sign in</title>",
        ics("DTSTART:tomorrow"),
        ics("RRULE:FREQ=DAILY"),
    ],
    ids=["empty", "a page", "no date", "no start"],
)
def test_what_is_no_calendar_is_refused(file: bytes) -> None:
    with pytest.raises(NotACalendar):
        parsed(file)


@pytest.mark.parametrize(
    "rule",
    [
        "RRULE:FREQ=SECONDLY",
        "RRULE:FREQ=SECONDLY;COUNT=999999999;BYMONTH=2;BYMONTHDAY=30",
        "RRULE:FREQ=DAILY\n" + "\n".join(["EXDATE:" + ",".join(["20270101T000000Z"] * 2000)] * 100),
    ],
    ids=["each second", "never", "very many exceptions"],
)
def test_a_hostile_rule_ends_with_little_time_and_memory(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_parsing, "SECONDS", 1)
    with pytest.raises(TooComplex):
        parsed(ics(f"DTSTART:19700101T000000Z\nDURATION:PT1S\n{rule}"))


def test_a_process_that_has_to_end_waits_for_no_file() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Stopped):
        parsed(ics("DTSTART:19700101T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY"), stop)


def test_more_busy_times_than_can_be_stored_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ics_parsing, "MOST_BUSY_TIMES", 20)
    hourly = "DTSTART:20270101T000000Z\nDURATION:PT1M\nRRULE:FREQ=HOURLY;COUNT="
    assert len(busy(ics(f"{hourly}20"))) == 20
    with pytest.raises(TooComplex):
        busy(ics(f"{hourly}21"))
