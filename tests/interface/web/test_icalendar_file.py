"""A booking as a file that calendar programs read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar, Timezone

from domain.booking import BookingStatus
from domain.slot import Slot
from interface.web.icalendar_file import Entry, calendar_file
from tests.support.examples import LINK, NOW, TOMORROW


def a_file(
    slot: Slot = TOMORROW,
    *,
    status: BookingStatus = BookingStatus.CONFIRMED,
    version: int = 1,
    summary: str = "Intro call with Olivia Owner",
    location: str = "Room 1",
    description: str = "Your booking: https://book.example.org/m/token",
    time_zone: str = "Europe/Paris",
) -> bytes:
    entry = Entry(
        booking_id=LINK,
        version=version,
        slot=slot,
        status=status,
        summary=summary,
        location=location,
        description=description,
        host="book.example.org",
        as_of=NOW,
    )
    return calendar_file(entry, time_zone=time_zone)


def event_in(file: bytes) -> Any:
    (event,) = Calendar.from_ical(file).walk("VEVENT")
    return event


def test_a_file_holds_one_appointment_that_can_be_updated_later() -> None:
    file = a_file(version=3)
    event = event_in(file)
    assert event["UID"] == f"{LINK}@book.example.org"
    assert event["SEQUENCE"] == 2
    assert event["STATUS"] == "CONFIRMED"
    assert event["DTSTAMP"].dt == NOW
    assert (event["SUMMARY"], event["LOCATION"]) == ("Intro call with Olivia Owner", "Room 1")
    assert event["DESCRIPTION"].endswith("https://book.example.org/m/token")
    assert b"DTSTART;TZID=Europe/Paris:20261124T100000\r\n" in file
    assert event_in(a_file(status=BookingStatus.CANCELLED))["STATUS"] == "CANCELLED"


def test_a_file_without_a_location_has_no_such_line() -> None:
    assert b"LOCATION" not in a_file(location="")


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('\n;,\\:"')))
@settings(max_examples=40, deadline=None)
def test_texts_are_escaped(text: str) -> None:
    hostile = f"{text}\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nATTENDEE:mailto:eve@example.org\n{text}"
    event = event_in(a_file(summary=hostile, location=hostile, description=hostile))
    for name in ("SUMMARY", "LOCATION", "DESCRIPTION"):
        assert event[name] == hostile.replace("\r\n", "\n")
    assert "ATTENDEE" not in event


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Paris",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Kolkata",
        "Pacific/Apia",
    ],
)
@given(minutes=st.integers(0, 2 * 366 * 24 * 60), length=st.integers(1, 1440))
@settings(max_examples=20, deadline=None)
def test_times_with_the_files_own_zone_give_the_same_instants(
    zone: str, minutes: int, length: int
) -> None:
    _leads_back(NOW + timedelta(minutes=minutes), length, zone)


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Paris", datetime(2027, 3, 28, 1, 0, tzinfo=UTC)),
        ("Europe/Paris", datetime(2027, 10, 31, 1, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 14, 7, 0, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 11, 7, 6, 0, tzinfo=UTC)),
    ],
)
def test_times_around_a_clock_change_give_the_same_instants(zone: str, change: datetime) -> None:
    for minutes in range(-150, 150, 15):
        _leads_back(change + timedelta(minutes=minutes), 30, zone)


def _leads_back(start: datetime, length: int, zone: str) -> None:
    slot = Slot(start, start + timedelta(minutes=length))
    file = a_file(slot, time_zone=zone)
    event = event_in(file)
    described = [
        part.to_tz(lookup_tzid=False)
        for part in Calendar.from_ical(file).walk("VTIMEZONE")
        if isinstance(part, Timezone)
    ]
    for written, instant in ((event["DTSTART"].dt, slot.start), (event["DTEND"].dt, slot.end)):
        # As its program knows the zone by its name, and as the file describes it.
        assert written.astimezone(UTC) == instant
        if not described:
            assert written.utcoffset() == timedelta()
            continue
        (zone_of_file,) = described
        local = written.replace(tzinfo=zone_of_file)
        assert (local - local.utcoffset()).replace(tzinfo=UTC) == instant
