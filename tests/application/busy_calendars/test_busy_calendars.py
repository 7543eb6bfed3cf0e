"""Calendars elsewhere: added by their owners, read again and again, and kept free."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from ipaddress import ip_network
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from application.busy_calendars import ics_parsing
from application.busy_calendars.bounded_parsing import NotACalendar
from application.busy_calendars.busy_calendars import (
    MOST_CALENDARS,
    BusyCalendar,
    BusyCalendarNotFound,
    BusyCalendars,
    ReadProblem,
)
from application.busy_calendars.reading import BusyCalendarReader
from domain.errors import Invalid, SlotTaken
from domain.link import LinkStatus
from domain.slot import Slot
from interface.bootstrap import Services
from interface.outgoing.allowed_addresses import AllowedAddresses
from interface.outgoing.http_client import HttpClient
from projections.open_slots import OpenSlots
from projections.views.booking_calendar import taken_times
from tests.support.clock import Clock
from tests.support.desk import Desk
from tests.support.examples import NOW, RULES, TOMORROW, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.ics_files import event, ics
from tests.support.other_server import OtherServer, answer, other_server
from tests.support.waiting import at_once

HOUR = timedelta(hours=1)
TOMORROW_MORNING = ics(event(TOMORROW_AT_NINE, TOMORROW_AT_TEN))


def parse(file: bytes, *, stop: Event, **window: Any) -> list[Slot]:
    """Parses in this process, which is quicker."""
    try:
        return [Slot(*span) for span in ics_parsing.busy_times(file, **window)]
    except ValueError as error:
        raise NotACalendar from error


@dataclass
class Elsewhere:
    """An owner with calendars at a server of somebody else's."""

    services: Services
    server: OtherServer
    calendars: BusyCalendars
    reader: BusyCalendarReader
    owner_id: UUID
    clock: Clock

    def add(self, path: str = "/secret.ics", owner_id: UUID | None = None) -> BusyCalendar:
        return self.calendars.add(
            owner_id=owner_id or self.owner_id,
            url=f"http://{self.server.authority}{path}",
            name=None,
            now=self.clock(),
        )

    def read(self) -> BusyCalendar:
        """Reads all that is due, and returns the owner's first calendar."""
        while self.reader.read_next(now=self.clock(), stop=Event()):
            pass
        return self.calendars.all(self.owner_id)[0]

    def busy(self) -> list[Slot]:
        until = NOW + timedelta(days=400)
        database = self.services.database
        return [
            taken.slot for taken in taken_times(database, self.owner_id, since=NOW, until=until)
        ]


@pytest.fixture
def elsewhere(services: Services, clock: Clock) -> Iterator[Elsewhere]:
    http = HttpClient(AllowedAddresses([ip_network("127.0.0.1")]))
    account = services.accounts.create(email="olivia@example.org", name=None, roles=["owner"])
    with other_server() as server:
        server.answer = lambda: [answer(TOMORROW_MORNING)]
        yield Elsewhere(
            services,
            server,
            BusyCalendars(services.database, http),
            BusyCalendarReader(services.database, http, parse),
            account.id,
            clock,
        )


@pytest.fixture
def owner_desk(elsewhere: Elsewhere) -> Desk:
    """Gives the commands of the owner who has calendars elsewhere."""
    return Desk(elsewhere.services, elsewhere.owner_id)


def test_a_new_calendar_is_due_named_after_its_host_and_its_address_is_masked(
    elsewhere: Elsewhere,
) -> None:
    added = elsewhere.add()
    assert elsewhere.calendars.all(elsewhere.owner_id) == [added]
    assert added.name == elsewhere.server.authority
    assert added.masked_url == f"http://{elsewhere.server.authority}/…"
    assert (added.last_read_at, added.problem, added.problem_since) == (None, None, None)
    assert elsewhere.read().last_read_at == NOW


def test_a_time_at_which_the_owner_is_busy_is_neither_offered_nor_given(
    elsewhere: Elsewhere, owner_desk: Desk
) -> None:
    def offered() -> list[datetime]:
        open_slots = OpenSlots(elsewhere.services.database, elsewhere.owner_id, RULES, NOW)
        day = TOMORROW_AT_NINE.date()
        return [slot.start for slot in open_slots.on_days(day, day, "UTC", most=2)]

    added = elsewhere.add()
    link_id = owner_desk.new_link()
    assert offered()[0] == TOMORROW_AT_NINE
    elsewhere.read()
    assert offered()[0] == TOMORROW_AT_TEN
    for start in (TOMORROW_AT_NINE, TOMORROW_AT_NINE + HOUR / 2):
        with pytest.raises(SlotTaken):
            owner_desk.redeem(link_id, start)
    assert owner_desk.link(link_id).status(NOW) is LinkStatus.ACTIVE
    elsewhere.calendars.remove(elsewhere.owner_id, added.id)
    assert offered()[0] == TOMORROW_AT_NINE
    owner_desk.redeem(link_id, TOMORROW_AT_NINE)


def test_no_booking_is_moved_to_a_time_at_which_the_owner_is_busy(
    elsewhere: Elsewhere, owner_desk: Desk
) -> None:
    booking_id = owner_desk.book(owner_desk.new_link(), TOMORROW_AT_TEN)
    elsewhere.add()
    elsewhere.read()
    for by_invitee in (True, False):
        with pytest.raises(SlotTaken):
            owner_desk.reschedule(booking_id, TOMORROW_AT_NINE, by_invitee=by_invitee)


def test_the_buffers_of_a_booking_keep_clear_of_busy_times(
    elsewhere: Elsewhere, owner_desk: Desk
) -> None:
    elsewhere.add()
    elsewhere.read()
    buffered = owner_desk.new_link(owner_desk.new_calendar(buffer_before_minutes=5))
    with pytest.raises(SlotTaken):
        owner_desk.redeem(buffered, TOMORROW_AT_TEN)
    owner_desk.redeem(owner_desk.new_link(), TOMORROW_AT_TEN)


def test_a_repeated_booking_gets_its_answer_though_the_owner_is_busy_by_now(
    elsewhere: Elsewhere, owner_desk: Desk
) -> None:
    link_id = owner_desk.new_link()
    first = owner_desk.redeem(link_id, key="a-key").value
    elsewhere.add()
    elsewhere.read()
    assert owner_desk.redeem(link_id, key="a-key").value == first


def test_an_owner_is_busy_at_the_times_of_all_their_calendars_and_of_nobody_elses(
    elsewhere: Elsewhere, services: Services
) -> None:
    other = services.accounts.create(email="oscar@example.org", name=None, roles=["owner"])
    files = [
        ics(event(TOMORROW_AT_TEN, TOMORROW_AT_TEN + HOUR)),
        ics(event(TOMORROW_AT_NINE, TOMORROW_AT_TEN), event(NOW - HOUR, NOW + HOUR)),
        ics(event(NOW + HOUR, NOW + 2 * HOUR)),
    ]
    elsewhere.server.answer = lambda: [answer(files.pop())]
    elsewhere.add("/theirs", other.id)
    for path in ("/a", "/b"):
        elsewhere.clock.advance(seconds=1)
        elsewhere.add(path)
    elsewhere.read()
    assert sorted(elsewhere.busy()) == [
        Slot(NOW + timedelta(seconds=2), NOW + HOUR),
        Slot(TOMORROW_AT_NINE, TOMORROW_AT_TEN),
        Slot(TOMORROW_AT_TEN, TOMORROW_AT_TEN + HOUR),
    ]


def test_times_without_a_zone_are_the_owners(elsewhere: Elsewhere, services: Services) -> None:
    account = services.accounts.by_id(elsewhere.owner_id)
    services.accounts.change(account, name="Olivia", time_zone="Europe/Paris")
    file = ics("DTSTART:20261124T100000\nDURATION:PT30M")
    elsewhere.server.answer = lambda: [answer(file)]
    elsewhere.add()
    elsewhere.read()
    assert elsewhere.busy() == [TOMORROW]


def test_what_has_not_changed_is_asked_for_by_its_version_once_a_day_in_full(
    elsewhere: Elsewhere,
) -> None:
    versions = {"ETag": '"1"', "Last_Modified": "Mon, 23 Nov 2026 07:00:00 GMT"}
    elsewhere.server.answer = lambda: [answer(TOMORROW_MORNING, **versions)]
    elsewhere.add()
    elsewhere.read()
    elsewhere.server.answer = lambda: [answer(status="304 Not Modified")]
    elsewhere.clock.advance(hours=1)
    assert elsewhere.read().last_read_at == NOW + HOUR
    assert elsewhere.busy() == [Slot(TOMORROW_AT_NINE, TOMORROW_AT_TEN)]
    first, second = elsewhere.server.requests
    assert "If-None-Match" not in first
    assert '\nIf-None-Match: "1"' in second
    assert "\nIf-Modified-Since: Mon, 23 Nov 2026 07:00:00 GMT" in second
    elsewhere.clock.advance(days=1)
    elsewhere.read()
    assert "If-None-Match" not in elsewhere.server.requests[2]


def test_a_version_that_cannot_be_sent_back_is_not_kept(elsewhere: Elsewhere) -> None:
    elsewhere.server.answer = lambda: [
        answer(TOMORROW_MORNING, ETag='"\0"', Last_Modified="x" * 999)
    ]
    elsewhere.add()
    elsewhere.read()
    elsewhere.clock.advance(hours=1)
    assert elsewhere.read().problem is None
    assert "If-" not in elsewhere.server.requests[1]


def test_a_calendar_that_fails_keeps_its_busy_times_and_says_why_and_since_when(
    elsewhere: Elsewhere,
) -> None:
    elsewhere.add()
    elsewhere.read()
    elsewhere.server.answer = lambda: [answer(status="404 Not Found")]
    elsewhere.clock.advance(hours=1)
    failed = elsewhere.read()
    assert (failed.problem, failed.problem_since) == (ReadProblem.NOT_FOUND, NOW + HOUR)
    elsewhere.server.answer = lambda: [answer(b"<!doctype html>")]
    elsewhere.clock.advance(hours=1)
    failed = elsewhere.read()
    assert (failed.problem, failed.problem_since) == (ReadProblem.NOT_A_CALENDAR, NOW + HOUR)
    assert failed.last_read_at == NOW
    assert elsewhere.busy() == [Slot(TOMORROW_AT_NINE, TOMORROW_AT_TEN)]
    elsewhere.server.answer = lambda: [answer(ics())]
    elsewhere.clock.advance(hours=2)
    recovered = elsewhere.read()
    assert (recovered.problem, recovered.problem_since) == (None, None)
    assert elsewhere.busy() == []


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (answer(status="403 Forbidden"), ReadProblem.NO_ACCESS),
        (answer(status="410 Gone"), ReadProblem.NOT_FOUND),
        (answer(status="500 Oops"), ReadProblem.SERVER_ERROR),
        (answer(status="304 Not Modified"), ReadProblem.SERVER_ERROR),  # that was not the question
        (answer(status="302 Found", Location="/"), ReadProblem.REDIRECTED),
        (answer(status="302 Found", Location="http://10.0.0.1/"), ReadProblem.ADDRESS_NOT_ALLOWED),
        (answer(b"x" * 5_000_001), ReadProblem.TOO_LARGE),
        (b"nonsense", ReadProblem.UNREACHABLE),
    ],
)
def test_each_problem_has_its_name(
    elsewhere: Elsewhere, response: bytes, problem: ReadProblem
) -> None:
    elsewhere.server.answer = lambda: [response]
    elsewhere.add()
    assert elsewhere.read().problem is problem


def test_a_calendar_is_read_about_every_ten_minutes_and_when_its_owner_asks(
    elsewhere: Elsewhere,
) -> None:
    added = elsewhere.add()
    elsewhere.read()
    elsewhere.clock.advance(minutes=8)
    assert elsewhere.read().last_read_at == NOW
    elsewhere.calendars.ask_to_read(elsewhere.owner_id, added.id, now=elsewhere.clock())
    assert elsewhere.read().last_read_at == NOW + timedelta(minutes=8)
    elsewhere.clock.advance(minutes=12)
    assert elsewhere.read().last_read_at == NOW + timedelta(minutes=20)


def test_a_calendar_with_a_lasting_problem_is_read_less_often(elsewhere: Elsewhere) -> None:
    elsewhere.server.answer = lambda: [answer(status="404 Not Found")]
    elsewhere.add()
    elsewhere.read()
    for hours, requests in ((24, 2), (5, 2), (2, 3)):
        elsewhere.clock.advance(hours=hours)
        elsewhere.read()
        assert len(elsewhere.server.requests) == requests


def test_two_processes_share_the_work_and_read_no_calendar_twice(elsewhere: Elsewhere) -> None:
    for number in range(6):
        elsewhere.add(f"/{number}")
    at_once([elsewhere.read] * 3)
    paths = sorted(request.split()[1] for request in elsewhere.server.requests)
    assert paths == [f"/{number}" for number in range(6)]


def test_an_owner_has_no_more_than_ten_calendars_even_if_they_are_added_at_once(
    elsewhere: Elsewhere,
) -> None:
    def add(number: int) -> bool:
        try:
            elsewhere.add(f"/{number}")
        except Invalid:
            return False
        return True

    outcomes = at_once([partial(add, number) for number in range(MOST_CALENDARS + 4)])
    assert sum(outcomes) == MOST_CALENDARS
    assert len(elsewhere.calendars.all(elsewhere.owner_id)) == MOST_CALENDARS


def test_the_same_calendar_is_not_added_twice(elsewhere: Elsewhere) -> None:
    elsewhere.add("/secret.ics")
    with pytest.raises(Invalid):
        elsewhere.add("/secret.ics#part")


def test_nobody_else_can_see_read_or_remove_a_calendar(
    elsewhere: Elsewhere, services: Services
) -> None:
    added = elsewhere.add()
    other = services.accounts.create(email="oscar@example.org", name=None, roles=["owner"])
    assert elsewhere.calendars.all(other.id) == []
    with pytest.raises(BusyCalendarNotFound):
        elsewhere.calendars.one(other.id, added.id)
    with pytest.raises(BusyCalendarNotFound):
        elsewhere.calendars.ask_to_read(other.id, added.id, now=NOW)
    with pytest.raises(BusyCalendarNotFound):
        elsewhere.calendars.remove(other.id, added.id)
    assert elsewhere.calendars.all(elsewhere.owner_id) == [added]
