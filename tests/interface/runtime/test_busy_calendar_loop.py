"""Calendars elsewhere are read in the background."""

import logging
from dataclasses import replace
from datetime import datetime
from functools import partial
from ipaddress import ip_network
from threading import Event

import pytest

from application.busy_calendars.reading import BusyCalendarReader
from domain.errors import Unavailable
from interface.bootstrap import Services, build
from interface.runtime import busy_calendar_loop
from interface.runtime.background_thread import background_thread
from interface.runtime.busy_calendar_loop import read_busy_calendars
from tests.support.clock import Clock
from tests.support.examples import NOW, TOMORROW
from tests.support.ics_files import event, ics
from tests.support.other_server import answer, other_server
from tests.support.waiting import wait_until


def test_a_calendar_that_an_owner_adds_is_read_within_seconds(
    services: Services, conninfo: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(busy_calendar_loop, "POLL_SECONDS", 0.01)
    networks = (ip_network("127.0.0.1"),)
    account = services.accounts.create(email="olivia@example.org", name=None, roles=["owner"])
    current = build(replace(services.settings, outgoing_networks=networks), conninfo, now=clock)
    calendars = current.busy_calendars
    stop = Event()
    with (
        other_server() as server,
        background_thread("calendars", partial(read_busy_calendars, current, stop=stop), stop),
    ):
        server.answer = lambda: [answer(ics(event(TOMORROW.start, TOMORROW.end)))]
        url = f"http://{server.authority}/"
        calendars.add(owner_id=account.id, url=url, name=None, now=NOW)
        wait_until(lambda: calendars.all(account.id)[0].last_read_at)
    current.close()


def test_an_error_does_not_end_the_reading(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(busy_calendar_loop, "POLL_SECONDS", 0.01)
    caplog.set_level(logging.INFO, "interface")
    errors: list[Exception] = [Unavailable(), OSError("Cannot allocate memory")]

    def read_next(_: object, *, now: datetime, stop: Event) -> bool:
        if errors:
            raise errors.pop()
        stop.set()
        return False

    monkeypatch.setattr(BusyCalendarReader, "read_next", read_next)
    read_busy_calendars(services, stop=Event())
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
