"""Moving, changing and cancelling bookings: what is recorded, and what is typed about it."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from application.audit.replay import replay_of
from application.eventstore.loading import Wanted
from application.eventstore.mapper import MAPPER
from domain.agenda import AgendaDay, days_around
from domain.booking import BookingStatus
from domain.errors import (
    BookingCancelled,
    BookingNotFound,
    InviteeForgotten,
    SlotNotOffered,
    SlotTaken,
    TooLate,
)
from projections.views import booking_calendar
from tests.application.commands.conftest import FailingCommits
from tests.application.commands.outcomes import outcome
from tests.support.desk import ALL_DAY, ALWAYS_OPEN, Desk, minutes
from tests.support.examples import (
    NOW,
    OTHER_OWNER,
    OWNER,
    TOMORROW_AT_NINE,
    TOMORROW_AT_TEN,
)
from tests.support.waiting import at_once

ROUNDS = 200
ELEVEN = TOMORROW_AT_TEN + timedelta(hours=1)


def booked(desk: Desk, start: Any = TOMORROW_AT_NINE, **changes: Any) -> UUID:
    return desk.book(desk.new_link(desk.new_calendar(**changes)), start)


def reserved(desk: Desk, booking_id: UUID) -> list[Any]:
    """Returns the days on which time is reserved for a booking, with the slot of each."""
    days = days_around(desk.booking(booking_id).slot)
    agenda = desk.services.event_store.load(
        *(Wanted(AgendaDay, AgendaDay.id_for(OWNER, day)) for day in days)
    )
    return sorted(
        (day.day, day.reservations[booking_id].slot)
        for day in agenda.all(AgendaDay)
        if booking_id in day.reservations
    )


def texts(desk: Desk, booking_id: UUID) -> list[dict[str, str]]:
    rows = desk.services.database.fetch_all(
        "SELECT data FROM personal_data WHERE originator_id = %s ORDER BY originator_version",
        (booking_id,),
    )
    return [row["data"] for row in rows[1:]]  # the first is that of the invitee


def test_a_move_and_its_agenda_days_are_recorded_in_one_transaction(desk: Desk) -> None:
    before_midnight = TOMORROW_AT_NINE.replace(hour=23, minute=30)
    booking_id = booked(desk, availability=ALL_DAY, buffer_after_minutes=60)
    head = desk.services.event_store.head()
    written = desk.reschedule(booking_id, before_midnight, by_invitee=True)
    lines = desk.log(after=head)
    assert [line["topic"] for line in lines] == [
        "booking.rescheduled",
        "agenda.slot_reserved",
        "agenda.opened",
        "agenda.slot_reserved",
    ]
    assert len({line["transaction"] for line in lines}) == 1
    assert {line["data"]["actor"] for line in lines} == {"invitee"}
    assert written.position == lines[-1]["position"]
    slot = written.value.slot
    assert slot.start == before_midnight
    today = before_midnight.date()
    assert reserved(desk, booking_id) == [(today, slot), (today + timedelta(days=1), slot)]


def test_a_move_that_is_not_committed_leaves_nothing_behind(
    desk: Desk, failing_commits: FailingCommits
) -> None:
    booking_id = booked(desk)
    before = desk.log()
    with failing_commits("stored_events"):
        desk.reschedule(booking_id, TOMORROW_AT_NINE + timedelta(days=3))
    assert desk.log() == before


def test_a_move_repeated_records_nothing_more(desk: Desk) -> None:
    booking_id = booked(desk)
    first = desk.reschedule(booking_id, by_invitee=True)
    again = desk.reschedule(booking_id, by_invitee=True, now=TOMORROW_AT_TEN + minutes(1))
    assert (again.value, again.position) == (first.value, first.position)


def test_the_agreed_terms_hold_whatever_becomes_of_the_calendar(desk: Desk) -> None:
    calendar_id = desk.new_calendar(**ALWAYS_OPEN, cancel_notice_minutes=60)
    links = desk.new_links(calendar_id, 2)
    first, second = desk.book(links[0]), desk.book(links[1], TOMORROW_AT_TEN)
    desk.change(calendar_id, **ALWAYS_OPEN, duration_minutes=45, cancel_notice_minutes=600)
    desk.archive(calendar_id)
    desk.cancel(first, by_invitee=True, now=TOMORROW_AT_NINE - minutes(61))
    with pytest.raises(TooLate):
        desk.cancel(second, by_invitee=True, now=TOMORROW_AT_TEN - minutes(60))
    desk.reschedule(second, ELEVEN, by_invitee=True)
    assert desk.booking(second).slot.end == ELEVEN + minutes(30)


def test_a_cancellation_keeps_its_reason_outside_the_log_and_frees_the_time(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.cancel(booking_id, reason="Ada fell ill", by_invitee=True)
    assert texts(desk, booking_id) == [{"reason": "Ada fell ill"}]
    assert "ill" not in str(desk.log())
    assert reserved(desk, booking_id) == []
    desk.book(desk.new_link())  # the same slot
    log = desk.log()
    desk.cancel(booking_id, reason="Ada fell ill again")
    assert desk.log() == log
    assert texts(desk, booking_id) == [{"reason": "Ada fell ill"}]


def test_a_place_is_recorded_once_and_stored_outside_the_log(desk: Desk) -> None:
    booking_id = booked(desk)
    head = desk.services.event_store.head()
    for place in ("Room 1", "Ada's garden", "Ada's garden", "", ""):
        desk.change_place(booking_id, place)
    assert desk.topics(after=head) == ["booking.changed"] * 2
    assert texts(desk, booking_id) == [{"place": "Ada's garden"}]
    assert "garden" not in str(desk.log())


def test_a_request_for_another_time_is_recorded_again_only_if_it_says_something_new(
    desk: Desk,
) -> None:
    booking_id = booked(desk)
    head = desk.services.event_store.head()
    for message in (None, None, "Noon?", "Noon?"):
        desk.ask_to_reschedule(booking_id, message)
    assert desk.topics(after=head) == ["booking.reschedule_requested"] * 2
    assert texts(desk, booking_id) == [{"message": "Noon?"}]
    desk.reschedule(booking_id, by_invitee=True)
    assert desk.booking(booking_id).moves_by_invitee == 0


def test_nothing_is_typed_any_more_about_a_forgotten_invitee(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.forget(booking_id)
    with pytest.raises(InviteeForgotten):
        desk.change_place(booking_id, "Elsewhere")
    with pytest.raises(InviteeForgotten):
        desk.ask_to_reschedule(booking_id, "Noon?")
    desk.cancel(booking_id, reason="Ada fell ill")
    assert desk.personal_rows() == []


def test_an_auditor_reads_what_was_typed_at_every_step(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.change_place(booking_id, "Room 2")
    desk.ask_to_reschedule(booking_id, "Noon?")
    desk.reschedule(booking_id, by_invitee=True)
    desk.cancel(booking_id, reason="Ada fell ill")
    with desk.services.database.connection() as conn:
        history = replay_of(conn, booking_id, MAPPER, now=NOW).page()
    assert [step.fault for step in history.steps if step.fault] == []
    typed = {step.recorded.topic: (step.typed, step.commitment) for step in history.steps}
    assert typed["booking.changed"] == ({"place": "Room 2"}, "kept")
    assert typed["booking.reschedule_requested"] == ({"message": "Noon?"}, "kept")
    assert typed["booking.cancelled"] == ({"reason": "Ada fell ill"}, "kept")


@pytest.mark.parametrize(
    "command",
    [Desk.reschedule, Desk.cancel, partial(Desk.change_place, place="x"), Desk.ask_to_reschedule],
)
def test_bookings_of_other_owners_do_not_exist(desk: Desk, command: Callable[..., Any]) -> None:
    link_id = desk.new_link(owner_id=OTHER_OWNER)
    for booking_id in (desk.book(link_id), uuid4()):
        with pytest.raises(BookingNotFound):
            command(desk, booking_id=booking_id)


def test_a_move_to_a_slot_that_is_not_offered_or_taken_is_refused(desk: Desk) -> None:
    booking_id = booked(desk)
    desk.book(desk.new_link(), TOMORROW_AT_TEN)
    before = desk.log()
    with pytest.raises(SlotTaken):
        desk.reschedule(booking_id)
    with pytest.raises(SlotNotOffered):
        desk.reschedule(booking_id, TOMORROW_AT_NINE + timedelta(hours=12))
    assert desk.log() == before


def test_nobody_moves_a_booking_by_rules_that_are_replaced_at_the_last_moment(desk: Desk) -> None:
    booking_id = booked(desk)
    calendar_id = desk.booking(booking_id).calendar_id
    desk.let_first(
        lambda: desk.change(calendar_id, duration_minutes=90, start_increment_minutes=90)
    )
    with pytest.raises(SlotNotOffered):
        desk.reschedule(booking_id)
    assert desk.booking(booking_id).version == 1


def test_whoever_loses_the_booking_hears_of_that_and_not_of_the_slot(desk: Desk) -> None:
    booking_id, rival = booked(desk), desk.new_link()
    load = desk.services.bookings._load_move

    def cancel_and_take_the_slot(*arguments: Any, **more: Any) -> Any:
        del vars(desk.services.bookings)["_load_move"]
        desk.cancel(booking_id)
        desk.book(rival, TOMORROW_AT_TEN)
        return load(*arguments, **more)

    vars(desk.services.bookings)["_load_move"] = cancel_and_take_the_slot
    with pytest.raises(BookingCancelled):
        desk.reschedule(booking_id)


def test_of_two_moves_and_a_cancellation_at_once_one_outcome_is_recorded_and_shown(
    desk: Desk, catch_up: Callable[[], None]
) -> None:
    calendar_id = desk.new_calendar(availability=ALL_DAY, booking_window_days=365)
    links = desk.new_links(calendar_id, ROUNDS)
    outcomes: Counter[str] = Counter()
    bookings = []
    for number, link_id in enumerate(links):
        at_nine = TOMORROW_AT_NINE + timedelta(days=number)
        booking_id = desk.book(link_id, at_nine)
        bookings.append(booking_id)
        commands = [
            partial(desk.reschedule, booking_id, at_nine + timedelta(hours=1), by_invitee=True),
            partial(desk.reschedule, booking_id, at_nine + timedelta(hours=15)),
            partial(desk.cancel, booking_id),
        ]
        answers = at_once([outcome(command) for command in commands])
        assert answers[2] == "done"
        assert set(answers) <= {"done", "BookingCancelled"}
        outcomes.update(answers)
        assert desk.booking(booking_id).status is BookingStatus.CANCELLED
        assert reserved(desk, booking_id) == []
    catch_up()
    shown = booking_calendar.bookings_of(desk.services.database, OWNER, limit=2 * ROUNDS)
    assert {row.id: (row.start, row.status) for row in shown} == {
        booking_id: (desk.booking(booking_id).slot.start, BookingStatus.CANCELLED)
        for booking_id in bookings
    }
    assert outcomes["done"] > ROUNDS
    assert desk.topics().count("booking.cancelled") == ROUNDS
