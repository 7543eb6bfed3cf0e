"""A database that is restored to an earlier moment while processes remember what came later."""

from datetime import timedelta
from time import monotonic
from uuid import UUID

import pytest

from application.commands.new_link import NewLink
from application.eventstore import event_sourced_application
from domain.agenda import AgendaDay
from domain.booking import Booking
from domain.calendar import Calendar
from domain.errors import (
    CalendarArchived,
    CalendarNotFound,
    LinkNotFound,
    SlotNotOffered,
    SlotTaken,
)
from domain.offer import Offer
from tests.support.desk import Desk
from tests.support.examples import OWNER, TOMORROW_AT_NINE, TOMORROW_AT_TEN
from tests.support.log_trigger import writable_log

DAY = AgendaDay.id_for(OWNER, TOMORROW_AT_NINE.date())
ELEVEN = TOMORROW_AT_TEN + timedelta(hours=1)


def restore(desk: Desk, position: int) -> None:
    """Brings the log, and what was typed, back to what they were at this position."""
    with desk.services.database.connection() as conn, writable_log(conn):
        conn.execute(
            """WITH gone AS (DELETE FROM stored_events WHERE notification_id > %s
                RETURNING originator_id, originator_version)
            DELETE FROM personal_data USING gone
            WHERE personal_data.originator_id = gone.originator_id
                AND personal_data.originator_version = gone.originator_version""",
            (position,),
        )


def versions(desk: Desk) -> dict[UUID, list[int]]:
    """Returns the versions in the log of every aggregate, in order."""
    found: dict[UUID, list[int]] = {}
    for line in desk.log():
        found.setdefault(line["id"], []).append(line["version"])
    return found


def test_what_was_lost_can_be_done_again_and_no_stream_gets_a_gap(desk: Desk, there: Desk) -> None:
    calendar_id = desk.new_calendar()
    kept, lost, other = desk.new_links(calendar_id, 3)
    desk.redeem(kept)
    moment = desk.services.event_store.head()
    for one, link_id, start in ((desk, lost, TOMORROW_AT_TEN), (there, other, ELEVEN)):
        one.redeem(link_id, start)
    for one in (desk, there):
        assert len(one.services.event_store.get(AgendaDay, DAY).reservations) == 3
    restore(desk, moment)
    there.redeem(lost, ELEVEN)
    with pytest.raises(SlotTaken):
        desk.redeem(other, ELEVEN)
    desk.redeem(other, TOMORROW_AT_TEN)
    for one in (desk, there):
        assert len(one.services.event_store.get(AgendaDay, DAY).reservations) == 3
    for found in versions(desk).values():
        assert found == list(range(1, len(found) + 1))


def test_what_was_decided_before_the_restore_is_decided_again_after_it(desk: Desk) -> None:
    calendar_id = desk.new_calendar()
    kept, lost, last = desk.new_links(calendar_id, 3)
    desk.redeem(kept)
    moment = desk.services.event_store.head()
    desk.redeem(lost, TOMORROW_AT_TEN)
    desk.let_first(lambda: restore(desk, moment))
    desk.redeem(last, ELEVEN)
    assert set(desk.services.event_store.get(AgendaDay, DAY).reservations) == {
        Booking.id_for(kept),
        Booking.id_for(last),
    }
    assert versions(desk)[DAY] == [1, 2, 3]


def test_a_calendar_is_as_it_was(desk: Desk, there: Desk) -> None:
    calendar_id = desk.new_calendar()
    moment = desk.services.event_store.head()
    desk.change(calendar_id, duration_minutes=60)
    desk.archive(calendar_id)
    with pytest.raises(CalendarArchived):
        there.new_link(calendar_id)
    restore(desk, moment)
    for one in (desk, there):
        link_id = one.new_link(calendar_id)
        assert one.services.event_store.get(Calendar, calendar_id).version == 1
        start = TOMORROW_AT_NINE if one is desk else TOMORROW_AT_TEN
        assert one.redeem(link_id, start).value.terms.rules.duration_minutes == 30


def test_links_and_calendars_that_were_lost_are_not_found(desk: Desk, there: Desk) -> None:
    moment = desk.services.event_store.head()
    calendar_id = there.new_calendar()
    link_id = there.new_link(calendar_id)
    restore(desk, moment)
    with pytest.raises(LinkNotFound):
        there.redeem(link_id)
    with pytest.raises(LinkNotFound):
        there.replace(link_id)
    with pytest.raises(CalendarNotFound):
        there.new_link(calendar_id)
    assert desk.log() == []


def test_a_booking_moves_within_the_offer_of_the_link_that_takes_the_place_of_a_lost_one(
    desk: Desk, there: Desk
) -> None:
    calendar_id = desk.new_calendar()
    moment = desk.services.event_store.head()
    there.issue(calendar_id, NewLink(), key="a form")
    restore(desk, moment)
    offer = Offer(slots=(TOMORROW_AT_NINE, TOMORROW_AT_TEN))
    (link,) = desk.issue(calendar_id, NewLink(offer=offer), key="a form").value
    booking_id = desk.book(link.id)
    with pytest.raises(SlotNotOffered):
        there.reschedule(booking_id, ELEVEN, by_invitee=True)
    there.reschedule(booking_id, TOMORROW_AT_TEN, by_invitee=True)


def test_another_event_in_place_of_a_lost_one_is_noticed(
    desk: Desk, there: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar_id = desk.new_calendar()
    link_id = desk.new_link(calendar_id)
    moment = desk.services.event_store.head()
    there.change(calendar_id, duration_minutes=60)
    restore(desk, moment)
    desk.change(calendar_id, duration_minutes=45)
    assert there.redeem(link_id).value.terms.rules.duration_minutes == 45
    moment = desk.services.event_store.head()
    there.change(calendar_id, version=2, duration_minutes=60)
    restore(desk, moment)
    desk.archive(calendar_id)
    # A process issues without asking only for a few seconds: sooner than anybody restores.
    monkeypatch.setattr(event_sourced_application, "monotonic", lambda: monotonic() + 6)
    with pytest.raises(CalendarArchived):
        there.new_link(calendar_id)
