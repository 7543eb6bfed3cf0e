"""Commands in several processes, each with a memory of its own, on one database."""

from collections import Counter
from datetime import timedelta
from functools import partial
from threading import get_ident
from typing import Any

import pytest
from psycopg.pq import ExecStatus

from application.eventstore.database import PatientConnection
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import CalendarArchived, SlotNotOffered
from tests.application.commands.outcomes import MANY, outcome
from tests.support.desk import Desk
from tests.support.examples import NOW, OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.waiting import at_once

DAY = AgendaDay.id_for(OWNER, TOMORROW_AT_NINE.date())


@pytest.fixture
def round_trips(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows by one whenever this thread waits for the database, but not to prepare a statement.

    The pool connects in threads of its own.
    """
    caller = get_ident()
    made: list[None] = []
    wait = PatientConnection.wait

    def counted(conn: PatientConnection, *arguments: Any, **more: Any) -> Any:
        result = wait(conn, *arguments, **more)
        is_prepared = isinstance(result, list) and result[-1].status == ExecStatus.COMMAND_OK
        if get_ident() == caller and not is_prepared:
            made.append(None)
        return result

    monkeypatch.setattr(PatientConnection, "wait", counted)
    return made


# Round trips


def test_issuing_for_a_calendar_that_is_remembered_takes_one_round_trip(
    desk: Desk, round_trips: list[None]
) -> None:
    calendar_id = desk.new_calendar()
    desk.new_link(calendar_id)
    round_trips.clear()
    desk.new_link(calendar_id)
    assert len(round_trips) == 1


def test_issuing_for_a_calendar_that_is_not_remembered_takes_two_round_trips(
    desk: Desk, there: Desk, round_trips: list[None]
) -> None:
    there.new_link()  # connects
    calendar_id = desk.new_calendar()
    round_trips.clear()
    there.new_link(calendar_id)
    assert len(round_trips) == 2


@pytest.mark.parametrize(("is_known", "expected"), [(True, 2), (False, 3)])
def test_redeeming_takes_two_round_trips_and_one_more_for_a_link_that_is_not_known(
    desk: Desk, there: Desk, round_trips: list[None], is_known: bool, expected: int
) -> None:
    calendar_id = desk.new_calendar()
    there.redeem(desk.new_link(calendar_id), TOMORROW_AT_TEN)
    link_id = (there if is_known else desk).new_link(calendar_id)
    round_trips.clear()
    there.redeem(link_id)
    assert len(round_trips) == expected


def test_a_link_whose_page_was_opened_is_known(
    desk: Desk, there: Desk, round_trips: list[None]
) -> None:
    calendar_id = desk.new_calendar()
    there.redeem(desk.new_link(calendar_id), TOMORROW_AT_NINE)
    link_id = desk.new_link(calendar_id)
    there.link(link_id)
    round_trips.clear()
    there.redeem(link_id, TOMORROW_AT_TEN)
    assert len(round_trips) == 2


# What another process did is known when it matters


def test_no_link_is_issued_right_after_another_process_archived_the_calendar(
    desk: Desk, there: Desk
) -> None:
    for _ in range(20):
        for one, other in ((desk, there), (there, desk)):
            calendar_id = one.new_calendar()
            other.new_link(calendar_id)
            one.archive(calendar_id)
            before = len(one.log())
            with pytest.raises(CalendarArchived):
                other.new_link(calendar_id)
            assert len(one.log()) == before


def test_what_is_issued_at_once_with_archiving_comes_before_it_in_the_log(
    desk: Desk, there: Desk
) -> None:
    for _ in range(5):
        calendar_id = desk.new_calendar()
        there.new_link(calendar_id)
        after = desk.services.event_store.head()
        issue = outcome(partial(there.new_link, calendar_id))
        archive = outcome(partial(desk.archive, calendar_id))
        *answers, archived = at_once([issue, issue, issue, archive])
        assert archived == "done"
        topics = desk.topics(after)
        assert topics[-1] == Calendar.Archived.TOPIC
        assert topics.count("link.issued") == answers.count("done")
        assert answers.count("done") + answers.count("CalendarArchived") == 3


def test_links_are_checked_against_the_terms_that_another_process_has_changed(
    desk: Desk, there: Desk
) -> None:
    calendar_id = desk.new_calendar()
    there.new_link(calendar_id)
    desk.change(calendar_id, duration_minutes=60)
    link_id = there.new_link(calendar_id)
    desk.change(calendar_id, version=2, duration_minutes=45)
    assert there.redeem(link_id).value.terms.rules.duration_minutes == 45


def test_a_slot_is_judged_by_rules_that_another_process_has_changed(
    desk: Desk, there: Desk
) -> None:
    calendar_id = desk.new_calendar()
    links = there.new_links(calendar_id, 2)
    desk.change(calendar_id, minimum_notice_minutes=100_000)
    with pytest.raises(SlotNotOffered):
        there.redeem(links[0])
    desk.change(calendar_id, version=2, buffer_before_minutes=600)
    booking = there.redeem(links[1]).value.booking
    days = {AgendaDay.id_for(OWNER, day) for day in (booking.slot.start.date(), NOW.date())}
    for day_id in days:
        assert booking.id in desk.services.event_store.get(AgendaDay, day_id).reservations


def test_of_many_in_two_processes_who_redeem_the_same_link_one_books(
    desk: Desk, there: Desk
) -> None:
    calendar_id = desk.new_calendar()
    for _ in range(3):
        link_id = desk.new_link(calendar_id)
        attempts = [
            outcome(partial(one.redeem, link_id, start))
            for one in (desk, there)
            for start in (TOMORROW_AT_NINE, TOMORROW_AT_TEN)
        ]
        answers = at_once(attempts * (MANY // 4))
        assert Counter(answers) == {"done": 1, "LinkRedeemed": MANY - 1}
        desk.cancel(Booking.id_for(link_id))


def test_of_many_links_for_one_slot_one_books_whatever_process_asks(
    desk: Desk, there: Desk
) -> None:
    calendar_id = desk.new_calendar()
    for _ in range(3):
        links = desk.new_links(calendar_id, MANY)
        desks = [desk, there] * (MANY // 2)
        answers = at_once(
            [
                outcome(partial(one.redeem, link_id))
                for one, link_id in zip(desks, links, strict=True)
            ]
        )
        assert Counter(answers) == {"done": 1, "SlotTaken": MANY - 1}
        there.cancel(Booking.id_for(links[answers.index("done")]))


def test_many_links_for_as_many_slots_of_one_day_all_book_in_two_processes(
    desk: Desk, there: Desk
) -> None:
    links = desk.new_links(desk.new_calendar(), MANY)
    desks = [desk, there] * (MANY // 2)
    answers = at_once(
        [
            outcome(partial(one.redeem, link_id, TOMORROW_AT_NINE + timedelta(minutes=30 * n)))
            for n, (one, link_id) in enumerate(zip(desks, links, strict=True))
        ]
    )
    assert Counter(answers) == {"done": MANY}
    for one in (desk, there):
        assert len(one.services.event_store.get(AgendaDay, DAY).reservations) == MANY
