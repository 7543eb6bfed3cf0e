"""Which mails the events of a booking cause, and which of them are not needed any more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from interface.bootstrap import apply_schema
from tests.projections.rebuild.rebuilds import rebuilt
from tests.support.desk import Desk
from tests.support.examples import NOW, OWNER, TOMORROW_AT_NINE
from tests.support.projector import apply_log

BOOKED_AT = TOMORROW_AT_NINE - timedelta(days=10)
A_DAY = timedelta(days=1)


@pytest.fixture
def deliveries(desk: Desk, conninfo: str) -> Callable[[], list[dict[str, Any]]]:
    """Applies the log and returns all deliveries."""

    def read() -> list[dict[str, Any]]:
        apply_log(conninfo)
        return desk.services.database.fetch_all(
            "SELECT * FROM deliveries ORDER BY fact, kind, audience"
        )

    return read


def told(rows: list[dict[str, Any]]) -> list[tuple[str, str, str, datetime]]:
    return [(row["kind"], row["audience"], row["state"], row["due_at"]) for row in rows]


def reminders(rows: list[dict[str, Any]]) -> list[tuple[str, datetime]]:
    return [(row["state"], row["due_at"]) for row in rows if row["kind"] == "reminder"][::2]


def test_a_booking_is_confirmed_at_once_and_reminded_of_a_day_before(
    desk: Desk, deliveries: Callable[[], Any]
) -> None:
    booking_id = desk.new_booking(desk.new_calendar())
    rows = deliveries()
    assert told(rows) == [
        ("confirmation", "invitee", "due", BOOKED_AT),
        ("confirmation", "owner", "due", BOOKED_AT),
        ("reminder", "invitee", "due", TOMORROW_AT_NINE - A_DAY),
        ("reminder", "owner", "due", TOMORROW_AT_NINE - A_DAY),
    ]
    made = next(line for line in desk.log() if line["topic"] == "booking.made")
    for row in rows:
        assert (row["channel"], row["target"], row["attempts"]) == ("mail", "", 0)
        assert (row["booking_id"], row["owner_id"]) == (booking_id, OWNER)
        assert row["link_id"] == desk.booking(booking_id).link_id
        assert (row["fact"], row["fact_version"]) == (made["position"], 1)
        assert row["next_attempt_at"] == row["due_at"]


def test_nobody_is_reminded_of_what_begins_within_a_day(
    desk: Desk, deliveries: Callable[[], Any]
) -> None:
    desk.redeem(desk.new_link(), NOW + timedelta(hours=8))
    assert {row["kind"] for row in deliveries()} == {"confirmation"}


def test_a_moved_booking_is_told_and_reminded_of_at_its_new_time_alone(
    desk: Desk, deliveries: Callable[[], Any]
) -> None:
    booking_id = desk.new_booking(desk.new_calendar(), TOMORROW_AT_NINE + 5 * A_DAY)
    desk.reschedule(booking_id, TOMORROW_AT_NINE + 7 * A_DAY)
    rows = deliveries()
    assert told(rows)[4:6] == [
        ("moved", "invitee", "due", NOW),
        ("moved", "owner", "due", NOW),
    ]
    assert rows[4]["fact_version"] == 2
    assert reminders(rows) == [
        ("ended", TOMORROW_AT_NINE + 4 * A_DAY),
        ("due", TOMORROW_AT_NINE + 6 * A_DAY),
    ]


@pytest.mark.parametrize(("minutes", "due"), [(90, True), (0, False), (14401, False)])
def test_reminders_are_due_as_the_calendar_said_when_it_was_booked(
    desk: Desk, deliveries: Callable[[], Any], minutes: int, due: bool
) -> None:
    calendar_id = desk.new_calendar(reminder_minutes=minutes)
    desk.new_booking(calendar_id)  # ten days ahead
    desk.change(calendar_id, reminder_minutes=7)
    found = [row["due_at"] for row in deliveries() if row["kind"] == "reminder"]
    assert found == [TOMORROW_AT_NINE - timedelta(minutes=minutes)] * 2 * due


def test_a_changed_place_is_told_to_both_and_a_request_to_the_invitee(
    desk: Desk, deliveries: Callable[[], Any]
) -> None:
    booking_id = desk.new_booking(desk.new_calendar())
    desk.change_place(booking_id, "Room 2")
    desk.ask_to_reschedule(booking_id, "I am away")
    assert told(deliveries())[4:] == [
        ("changed", "invitee", "due", NOW),
        ("changed", "owner", "due", NOW),
        ("request", "invitee", "due", NOW),
    ]


def test_a_cancelled_booking_is_told_and_reminds_nobody(
    desk: Desk, deliveries: Callable[[], Any]
) -> None:
    booking_id = desk.new_booking(desk.new_calendar(), TOMORROW_AT_NINE + 5 * A_DAY)
    deliveries()
    desk.cancel(booking_id)
    rows = deliveries()
    assert told(rows)[4:] == [
        ("cancelled", "invitee", "due", NOW),
        ("cancelled", "owner", "due", NOW),
    ]
    assert [state for state, _ in reminders(rows)] == ["ended"]


def test_forgetting_the_invitee_ends_what_is_due_to_them_and_blanks_every_answer(
    desk: Desk, conninfo: str, deliveries: Callable[[], Any]
) -> None:
    forgotten, other = (
        desk.new_booking(desk.new_calendar(), TOMORROW_AT_NINE + days * A_DAY) for days in (5, 6)
    )
    deliveries()
    with psycopg.connect(conninfo) as conn:
        conn.execute("UPDATE deliveries SET answer = 'ok <ada@example.org>'")
        conn.execute("UPDATE deliveries SET state = 'sent' WHERE kind = 'confirmation'")
    desk.forget(forgotten)
    rows = deliveries()
    ours = [row for row in rows if row["booking_id"] == forgotten and row["kind"] != "forgotten"]
    assert [(row["audience"], row["state"], row["answer"]) for row in ours] == [
        ("invitee", "sent", None),
        ("owner", "sent", None),
        ("invitee", "ended", None),
        ("owner", "due", None),
    ]
    theirs = [row for row in rows if row["booking_id"] == other]
    assert {row["answer"] for row in theirs} == {"ok <ada@example.org>"}
    assert {row["state"] for row in theirs} == {"sent", "due"}


def test_answers_that_came_back_from_a_backup_are_blanked_again(
    desk: Desk, conninfo: str, deliveries: Callable[[], Any]
) -> None:
    desk.forget(desk.new_booking(desk.new_calendar()))
    deliveries()
    with psycopg.connect(conninfo) as conn:
        conn.execute(
            """UPDATE deliveries SET state = 'due', answer = 'ok <ada@example.org>'
            WHERE kind <> 'forgotten'"""
        )
    desk.services.erasure.reapply()
    rows = [row for row in deliveries() if row["kind"] == "confirmation"][:1]
    assert {(row["state"], row["answer"]) for row in rows} == {("ended", None)}


def test_the_same_event_never_causes_the_same_twice(
    desk: Desk, conninfo: str, deliveries: Callable[[], Any]
) -> None:
    desk.cancel(desk.new_booking(desk.new_calendar()))
    before = deliveries()
    with psycopg.connect(conninfo) as conn:
        conn.execute("UPDATE projection_positions SET position = 0 WHERE name = 'mail_v1'")
    assert deliveries() == before


def test_new_events_cause_what_they_should_when_earlier_ones_are_read_again_with_them(
    desk: Desk, conninfo: str, deliveries: Callable[[], Any]
) -> None:
    first = desk.new_booking(desk.new_calendar())
    before = deliveries()
    desk.cancel(first)
    with psycopg.connect(conninfo) as conn:
        conn.execute("UPDATE projection_positions SET position = 0 WHERE name = 'mail_v1'")
    after = deliveries()
    assert [row["kind"] for row in after].count("confirmation") == 2
    assert [row["kind"] for row in after].count("cancelled") == 2
    assert {row["id"] for row in before} < {row["id"] for row in after}


def test_rebuilding_every_view_sends_nothing_again(
    desk: Desk, conninfo: str, deliveries: Callable[[], Any]
) -> None:
    desk.new_booking(desk.new_calendar())
    before = deliveries()
    rebuilt(conninfo)
    assert deliveries() == before


def test_nobody_is_told_of_an_old_log_that_is_restored_into_a_new_database(
    desk: Desk, conninfo: str, deliveries: Callable[[], Any]
) -> None:
    desk.new_booking(desk.new_calendar())
    with psycopg.connect(conninfo) as conn:
        conn.execute(
            "UPDATE projection_positions SET begun_at = clock_timestamp() WHERE name = 'mail_v1'"
        )
    assert deliveries() == []


def test_an_older_database_with_bookings_begins_at_the_head_of_its_log(
    desk: Desk, conninfo: str, deliveries: Callable[[], Any]
) -> None:
    desk.new_booking(desk.new_calendar())
    with psycopg.connect(conninfo) as conn:
        conn.execute("DELETE FROM projection_positions WHERE name = 'mail_v1'")
    apply_schema(conninfo)
    assert deliveries() == []
    booking_id: UUID = desk.new_booking(desk.new_calendar(), TOMORROW_AT_NINE + A_DAY)
    assert {row["booking_id"] for row in deliveries()} == {booking_id}
