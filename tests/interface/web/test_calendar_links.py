"""The forms of calendar services are filled in with the right instants and the host's words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from domain.slot import Slot
from interface.web.calendar_links import (
    Appointment,
    google_calendar,
    outlook_com,
    outlook_for_work,
)
from tests.support.examples import TOMORROW

SERVICES = (google_calendar, outlook_com, outlook_for_work)
CALL = Appointment("Intro call with Olivia Owner", TOMORROW, "Room 1", "Hello.\nBring <tea> & 🙂.")


def given(address: str) -> dict[str, str]:
    """Returns what an address fills in, as a service reads it."""
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}


def test_google_gets_the_words_of_the_host() -> None:
    assert given(google_calendar(CALL)) == {
        "action": "TEMPLATE",
        "text": CALL.title,
        "dates": "20261124T090000Z/20261124T093000Z",
        "location": "Room 1",
        "details": CALL.description,
    }


@pytest.mark.parametrize(
    ("outlook", "host"),
    [(outlook_com, "outlook.live.com"), (outlook_for_work, "outlook.office.com")],
)
def test_outlook_gets_the_words_of_the_host_as_html(
    outlook: Callable[[Appointment], str], host: str
) -> None:
    address = outlook(CALL)
    assert urlsplit(address).hostname == host
    assert given(address) == {
        "path": "/calendar/action/compose",
        "rru": "addevent",
        "subject": CALL.title,
        "startdt": "2026-11-24T09:00:00Z",
        "enddt": "2026-11-24T09:30:00Z",
        "location": "Room 1",
        "body": "Hello.<br>Bring &lt;tea&gt; &amp; 🙂.",
    }


def instants(address: str) -> list[datetime]:
    """Returns start and end of the appointment that an address describes."""
    form: Any = given(address)
    times = form["dates"].split("/") if "dates" in form else [form["startdt"], form["enddt"]]
    return [datetime.fromisoformat(time) for time in times]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("Africa/Casablanca", "2027-02-07T01:30"),  # the clocks go back for Ramadan
        ("Africa/Casablanca", "2027-03-14T01:30"),  # and forward after it
        ("Australia/Lord_Howe", "2027-04-04T01:15"),  # half an hour occurs twice
        ("Australia/Lord_Howe", "2027-10-03T03:00"),  # half an hour is left out
        ("Europe/Berlin", "2027-10-31T02:30"),  # an hour occurs twice
        ("America/St_Johns", "2027-03-14T03:00"),
    ],
)
def test_the_instants_are_right_where_clocks_change(
    service: Callable[[Appointment], str], zone: str, local: str
) -> None:
    for fold in (0, 1):
        moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold)
        start = moment.astimezone(UTC)
        slot = Slot(start, start + timedelta(minutes=45))
        assert instants(service(replace(CALL, slot=slot))) == [slot.start, slot.end]


@pytest.mark.parametrize("service", SERVICES)
def test_an_address_stays_short_enough_and_has_no_plus_sign_for_a_space(
    service: Callable[[Appointment], str],
) -> None:
    for sign in ("a", "é ", "🙂", "<", "\n"):
        address = service(replace(CALL, description=sign * 4000, location="Room 1 + 2"))
        assert len(address) < 8000
        assert "+" not in address
        assert given(address)["location"] == "Room 1 + 2"
    assert given(google_calendar(replace(CALL, description="é" * 4000)))["details"][-2:] == "é…"
